using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>
/// Everything that a forked child touches, prepared before the fork in memory that the garbage collector does not know:
/// strings with their terminators, and the addresses of the calls.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed unsafe class ForkPlan : IDisposable
{
    private readonly List<nint> _allocations = [];

    public ForkPlan(LaunchRequest request, int stdin, int stdout, int stderr, int news, int result)
    {
        Data = (Layout*)Allocate(sizeof(Layout));
        *Data = new Layout
        {
            Calls = ForkCalls.Table,
            Program = Text(request.Program),
            Arguments = Texts(request.Arguments),
            Environment = Texts(request.Environment),
            WorkingDirectory = Text(request.WorkingDirectory),
            CgroupFile = request.Isolation == IsolationMode.Marker ? null : Text(Path.Combine(request.CgroupDirectory, "cgroup.procs")),
            User = request.User,
            Group = request.Group,
            Stdin = stdin,
            Stdout = stdout,
            Stderr = stderr,
            News = news,
            Result = result,
        };
    }

    public Layout* Data { get; }

    public byte* Text(string text)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        var copy = (byte*)Allocate(bytes.Length + 1);
        bytes.CopyTo(new Span<byte>(copy, bytes.Length));
        return copy;
    }

    public void Dispose()
    {
        foreach (var allocation in _allocations)
        {
            NativeMemory.Free((void*)allocation);
        }
    }

    private byte** Texts(IReadOnlyList<string> texts)
    {
        var array = (byte**)Allocate((texts.Count + 1) * sizeof(byte*));
        for (var i = 0; i < texts.Count; i++)
        {
            array[i] = Text(texts[i]);
        }

        return array;
    }

    private void* Allocate(int length)
    {
        var memory = NativeMemory.AllocZeroed((nuint)length);
        _allocations.Add((nint)memory);
        return memory;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Layout
    {
        public ForkCalls* Calls;
        public byte* Program;
        public byte** Arguments;
        public byte** Environment;
        public byte* WorkingDirectory;
        public byte* CgroupFile;
        public uint User;
        public uint Group;
        public int Stdin;
        public int Stdout;
        public int Stderr;
        public int News;
        public int Result;
    }
}

/// <summary>The addresses of the calls that a forked child makes: it cannot have the runtime look them up.</summary>
[SupportedOSPlatform("linux")]
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ForkCalls
{
    public nint Fork;
    public nint Execve;
    public nint Exit;
    public nint Waitpid;
    public nint Syscall;
    public nint Open;
    public nint Write;
    public nint Close;
    public nint Setsid;
    public nint Chdir;
    public nint Dup2;
    public nint Signal;
    public nint SignalMask;
    public nint Prctl;
    public nint ErrorLocation;

    // Numbers of system calls: the C library's functions of these names would have every thread take part, and a child has none of them.
    public long SetGroups;
    public long SetGroup;
    public long SetUser;

    /// <summary>Filled once; lives as long as the process.</summary>
    public static readonly ForkCalls* Table = Resolve();

    private static ForkCalls* Resolve()
    {
        var library = NativeLibrary.GetMainProgramHandle(); // the C library is part of every program's scope
        var table = (ForkCalls*)NativeMemory.AllocZeroed((nuint)sizeof(ForkCalls));
        table->Fork = NativeLibrary.GetExport(library, "fork");
        table->Execve = NativeLibrary.GetExport(library, "execve");
        table->Exit = NativeLibrary.GetExport(library, "_exit");
        table->Waitpid = NativeLibrary.GetExport(library, "waitpid");
        table->Syscall = NativeLibrary.GetExport(library, "syscall");
        table->Open = NativeLibrary.GetExport(library, "open");
        table->Write = NativeLibrary.GetExport(library, "write");
        table->Close = NativeLibrary.GetExport(library, "close");
        table->Setsid = NativeLibrary.GetExport(library, "setsid");
        table->Chdir = NativeLibrary.GetExport(library, "chdir");
        table->Dup2 = NativeLibrary.GetExport(library, "dup2");
        table->Signal = NativeLibrary.GetExport(library, "signal");
        table->SignalMask = NativeLibrary.GetExport(library, "pthread_sigmask");
        table->Prctl = NativeLibrary.GetExport(library, "prctl");
        table->ErrorLocation = NativeLibrary.GetExport(library, "__errno_location");
        (table->SetGroups, table->SetGroup, table->SetUser) = RuntimeInformation.ProcessArchitecture switch // setgroups, setresgid, setresuid
        {
            Architecture.X64 => (116, 119, 117),
            _ => (159, 149, 147), // arm64, and every newer architecture
        };
        return table;
    }
}
