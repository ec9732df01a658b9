using System.Collections.Concurrent;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Runs attempts in containers of the Docker Engine of this machine.</summary>
/// <param name="engine">The engine.</param>
/// <param name="workDirectory">Where attempts have their files.</param>
/// <param name="openLog">Opens the log spool of an attempt.</param>
/// <param name="time">The clock.</param>
[SupportedOSPlatform("linux")]
internal sealed partial class DockerRuntime(DockerEngine engine, string workDirectory, Func<Fence, V1.AttemptSpec, LogSpool> openLog, TimeProvider time) : IJobRuntime, IDisposable
{
    /// <summary>The worker waits so long for the engine before it goes on without.</summary>
    private static readonly TimeSpan s_probePatience = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<Fence, DockerAttempt> _attempts = [];
    private volatile bool _swept;

    public DockerEngine Engine { get; } = engine;

    public TimeProvider Time { get; } = time;

    public required Ward Ward { get; init; }

    /// <summary>The worker's data directory: containers of another run of it are found by that.</summary>
    public required string Directory { get; init; }

    public required DescriptorPump Pump { get; init; }

    public required PortPool Ports { get; init; }

    public required BlobCache Blobs { get; init; }

    public required BundleStore Bundles { get; init; }

    /// <summary>What jobs are told; of the worker's own environment nothing, because the image has its own.</summary>
    public required WorkerSurroundings Surroundings { get; init; }

    public required string JobHostPath { get; init; }

    /// <summary>Where the spans of attempts go.</summary>
    public SpanOutbox Spans { get; init; } = new();

    /// <summary>For the label that says whose container it is.</summary>
    public required Func<string> ClusterId { get; init; }

    /// <summary>The group whose members may ask the metadata server of the machine; 0: everybody may.</summary>
    public uint MetadataGroup { get; init; }

    public required ILogger Logger { get; init; }

    /// <summary>How long a container may outlive SIGKILL before its attempt counts as ended without it.</summary>
    public TimeSpan UnkillableAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Whether attempts can be run now, and by what, or why not.</summary>
    public (bool Usable, string Detail) State { get; private set; } = (false, "The Docker Engine was not asked yet.");

    /// <summary>Sentences about what is wrong with attempts here; empty when all is well.</summary>
    public IReadOnlyList<string> Problems => [.. _attempts.Values.Select(attempt => attempt.Problem).OfType<string>()];

    public IRunningAttempt Start(Fence fence, V1.AttemptSpec spec, Action<WorkerEvent> report)
    {
        var log = new AttemptLog(openLog(fence, spec), Pump, Time);
        var files = new AttemptDirectory(Path.Combine(workDirectory, fence.ToString()));
        var trace = new AttemptTrace(fence, spec, Surroundings.WorkerId, files.Spans, Spans, Time);
        var attempt = new DockerAttempt(fence, spec, this, log, files, trace, report);
        _attempts[fence] = attempt;
        _ = Detached.Run(async () =>
        {
            try
            {
                await attempt.RunAsync();
            }
            finally
            {
                _attempts.TryRemove(fence, out _);
            }
        });
        return attempt;
    }

    /// <summary>
    /// Looks whether the engine answers. When it does for the first time, what an earlier run of the worker left in it is removed; when it does again, what it made of a request
    /// that it could not answer any more.
    /// </summary>
    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_probePatience, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var version = await Engine.GetVersionAsync(either.Token);
            if (!_swept)
            {
                await WardContainers.RemoveAsync(Engine, WardContainers.DirectoryLabel, Directory, IsHeld, either.Token);
                _swept = true;
            }

            Become((true, $"Docker Engine {version.Version}"));
        }
        catch (DockerEngineException exception)
        {
            Become((false, exception.Message));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Become((false, $"The Docker Engine at {Engine.Socket} does not answer within {s_probePatience.TotalSeconds} s."));
        }
    }

    public void Dispose() => Engine.Dispose();

    private bool IsHeld(string fence) => _attempts.Keys.Any(held => held.ToString() == fence);

    private void Become((bool Usable, string Detail) state)
    {
        _swept &= state.Usable;
        if (state.Usable != State.Usable)
        {
            Log.Changed(Logger, state.Usable ? "can be used" : "cannot be used", state.Detail);
        }

        State = state;
    }

    private static partial class Log
    {
        [LoggerMessage(260, LogLevel.Information, "Containers {State}: {Detail}")]
        public static partial void Changed(ILogger logger, string state, string detail);
    }
}

/// <summary>Gives each attempt to its runtime: a container when the job names an image, else processes.</summary>
internal sealed class RuntimeChoice(IJobRuntime processes, IJobRuntime containers) : IJobRuntime
{
    public IRunningAttempt Start(Fence fence, V1.AttemptSpec spec, Action<WorkerEvent> report) =>
        (spec.Environment?.Image is { Length: > 0 } ? containers : processes).Start(fence, spec, report);
}
