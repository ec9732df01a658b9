using System.Collections.Immutable;
using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>What can happen to an attempt.</summary>
internal abstract record AttemptEvent
{
    private AttemptEvent()
    {
    }

    public sealed record Prepared(ImmutableArray<PortRecord> Ports) : AttemptEvent;

    public sealed record Started(ImmutableArray<PortRecord> Ports) : AttemptEvent;

    public sealed record StopAsked(KillCause Cause) : AttemptEvent;

    /// <summary>It ran too long, and its worker did not see to it.</summary>
    public sealed record TimedOut : AttemptEvent;

    public sealed record Succeeded(LogTotalsRecord Logs) : AttemptEvent;

    public sealed record Failed(JobFailure Failure, LogTotalsRecord Logs) : AttemptEvent;

    public sealed record Killed(JobFailure Failure, LogTotalsRecord Logs) : AttemptEvent;

    /// <summary>Nobody will tell how it ended.</summary>
    public sealed record Lost(JobFailure Failure) : AttemptEvent;

    /// <summary>Its whole process tree is known to be gone.</summary>
    public sealed record Died : AttemptEvent;
}

internal readonly record struct PortRecord(string Name, int Port);

/// <summary>What an attempt wrote in all.</summary>
internal sealed record LogTotalsRecord(long Chunks, long StdoutLines, long StderrLines, long BuildLines, bool UnknownTail)
{
    /// <summary>It wrote nothing.</summary>
    public static LogTotalsRecord None { get; } = new(0, 0, 0, 0, UnknownTail: false);

    /// <summary>Nobody can say; there may be more than what arrived.</summary>
    public static LogTotalsRecord Unknown { get; } = new(0, 0, 0, 0, UnknownTail: true);

    public long Lines => StdoutLines + StderrLines + BuildLines;
}

/// <summary>One placement of a task on a worker. Its uid is the counter of its fence.</summary>
internal sealed record AttemptRecord
{
    public required Fence Fence { get; init; }

    public required long JobUid { get; init; }

    public required int TaskIndex { get; init; }

    public required long WorkerUid { get; init; }

    /// <summary>Its name. The worker's record goes with its machine, and attempts stay for as long as their job.</summary>
    public required WorkerId Worker { get; init; }

    /// <summary>The incarnation of the worker that has it. Never started by a later one.</summary>
    public required ulong Incarnation { get; init; }

    /// <summary>Which attempt at its task, from 1.</summary>
    public int Number { get; init; } = 1;

    /// <summary>The GPUs of its worker that are its own until it is known to be dead.</summary>
    public GpuSet Gpus { get; init; }

    public JobState State { get; init; } = JobState.Building;

    /// <summary>The worker gave word that its process tree is gone, or that it never had one: what it held is free again.</summary>
    public bool Dead { get; init; }

    /// <summary>Why it is asked to stop; null while it is not.</summary>
    public KillCause? StopCause { get; init; }

    /// <summary>It is asked to stop because it ran too long.</summary>
    public bool TimedOut { get; init; }

    public ImmutableArray<PortRecord> Ports { get; init; } = [];

    public JobFailure? Failure { get; init; }

    /// <summary>Set when it has ended.</summary>
    public LogTotalsRecord? Logs { get; init; }

    /// <summary>Cluster time at which the machine stops it if the worker has not; 0: never.</summary>
    public long ExecutionDue { get; init; }

    /// <summary>Wall clock, milliseconds since 1970; 0: not yet.</summary>
    public long PlacedAt { get; init; }

    public long StartedAt { get; init; }

    public long EndedAt { get; init; }

    public long Uid => Fence.Counter;

    public bool IsLive => !State.IsTerminal;

    public bool IsStopping => IsLive && (StopCause is not null || TimedOut);

    /// <summary>The attempt after an event. This table is the whole life of an attempt.</summary>
    public AttemptRecord After(AttemptEvent attemptEvent, ClusterNow now) => (State, attemptEvent) switch
    {
        // However it ended, its death is news until it is known; everything else comes too late.
        ({ IsTerminal: true }, AttemptEvent.Died) => Dead ? this : this with { Dead = true },
        ({ IsTerminal: true }, _) => this,

        (JobState.Building, AttemptEvent.Prepared prepared) => prepared.Ports.IsEmpty || SamePorts(prepared.Ports) ? this : this with { Ports = prepared.Ports },
        (JobState.Running, AttemptEvent.Prepared) => this,

        (JobState.Building, AttemptEvent.Started started) => this with
        {
            State = JobState.Running,
            StartedAt = now.Wall,
            Ports = started.Ports.IsEmpty ? Ports : started.Ports,
        },
        (JobState.Running, AttemptEvent.Started) => this,

        (_, AttemptEvent.StopAsked asked) => StopCause is null ? this with { StopCause = asked.Cause } : this,

        (_, AttemptEvent.TimedOut) => this with { TimedOut = true, ExecutionDue = 0 },

        (_, AttemptEvent.Succeeded succeeded) => Ended(JobState.Succeeded, null, succeeded.Logs, now),
        (_, AttemptEvent.Failed failed) => Ended(JobState.Failed, failed.Failure, failed.Logs, now),
        (_, AttemptEvent.Killed killed) => Ended(JobState.Killed, killed.Failure, killed.Logs, now),
        (_, AttemptEvent.Lost lost) => Ended(JobState.WorkerFailed, lost.Failure, LogTotalsRecord.Unknown, now),

        (_, AttemptEvent.Died) => throw new UnreachableException("An attempt ends before its death is recorded."),
        _ => throw new UnreachableException($"An attempt that is {State} cannot be {attemptEvent.GetType().Name}."),
    };

    private AttemptRecord Ended(JobState state, JobFailure? failure, LogTotalsRecord logs, ClusterNow now) =>
        this with { State = state, Failure = failure, Logs = logs, EndedAt = now.Wall, ExecutionDue = 0 };

    private bool SamePorts(ImmutableArray<PortRecord> ports) => Ports.AsSpan().SequenceEqual(ports.AsSpan());
}
