using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>One attempt as a container, from its image to the container's removal. The container is its boundary: with its first process everything in it ends.</summary>
[SupportedOSPlatform("linux")]
internal sealed partial class DockerAttempt : AttemptRun
{
    private const int FirstSignalCode = 129;
    private const int LastSignalCode = 128 + 31;

    /// <summary>Between two requests to an engine that does not answer or cannot do it now.</summary>
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(500);

    /// <summary>For the rest of the output after the end.</summary>
    private static readonly TimeSpan s_outputPatience = TimeSpan.FromSeconds(10);

    private readonly DockerRuntime _runtime;
    private readonly string _name;
    private volatile bool _created;
    private volatile bool _started;
    private bool _outputLost;
    private IReadOnlyList<int> _undead = [];
    private long? _endingSince;

    public DockerAttempt(Fence fence, V1.AttemptSpec spec, DockerRuntime runtime, AttemptLog log, AttemptDirectory directory, AttemptTrace trace, Action<WorkerEvent> report)
        : base(fence, spec, log, directory, trace, report, runtime.Time, runtime.Logger)
    {
        (_runtime, _name) = (runtime, $"fluster-{runtime.Ward.Id}-{fence}");
    }

    /// <summary>What is wrong with the end of this attempt; null when nothing is.</summary>
    public string? Problem { get; private set; }

    private DockerEngine Engine => _runtime.Engine;

    public override void Terminate()
    {
        Stopping.Cancel();
        if (_started)
        {
            _ = Detached.Run(TerminateTreeAsync);
        }
    }

    protected override async Task<AttemptEnd> PrepareAndRunAsync()
    {
        var stopping = Stopping.Token;
        var preparing = Trace.Begin("bundle"); // its image among it
        var image = await GetImageAsync(stopping);
        Files.Create();
        Files.OpenToOthers(); // the image may run as another user
        Ports = _runtime.Ports.Take(Spec.Ports);
        if (Spec.Environment.WorkingFiles is { } files)
        {
            await _runtime.Bundles.CopyAsync(files, Files.Work, stopping);
        }

        var plan = new ContainerPlan(Spec, Fence, _runtime, Files, image, Ports.Ports);
        await plan.PrepareAsync(Cached, stopping);
        using var setup = plan.HasSetup ? SetupChannel.Create(Files, Output, _runtime.Pump, Spec.Environment.SetupCommands) : null;
        stopping.ThrowIfCancellationRequested();
        _runtime.Ward.RememberEngine(Engine.Socket); // before the first container that has to be found again
        _created = true;
        preparing.Dispose();
        var launched = new Dictionary<string, string>(StringComparer.Ordinal);
        var launching = BeginLaunch(launched);
        await Engine.CreateContainerAsync(_name, plan.Request(launched), CancellationToken.None);
        await using var output = await Engine.AttachAsync(_name, CancellationToken.None);
        stopping.ThrowIfCancellationRequested();
        await StartAsync(plan);
        launching?.Dispose();
        var reading = ReadOutputAsync(output);
        if (setup is null)
        {
            ReportRunning();
        }

        var exit = WaitForExitAsync();
        if (setup is not null && await setup.EndedAsync(exit) is { } failed)
        {
            await KillAsync(exit);
            throw new AttemptFailedException(failed);
        }

        if (setup is not null && !exit.IsCompleted)
        {
            ReportRunning();
        }

        await Task.WhenAny(exit, Killed.Task);
        await KillAsync(exit);
        await FinishOutputAsync(reading);
        return await EndOfAsync(await exit, plan);
    }

    private async Task<DockerImage> GetImageAsync(CancellationToken cancellationToken)
    {
        var name = Spec.Environment.Image;
        if (ContainerImage.Problem(name) is { } problem)
        {
            throw new AttemptFailedException(new JobFailure(FailureKind.Image, problem));
        }

        if (await Engine.FindImageAsync(name, cancellationToken) is { } here)
        {
            return here;
        }

        try
        {
            await Output.SayAsync($"Pulling {name}");
            await Engine.PullImageAsync(name, cancellationToken);
        }
        catch (DockerEngineException exception) when (exception.Status is not null)
        {
            throw new AttemptFailedException(new JobFailure(FailureKind.Image, $"The image '{name}' is not on this worker and cannot be pulled: {exception.Message}"));
        }

        return await Engine.FindImageAsync(name, cancellationToken)
            ?? throw new AttemptFailedException(new JobFailure(FailureKind.Image, $"The image '{name}' was pulled, but the Docker Engine does not have it."));
    }

    private async Task StartAsync(ContainerPlan plan)
    {
        try
        {
            await Engine.StartContainerAsync(_name, CancellationToken.None);
        }
        catch (DockerEngineException exception) when (exception.Status is not null)
        {
            throw new AttemptFailedException(plan.StartFailure(exception.Message));
        }

        _started = true;
        if (Stopping.IsCancellationRequested)
        {
            await TerminateTreeAsync(); // the request came while the container was being started
        }
    }

    private void ReportRunning() => Report(new WorkerEvent.Running(Fence, _runtime.Time.GetUtcNow(), Ports.Ports));

    /// <summary>The exit code; null when the container was taken away. An engine that is away for a while is waited for: what it runs, it still runs, or says so when it is back.</summary>
    private Task<int?> WaitForExitAsync() => UntilAnsweredAsync<int?>(async () =>
    {
        try
        {
            return await Engine.WaitAsync(_name, CancellationToken.None);
        }
        catch (DockerEngineException exception) when (exception.Status == System.Net.HttpStatusCode.NotFound)
        {
            return null;
        }
    });

    /// <summary>Returns when the container does not run.</summary>
    private async Task KillAsync(Task<int?> exit)
    {
        while (!exit.IsCompleted)
        {
            _endingSince ??= _runtime.Time.GetTimestamp();
            try
            {
                await Engine.KillAsync(_name, "SIGKILL", CancellationToken.None);
            }
            catch (DockerEngineException exception)
            {
                Log.EngineFailed(_runtime.Logger, exception.Message, Fence);
            }

            await Task.WhenAny(exit, Task.Delay(s_again, _runtime.Time));
            NoteProblem();
        }
    }

    /// <summary>SIGTERM to every process inside, as for attempts that are processes. Where they cannot be seen (the engine's machine is not this one, or another user's), to the program alone, through the container's init.</summary>
    private async Task TerminateTreeAsync()
    {
        try
        {
            if (await Engine.FindContainerAsync(_name, CancellationToken.None) is { State.Pid: > 0 and var init } && !ContainerTree.Terminate(init, _runtime.Ward.MarkOf(Fence)))
            {
                await Engine.KillAsync(_name, "SIGTERM", CancellationToken.None);
            }
        }
        catch (DockerEngineException exception)
        {
            Log.EngineFailed(_runtime.Logger, exception.Message, Fence); // the kill at the end of the grace is repeated until it is done
        }
    }

    private async Task ReadOutputAsync(Stream output)
    {
        var frames = new DockerFrames();
        var buffer = new byte[64 * 1024];
        try
        {
            while (await output.ReadAsync(buffer) is var length and > 0)
            {
                await Output.TakeAsync([.. frames.Append(buffer.AsMemory(0, length)).Select(piece => (piece.Stream == DockerStream.Stdout ? V1.LogStream.Stdout : V1.LogStream.Stderr, piece.Data))]);
            }
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or FormatException or ObjectDisposedException)
        {
            _outputLost = true;
            Log.OutputLost(_runtime.Logger, exception.Message, Fence);
        }
    }

    private async Task FinishOutputAsync(Task reading)
    {
        if (await Task.WhenAny(reading, Task.Delay(s_outputPatience, _runtime.Time)) != reading)
        {
            _outputLost = true;
        }
    }

    private async Task<AttemptEnd> EndOfAsync(int? exit, ContainerPlan plan)
    {
        var ended = await UntilAnsweredAsync(() => Engine.FindContainerAsync(_name, CancellationToken.None));
        if (exit is not { } code || ended is null)
        {
            return new AttemptEnd { At = default, Failure = new JobFailure(FailureKind.WorkerFault, "The container was removed by somebody else.") };
        }

        if (plan.NotStarted(code, Output.LastLines) is { } missing)
        {
            return new AttemptEnd { At = default, Failure = missing with { ExitCode = code } };
        }

        // The engine does not tell a program that was ended by signal n from one that exits with 128 + n; that is what shells make of it, too.
        var signal = code is >= FirstSignalCode and <= LastSignalCode ? code - 128 : (int?)null;
        return new AttemptEnd
        {
            At = default,
            ExitCode = signal is null ? code : null,
            Signal = signal,
            MemoryLimitPassed = ended.State.OOMKilled && code != 0 ? plan.MemoryLimit : null,
        };
    }

    /// <summary>Returns when nothing of the container is left.</summary>
    protected override async Task EndWholeAsync()
    {
        if (_created)
        {
            _endingSince ??= _runtime.Time.GetTimestamp();
            while (!await UntilAnsweredAsync(RemoveAsync))
            {
                await Task.Delay(s_again, _runtime.Time);
            }
        }

        Problem = null;
    }

    protected override JobFailure FailureOf(Exception exception) =>
        exception is DockerEngineException engine ? new JobFailure(FailureKind.WorkerFault, engine.Message) : base.FailureOf(exception);

    protected override AttemptEnd Completed(AttemptEnd end)
    {
        var completed = base.Completed(end);
        completed.Logs!.UnknownTail |= _outputLost;
        return completed;
    }

    /// <summary>Removes the container. What the engine cannot do now is tried again.</summary>
    private async Task<bool> RemoveAsync()
    {
        try
        {
            return await Engine.RemoveAsync(_name, CancellationToken.None);
        }
        catch (DockerEngineException exception) when (exception.Status is not null)
        {
            Log.EngineFailed(_runtime.Logger, exception.Message, Fence);
            NoteProblem();
            return false;
        }
    }

    /// <summary>Says what is wrong when the container was to end long ago.</summary>
    private void NoteProblem()
    {
        if (_endingSince is not { } since || _runtime.Time.GetElapsedTime(since) <= _runtime.UnkillableAfter)
        {
            return;
        }

        Problem = $"Attempt {Fence}: the Docker Engine does not end or does not remove the container {_name}.";

        // Its first process has the mark for as long as it lives. None: nothing runs that could hold anything, only the engine has yet to say so.
        var left = ProcessTable.Marked(ProcessTable.Read(), FlusterEnvironment.AttemptMarker, _runtime.Ward.MarkOf(Fence)).Where(process => !process.IsDead).Select(process => process.Identity.Id).ToList();
        if (left.Count > 0 && !left.SequenceEqual(_undead))
        {
            _undead = left;
            var processes = string.Join(", ", left);
            Log.Unkillable(_runtime.Logger, Fence, processes);
            Report(new WorkerEvent.Undead(Fence, Completed(new AttemptEnd { At = default, Failure = new JobFailure(FailureKind.WorkerFault, $"SIGKILL does not end process {processes}.") }), left));
        }
    }

    /// <summary>Asks until the engine answers, whatever it answers.</summary>
    private async Task<T> UntilAnsweredAsync<T>(Func<Task<T>> ask)
    {
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (DockerEngineException exception) when (exception.Status is null or >= System.Net.HttpStatusCode.InternalServerError)
            {
                Log.EngineFailed(_runtime.Logger, exception.Message, Fence);
                NoteProblem();
                await Task.Delay(s_again, _runtime.Time);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(262, LogLevel.Warning, "{Reason} (attempt {Fence}; tried again)")]
        public static partial void EngineFailed(ILogger logger, string reason, Fence fence);

        [LoggerMessage(264, LogLevel.Error, "Processes of attempt {Fence} do not end although their container was killed: {ProcessIds}. Its capacity stays taken.")]
        public static partial void Unkillable(ILogger logger, Fence fence, string processIds);

        [LoggerMessage(263, LogLevel.Warning, "The output of attempt {Fence} broke off: {Reason}")]
        public static partial void OutputLost(ILogger logger, string reason, Fence fence);
    }
}
