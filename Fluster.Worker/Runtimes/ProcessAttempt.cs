using System.Globalization;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>One attempt as processes of this machine, from its files to the end of its last process.</summary>
[SupportedOSPlatform("linux")]
internal sealed partial class ProcessAttempt : AttemptRun
{
    private const string Shell = "/bin/sh";

    private readonly ProcessRuntime _runtime;
    private readonly AttemptBoundary _boundary;
    private long? _memoryLimitPassed;
    private LaunchedProgram? _program; // the entrypoint's
    private UserLease? _user;

    public ProcessAttempt(Fence fence, V1.AttemptSpec spec, ProcessRuntime runtime, AttemptLog log, AttemptBoundary boundary, AttemptDirectory directory, AttemptTrace trace, Action<WorkerEvent> report)
        : base(fence, spec, log, directory, trace, report, runtime.Time, runtime.Logger)
    {
        (_runtime, _boundary) = (runtime, boundary);
    }

    /// <summary>Its processes that SIGKILL has not ended for a minute.</summary>
    public IReadOnlyList<int> Unkillable { get; private set; } = [];

    public override void Terminate()
    {
        Stopping.Cancel();
        _boundary.Terminate();
    }

    /// <summary>Kills the attempt when its processes have more memory than it asked for.</summary>
    public void CheckMemory(IReadOnlyList<ProcessEntry> table)
    {
        if (Spec.Resources?.MemoryBytes is { } limit and > 0 && _memoryLimitPassed is null && MemoryUse.Exceeds(_boundary.Sample(table), limit))
        {
            _memoryLimitPassed = limit;
            Kill();
        }
    }

    protected override async Task<AttemptEnd> PrepareAndRunAsync()
    {
        var (variables, argv) = await PrepareAsync();
        Stopping.Token.ThrowIfCancellationRequested();
        var (exitCode, exitSignal, failure) = await RunProgramAsync(
            argv, variables, V1.LogStream.Stdout, V1.LogStream.Stderr,
            () => Report(new WorkerEvent.Running(Fence, _runtime.Time.GetUtcNow(), Ports.Ports)));
        return new AttemptEnd { At = default, ExitCode = exitCode, Signal = exitSignal, Failure = failure };
    }

    private async Task<(Dictionary<string, string> Variables, IReadOnlyList<string> Argv)> PrepareAsync()
    {
        using var step = Trace.Begin("bundle");
        var stopping = Stopping.Token;
        if (_runtime.Users is { } users)
        {
            _user = users.Take(Fence);
            _boundary.User = _user.User;
        }

        Files.Create(_boundary.User);
        Ports = _runtime.Ports.Take(Spec.Ports);
        var variables = JobVariables.Of(Spec, Fence, SurroundingsHere, Ports.Ports, _runtime.Isolation.Ward.MarkOf(Fence));
        variables[FlusterEnvironment.PreemptionFile] = Files.Preemption;
        variables[FlusterEnvironment.SpanDirectory] = Files.Spans;
        if (Spec.Environment?.WorkingFiles is { } files)
        {
            await _runtime.Bundles.CopyAsync(files, Files.Work, stopping);
            Files.GiveWorkTo(_boundary.User);
        }

        foreach (var command in Spec.Environment?.SetupCommands ?? [])
        {
            using var setUp = Trace.Begin("set-up");
            var (code, signal, problem) = await RunProgramAsync([Shell, "-c", command], variables, V1.LogStream.Build, V1.LogStream.Build, started: null);
            stopping.ThrowIfCancellationRequested();
            if (code != 0)
            {
                var how = problem?.Message ?? (signal is { } number ? $"ended by signal {number}" : $"exit code {code}");
                throw new AttemptFailedException(new JobFailure(FailureKind.ProgramNotFound, $"The set-up command '{command}' failed: {how}") { ExitCode = code, Signal = signal });
            }
        }

        return (variables, await EntrypointAsync(variables, stopping));
    }

    private async Task<IReadOnlyList<string>> EntrypointAsync(Dictionary<string, string> variables, CancellationToken cancellationToken)
    {
        if (Spec.Entrypoint.KindCase == V1.Entrypoint.KindOneofCase.Command)
        {
            return Spec.Entrypoint.Command.Argv;
        }

        if (Spec.Entrypoint.KindCase != V1.Entrypoint.KindOneofCase.Dotnet)
        {
            throw new AttemptFailedException(new JobFailure(FailureKind.WorkerFault, "This worker is too old to know this kind of entrypoint."));
        }

        var dotnet = Spec.Entrypoint.Dotnet;
        var bundle = await _runtime.Bundles.GetAsync(dotnet.Bundle, cancellationToken, Cached);
        var invocation = dotnet.Invocation.SourceCase == V1.Payload.SourceOneofCase.Blob
            ? await _runtime.Blobs.GetAsync(dotnet.Invocation.Blob, cancellationToken, Cached)
            : Files.Invocation;
        if (invocation == Files.Invocation)
        {
            await File.WriteAllBytesAsync(invocation, dotnet.Invocation.Inline.ToByteArray(), cancellationToken);
        }
        else if (_user is not null)
        {
            File.Copy(invocation, Files.Invocation); // the blobs of all jobs are not for any of them to read
            invocation = Files.Invocation;
        }

        Files.ShowInvocationTo(_boundary.User);

        variables.TryAdd("DOTNET_NOLOGO", "1");
        var app = Path.Combine(bundle, dotnet.App);
        return
        [
            DotnetHost.Path, "exec", "--depsfile", app + ".deps.json", "--runtimeconfig", app + ".runtimeconfig.json",
            _runtime.JobHostPath, app + ".dll", invocation, Files.Outcome,
        ];
    }

    private async Task<(int? ExitCode, int? Signal, JobFailure? Failure)> RunProgramAsync(
        IReadOnlyList<string> argv, Dictionary<string, string> variables, V1.LogStream output, V1.LogStream errors, Action? started)
    {
        var file = ProgramSearch.Find(argv.Count > 0 ? argv[0] : "", variables["PATH"], Files.Work, out var missing)
            ?? throw new AttemptFailedException(new JobFailure(FailureKind.ProgramNotFound, missing!));
        var (mode, cgroup) = _boundary.Placement;
        var launching = started is null ? default : BeginLaunch(variables);
        var request = new LaunchRequest
        {
            Isolation = mode,
            CgroupDirectory = cgroup,
            Program = file,
            Arguments = argv,
            Environment = [.. variables.Select(variable => $"{variable.Key}={variable.Value}")],
            WorkingDirectory = Files.Work,
            User = _boundary.User,
            Group = Spec.Environment?.MetadataServer == true ? _runtime.MetadataGroup : 0,
        };
        var (outputReader, program) = await LaunchAsync(request, output, errors);
        var news = await program.Started;
        if (news.Kind == LaunchNewsKind.Failed)
        {
            await outputReader.FinishAsync();
            throw new AttemptFailedException(LaunchFailure((LaunchStage)news.First, news.Second, argv[0]));
        }

        _boundary.Entered(program, news);
        if (Stopping.IsCancellationRequested)
        {
            _boundary.Terminate(); // the request came while the program was being started
        }

        if (started is not null)
        {
            _program = program;
            launching?.Dispose();
            started();
        }

        await Task.WhenAny(program.Exited, Killed.Task);
        await GraceAsync();
        if (started is not null || Killed.Task.IsCompleted)
        {
            await EndTreeAsync(); // what a set-up command leaves running is there for the program
        }

        await outputReader.FinishAsync();
        return ExitOf(await program.Exited);
    }

    private static (int? ExitCode, int? Signal, JobFailure? Failure) ExitOf(int? waitStatus) => waitStatus switch
    {
        null => (null, null, new JobFailure(FailureKind.WorkerFault, "The launcher of the worker died, and the job with it.")),
        { } status when (status & 0x7f) == 0 => (status >> 8 & 0xff, null, null),
        { } status => (null, status & 0x7f, null),
    };

    private async Task<(Outputs Outputs, LaunchedProgram Program)> LaunchAsync(LaunchRequest request, V1.LogStream output, V1.LogStream errors)
    {
        var (outRead, outWrite) = Libc.Pipe();
        var (errRead, errWrite) = Libc.Pipe();
        var outputs = new Outputs(_runtime.Pump, Output.Read(outRead, output), Output.Read(errRead, errors));
        try
        {
            if (_user is { User: var user })
            {
                Libc.Check(Libc.fchown(outWrite, user, user), "fchown"); // or it could not open /dev/stdout
                Libc.Check(Libc.fchown(errWrite, user, user), "fchown");
            }

            return (outputs, _runtime.Launcher.Launch(request, outWrite, errWrite));
        }
        catch
        {
            await outputs.FinishAsync();
            throw;
        }
    }

    /// <summary>The program has ended because it was asked to; what else it started was asked, too, and has the same time to end.</summary>
    private async Task GraceAsync()
    {
        while (Stopping.IsCancellationRequested && !Killed.Task.IsCompleted && _boundary.Processes().Count > 0)
        {
            await Task.WhenAny(Killed.Task, Task.Delay(TimeSpan.FromMilliseconds(20), _runtime.Time));
        }
    }

    /// <summary>Also of set-up commands, when it came to nothing more.</summary>
    protected override Task EndWholeAsync() => EndTreeAsync();

    protected override void Release()
    {
        _boundary.Remove();
        _user?.Dispose();
    }

    /// <summary>What the job is told about where it runs: with a user of its own, also a home that this user may write to.</summary>
    private WorkerSurroundings SurroundingsHere => _user is null ? _runtime.Surroundings : _runtime.Surroundings with
    {
        BaseVariables = new Dictionary<string, string>(_runtime.Surroundings.BaseVariables, StringComparer.Ordinal)
        {
            ["HOME"] = Files.Home,
            ["TMPDIR"] = Files.Temporary,
            ["USER"] = $"fluster-{_user.User}",
            ["LOGNAME"] = $"fluster-{_user.User}",
        },
    };

    protected override AttemptEnd Completed(AttemptEnd end) => base.Completed(end) with { MemoryLimitPassed = _memoryLimitPassed };

    /// <summary>Returns when nothing of the tree is left.</summary>
    private async Task EndTreeAsync()
    {
        await _boundary.QuietAsync(_runtime.Time);
        var since = _runtime.Time.GetTimestamp();
        for (var wait = TimeSpan.FromMilliseconds(1); !_boundary.KillAll(); wait = wait < TimeSpan.FromMilliseconds(50) ? wait * 2 : wait)
        {
            await Task.Delay(wait, _runtime.Time);
            if (_runtime.Time.GetElapsedTime(since) > _runtime.UnkillableAfter)
            {
                var left = _boundary.Left().Select(process => process.Identity.Id).ToList();
                if (!left.SequenceEqual(Unkillable))
                {
                    Unkillable = left;
                    Log.Unkillable(_runtime.Logger, Fence, string.Join(", ", left));
                    Report(new WorkerEvent.Undead(Fence, EndWithout(left), left));
                }
            }
        }

        Unkillable = [];
    }

    /// <summary>How the attempt ended as far as that can be said while some of its processes do not.</summary>
    private AttemptEnd EndWithout(IReadOnlyList<int> left)
    {
        var (exitCode, signal, failure) = _program?.Exited is { IsCompletedSuccessfully: true, Result: { } status }
            ? ExitOf(status)
            : (null, null, new JobFailure(FailureKind.WorkerFault, $"SIGKILL does not end process {string.Join(", ", left)}."));
        return Completed(new AttemptEnd { At = default, ExitCode = exitCode, Signal = signal, Failure = failure });
    }

    private JobFailure LaunchFailure(LaunchStage stage, int error, string program) => stage switch
    {
        LaunchStage.Execute when error is Libc.Eacces && _user is not null => new JobFailure(FailureKind.ProgramNotFound, $"The program '{program}' cannot be run: attempts have a user of their own on this worker, and that one may not execute it."),
        LaunchStage.Execute when error is Libc.Enoent => new JobFailure(FailureKind.ProgramNotFound, $"The program '{program}' cannot be run: its interpreter (the first line after '#!', or the dynamic loader) does not exist on this worker."),
        LaunchStage.Execute when error is Libc.Enoexec => new JobFailure(FailureKind.ProgramNotFound, $"The program '{program}' cannot be run: it is neither a program for this machine nor a script that begins with '#!'."),
        LaunchStage.Execute when error is Libc.E2Big => new JobFailure(FailureKind.ProgramNotFound, $"The program '{program}' cannot be run: its arguments and its environment together are longer than the system allows (one of 128 KiB, or 2 MiB in all)."),
        LaunchStage.Execute => new JobFailure(FailureKind.ProgramNotFound, $"The program '{program}' cannot be run: {Libc.Describe(error)}"),
        _ => new JobFailure(FailureKind.WorkerFault, string.Create(CultureInfo.InvariantCulture, $"The worker could not start a process (step {stage}): {Libc.Describe(error)}")),
    };

    /// <summary>The two pipes of one program.</summary>
    private sealed class Outputs(DescriptorPump pump, DescriptorReader output, DescriptorReader errors)
    {
        /// <summary>Reads what is there and closes: whoever still holds a pipe is not of the attempt.</summary>
        public async Task FinishAsync()
        {
            await pump.FinishAsync(output);
            await pump.FinishAsync(errors);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(241, LogLevel.Error, "Processes of attempt {Fence} do not end although they were killed: {ProcessIds}. Its capacity stays taken.")]
        public static partial void Unkillable(ILogger logger, Fence fence, string processIds);
    }
}
