using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>
/// A process of the worker's own (launcher, guard): this program again, with another argument, in a session of its own and with a descriptor
/// of ours as its standard input.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed unsafe class HelperProcess
{
    private const short SetSigDefault = 0x04;
    private const short SetSigMask = 0x08;
    private const short SetSid = 0x80;
    private const int OpaqueLength = 1024; // above the size of posix_spawn's structures in every C library
    private const int SignalSetLength = 128;

    /// <summary>
    /// Set for helpers: nothing that suspends threads behind their back (tiering, diagnostics), and code in memory that survives a fork.
    /// </summary>
    private static readonly string[] s_runtimeSettings =
    [
        "DOTNET_EnableDiagnostics=0", "DOTNET_EnableWriteXorExecute=0", "DOTNET_TieredCompilation=0", "DOTNET_gcServer=0", "DOTNET_NOLOGO=1",
    ];

    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private HelperProcess(int id) => Id = id;

    public int Id { get; }

    /// <summary>Completes with the wait status when the process has ended and was reaped.</summary>
    public Task<int> Exited => _exited.Task;

    /// <param name="arguments">What this program is told.</param>
    /// <param name="stdin">A descriptor that becomes the helper's standard input. Stays open here.</param>
    /// <param name="environment">Variables beyond the few that a .NET program needs.</param>
    public static HelperProcess Start(IReadOnlyList<string> arguments, int stdin, params IEnumerable<string> environment)
    {
        var directory = Path.GetDirectoryName(typeof(HelperProcess).Assembly.Location)!;
        var dotnet = DotnetHost.Path;
        string[] command =
        [
            dotnet, "exec", "--runtimeconfig", Path.Combine(directory, "fluster-child.runtimeconfig.json"),
            Path.Combine(directory, "Fluster.Worker.dll"), .. arguments,
        ];
        string[] variables = [.. BaseEnvironment.Of(Environment.GetEnvironmentVariables()).Select(variable => $"{variable.Key}={variable.Value}"), .. s_runtimeSettings, .. environment];
        var process = new HelperProcess(Spawn(dotnet, command, variables, stdin));
        new Thread(process.Wait) { IsBackground = true, Name = $"wait {process.Id}" }.Start();
        return process;
    }

    public void Kill() => _ = _exited.Task.IsCompleted ? 0 : Libc.kill(Id, Libc.SigKill); // not reaped yet, so the number is still its own

    private static int Spawn(string program, string[] arguments, string[] environment, int stdin)
    {
        var actions = stackalloc byte[OpaqueLength];
        var attributes = stackalloc byte[OpaqueLength];
        var signals = stackalloc byte[SignalSetLength];
        var argv = Strings(arguments);
        var envp = Strings(environment);
        var path = Marshal.StringToCoTaskMemUTF8(program);
        try
        {
            Check(Libc.posix_spawn_file_actions_init(actions));
            Check(Libc.posix_spawn_file_actions_adddup2(actions, stdin, 0));
            Check(Libc.posix_spawnattr_init(attributes));
            Check(Libc.posix_spawnattr_setflags(attributes, SetSigDefault | SetSigMask | SetSid));
            new Span<byte>(signals, SignalSetLength).Clear();
            Check(Libc.posix_spawnattr_setsigmask(attributes, signals));
            new Span<byte>(signals, SignalSetLength).Fill(byte.MaxValue);
            Check(Libc.posix_spawnattr_setsigdefault(attributes, signals));
            int id;
            Check(Libc.posix_spawn(&id, (byte*)path, actions, attributes, argv, envp));
            return id;
        }
        finally
        {
            _ = Libc.posix_spawn_file_actions_destroy(actions);
            _ = Libc.posix_spawnattr_destroy(attributes);
            Marshal.FreeCoTaskMem(path);
            Free(argv);
            Free(envp);
        }

        void Check(int error)
        {
            if (error != 0)
            {
                throw new IOException($"'{program}' could not be started: {Libc.Describe(error)}");
            }
        }
    }

    private static byte** Strings(string[] texts)
    {
        var array = (byte**)NativeMemory.AllocZeroed((nuint)texts.Length + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < texts.Length; i++)
        {
            array[i] = (byte*)Marshal.StringToCoTaskMemUTF8(texts[i]);
        }

        return array;
    }

    private static void Free(byte** texts)
    {
        for (var text = texts; *text != null; text++)
        {
            Marshal.FreeCoTaskMem((nint)(*text));
        }

        NativeMemory.Free(texts);
    }

    private void Wait()
    {
        int status;
        while (Libc.waitpid(Id, &status, 0) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Libc.Eintr)
            {
                status = 0; // somebody else in this process reaped it
                break;
            }
        }

        _exited.SetResult(status);
    }
}
