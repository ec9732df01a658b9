namespace Fluster.Worker;

/// <summary>What can happen to a worker. Everything that it decides follows from these and from the time.</summary>
internal abstract record WorkerEvent
{
    private WorkerEvent() { } // Closed: every case is listed here.

    /// <summary>The first event: what an earlier run left in the spool. Those without an outcome were running when it died.</summary>
    public sealed record Recovered(IReadOnlyList<RecoveredAttempt> Attempts) : WorkerEvent;

    /// <summary>A controller answered Hello.</summary>
    /// <param name="Cluster">Which cluster it is of.</param>
    /// <param name="ReportInterval">How often it wants to hear something.</param>
    /// <param name="Adopts">Whether it proved that this worker is to leave the cluster it knows for this one.</param>
    public sealed record LinkOpened(ClusterIdentity Cluster, TimeSpan ReportInterval, bool Adopts = false) : WorkerEvent;

    /// <summary>The link is gone. What runs goes on.</summary>
    public sealed record LinkClosed : WorkerEvent;

    /// <summary>The link can take a frame.</summary>
    public sealed record LinkReady : WorkerEvent;

    /// <summary>The controller says what to hold.</summary>
    public sealed record DesiredArrived(V1.Desired Desired) : WorkerEvent;

    /// <summary>That the attempt is being started is on the disk.</summary>
    public sealed record StartRecorded(Fence Fence) : WorkerEvent;

    /// <summary>The disk did not take it, so the attempt must not start.</summary>
    public sealed record StartNotRecorded(Fence Fence, string Problem) : WorkerEvent;

    /// <summary>The attempt's program runs.</summary>
    public sealed record Running(Fence Fence, DateTimeOffset StartedAt, IReadOnlyDictionary<string, int> Ports) : WorkerEvent;

    /// <summary>Nothing of the attempt is left: its process tree, its ports, its work directory.</summary>
    public sealed record Ended(Fence Fence, AttemptEnd End) : WorkerEvent;

    /// <summary>How the attempt ended is known, and processes of it do not end although they were killed. <see cref="Ended"/> comes when they have.</summary>
    public sealed record Undead(Fence Fence, AttemptEnd End, IReadOnlyList<int> Processes) : WorkerEvent;

    /// <summary>The outcome is on the disk.</summary>
    public sealed record OutcomeStored(Fence Fence) : WorkerEvent;

    /// <summary>The cluster has the result, or never will (then <paramref name="Problem"/> says why).</summary>
    public sealed record ResultUploaded(Fence Fence, V1.Payload? Result, string? Problem) : WorkerEvent;

    public sealed record HealthTaken(V1.WorkerHealth Health) : WorkerEvent;

    /// <summary>The machine is taken away after this time; with a job, only its attempts are, as somebody wished.</summary>
    public sealed record Preempted(TimeSpan Left, string? Job = null) : WorkerEvent;

    /// <summary>This worker is asked to end.</summary>
    public sealed record ShutdownRequested : WorkerEvent;

    /// <summary>Time has passed.</summary>
    public sealed record Tick : WorkerEvent;
}

/// <summary>An attempt that an earlier run of the worker had started.</summary>
/// <param name="Fence">Which one.</param>
/// <param name="Outcome">How it ended; null when that run died before it was known.</param>
/// <param name="Logs">What is in its log spool.</param>
internal sealed record RecoveredAttempt(Fence Fence, V1.AttemptOutcome? Outcome, V1.LogTotals Logs);

/// <summary>A cluster and a start of its controller.</summary>
internal sealed record ClusterIdentity(string ClusterId, long Epoch);

/// <summary>What a runtime saw of an attempt. What that means is decided in <see cref="Outcomes"/>.</summary>
internal sealed record AttemptEnd
{
    public required DateTimeOffset At { get; init; }

    /// <summary>The exit code of the program; null when it was ended by a signal, or never ran.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The signal that ended the program.</summary>
    public int? Signal { get; init; }

    /// <summary>Why the program never ran, or could not be followed to its end.</summary>
    public JobFailure? Failure { get; init; }

    /// <summary>The runtime killed it because it had more memory than this limit, in bytes.</summary>
    public long? MemoryLimitPassed { get; init; }

    /// <summary>What a .NET entrypoint returned; null when it returns nothing, or did not return.</summary>
    public ReadOnlyMemory<byte>? Result { get; init; }

    /// <summary>What it returned has so many bytes and was not read: more than <see cref="Outcomes.MaxResultBytes"/>.</summary>
    public long? TooLongResult { get; init; }

    /// <summary>What a .NET entrypoint threw.</summary>
    public RemoteExceptionInfo? Exception { get; init; }

    public V1.LogTotals Logs { get; init; } = new();

    public IReadOnlyList<string> LastLines { get; init; } = [];
}
