using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>The calls of the C library that .NET has no words for. Linux, 64 bit; the numbers here are the same on x64 and arm64, as those of some other flags of open are not.</summary>
[SupportedOSPlatform("linux")]
internal static unsafe partial class Libc
{
    public const int SigInt = 2;
    public const int SigKill = 9;
    public const int SigTerm = 15;
    public const int SigCont = 18;
    public const int SigStop = 19;

    public const int Enoent = 2;
    public const int Esrch = 3;
    public const int Eintr = 4;
    public const int E2Big = 7;
    public const int Enoexec = 8;
    public const int Echild = 10;
    public const int Eagain = 11;
    public const int Eacces = 13;
    public const int Enospc = 28;

    public const short PollIn = 0x1;
    public const short PollHangUp = 0x10;
    public const short PollError = 0x8;

    public const int WaitNoHang = 1;

    public const int ReadWrite = 2; // O_RDWR
    public const int CloseOnExec = 0x80000; // O_CLOEXEC and SOCK_CLOEXEC

    private const string Library = "libc";

    private const int NonBlocking = 0x800;

    private const int PidfdOpen = 434;
    private const int PidfdSendSignal = 424;

    /// <summary>A pipe whose ends no child inherits. Reading never blocks; writing does, as programs expect of their output.</summary>
    public static (int Read, int Write) Pipe()
    {
        var ends = BlockingPipe();
        Check(fcntl(ends.Read, 4 /* F_SETFL */, NonBlocking), "fcntl");
        return ends;
    }

    /// <summary>A pipe whose ends no child inherits.</summary>
    public static (int Read, int Write) BlockingPipe()
    {
        var ends = stackalloc int[2];
        Check(pipe2(ends, CloseOnExec), "pipe2");
        return (ends[0], ends[1]);
    }

    /// <summary>Has exec close every descriptor but the standard ones, also those that whoever started this process left open in it.</summary>
    public static void CloseOthersOnExec()
    {
        foreach (var path in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            if (int.TryParse(Path.GetFileName(path.AsSpan()), out var descriptor) && descriptor > 2)
            {
                _ = fcntl(descriptor, 2 /* F_SETFD */, 1 /* FD_CLOEXEC */); // or it is the one that this list was read through
            }
        }
    }

    /// <summary>Opens a file for reading. A pipe without a writer is open at once, and at its end.</summary>
    public static int OpenWithoutWaiting(string path)
    {
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(path + '\0'))
        {
            return Check(open(name, CloseOnExec | NonBlocking), "open");
        }
    }

    /// <summary>A pair of connected stream sockets that no child inherits.</summary>
    public static (int Ours, int Theirs) SocketPair()
    {
        var ends = stackalloc int[2];
        Check(socketpair(1 /* AF_UNIX */, 1 /* SOCK_STREAM */ | CloseOnExec, 0, ends), "socketpair");
        return (ends[0], ends[1]);
    }

    /// <summary>Sends a signal to the process that <paramref name="process"/> means; nothing happens when its number was given to another one.</summary>
    /// <returns>Whether the process was there.</returns>
    public static bool Signal(ProcessIdentity process, int signal)
    {
        var handle = (int)syscall(PidfdOpen, process.Id, 0, 0, 0);
        if (handle < 0)
        {
            // ENOSYS: a kernel before 5.3. The check leaves a gap of microseconds there.
            return Marshal.GetLastPInvokeError() != Esrch && process.IsAlive() && kill(process.Id, signal) == 0;
        }

        try
        {
            return process.IsAlive() && syscall(PidfdSendSignal, handle, signal, 0, 0) == 0;
        }
        finally
        {
            _ = close(handle);
        }
    }

    public static string Describe(int error) => Marshal.GetPInvokeErrorMessage(error);

    /// <exception cref="IOException">The call failed.</exception>
    public static int Check(int result, string call) =>
        result >= 0 ? result : throw new IOException($"{call} failed: {Describe(Marshal.GetLastPInvokeError())}");

    /// <summary>Opens a named pipe for reading. It has no end while it is open; reading never blocks.</summary>
    public static int OpenFifo(string path)
    {
        var name = Marshal.StringToCoTaskMemUTF8(path);
        try
        {
            return Check(open((byte*)name, ReadWrite /* also a writer, so that others may come and go */ | NonBlocking | CloseOnExec), "open");
        }
        finally
        {
            Marshal.FreeCoTaskMem(name);
        }
    }

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int mkfifo(string path, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchown(int fd, uint user, uint group);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int lchown(string path, uint user, uint group);

    [LibraryImport(Library)]
    public static partial uint geteuid();

    [LibraryImport(Library)]
    public static partial uint getegid();

    [LibraryImport(Library, SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint read(int fd, void* buffer, nint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint write(int fd, void* buffer, nint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int poll(PollFd* fds, nuint count, int timeoutMilliseconds);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint sendmsg(int socket, MessageHeader* message, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint recvmsg(int socket, MessageHeader* message, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int waitpid(int pid, int* status, int options);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int kill(int pid, int signal);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fsync(int fd);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int setsid();

    [LibraryImport(Library, SetLastError = true)]
    public static partial int prctl(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint signal(int number, nint handler);

    [LibraryImport(Library)]
    public static partial int pthread_sigmask(int how, void* set, void* old);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int open(byte* path, int flags);

    // posix_spawn: its own functions return the error number.
    [LibraryImport(Library)]
    public static partial int posix_spawn(int* pid, byte* path, void* actions, void* attributes, byte** argv, byte** envp);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_adddup2(void* actions, int fd, int newFd);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_setsigmask(void* attributes, void* mask);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_setsigdefault(void* attributes, void* signals);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_destroy(void* attributes);

    [LibraryImport(Library, SetLastError = true)]
    private static partial int pipe2(int* ends, int flags);

    [LibraryImport(Library, SetLastError = true)]
    private static partial int fcntl(int fd, int command, int argument);

    [LibraryImport(Library, SetLastError = true)]
    private static partial int socketpair(int domain, int type, int protocol, int* ends);

    [LibraryImport(Library, SetLastError = true)]
    private static partial nint syscall(nint number, nint argument1, nint argument2, nint argument3, nint argument4);

    [StructLayout(LayoutKind.Sequential)]
    public struct PollFd
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct IoVector
    {
        public void* Start;
        public nuint Length;
    }
}
