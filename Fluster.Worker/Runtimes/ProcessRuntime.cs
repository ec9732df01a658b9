using System.Collections.Concurrent;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Runs attempts as processes of this machine.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ProcessRuntime : IJobRuntime, IAsyncDisposable
{
    private static readonly TimeSpan s_memoryInterval = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<Fence, ProcessAttempt> _attempts = [];
    private readonly string _workDirectory;
    private readonly Func<Fence, V1.AttemptSpec, LogSpool> _openLog;
    private readonly ITimer _memoryTimer;

    /// <param name="workDirectory">Where attempts have their files.</param>
    /// <param name="openLog">Opens the log spool of an attempt.</param>
    /// <param name="time">The clock.</param>
    public ProcessRuntime(string workDirectory, Func<Fence, V1.AttemptSpec, LogSpool> openLog, TimeProvider time)
    {
        _workDirectory = workDirectory;
        _openLog = openLog;
        Time = time;
        _memoryTimer = time.CreateTimer(_ => CheckMemory(), null, s_memoryInterval, s_memoryInterval);
    }

    public TimeProvider Time { get; }

    public required Isolation Isolation { get; init; }

    public required ProcessLauncher Launcher { get; init; }

    public required DescriptorPump Pump { get; init; }

    public required PortPool Ports { get; init; }

    /// <summary>Gives each attempt a user of its own; null: all run as the worker's user, and are not isolated from each other.</summary>
    public UserPool? Users { get; init; }

    /// <summary>The group whose members may ask the metadata server of the machine; 0: everybody may.</summary>
    public uint MetadataGroup { get; init; }

    public required BlobCache Blobs { get; init; }

    public required BundleStore Bundles { get; init; }

    public required WorkerSurroundings Surroundings { get; init; }

    public required string JobHostPath { get; init; }

    /// <summary>Where the spans of attempts go.</summary>
    public SpanOutbox Spans { get; init; } = new();

    public required ILogger Logger { get; init; }

    /// <summary>How long a process may outlive SIGKILL before the attempt counts as ended without it: one that waits for a dead disk cannot be helped.</summary>
    public TimeSpan UnkillableAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Sentences about what is wrong with attempts here; empty when all is well.</summary>
    public IReadOnlyList<string> Problems =>
        [.. _attempts.Values.Where(attempt => attempt.Unkillable.Count > 0).Select(attempt => $"Attempt {attempt.Fence}: SIGKILL does not end process {string.Join(", ", attempt.Unkillable)}.")];

    public IRunningAttempt Start(Fence fence, V1.AttemptSpec spec, Action<WorkerEvent> report)
    {
        var log = new AttemptLog(_openLog(fence, spec), Pump, Time);
        var files = new AttemptDirectory(Path.Combine(_workDirectory, fence.ToString()));
        var trace = new AttemptTrace(fence, spec, Surroundings.WorkerId, files.Spans, Spans, Time);
        var attempt = new ProcessAttempt(fence, spec, this, log, Isolation.CreateBoundary(fence, () => Launcher.ProcessId), files, trace, report);
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

    public ValueTask DisposeAsync() => _memoryTimer.DisposeAsync();

    private void CheckMemory()
    {
        if (_attempts.IsEmpty)
        {
            return;
        }

        var table = ProcessTable.Read();
        foreach (var attempt in _attempts.Values)
        {
            attempt.CheckMemory(table);
        }
    }
}
