using System.Collections.Immutable;
using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>What can happen to a task.</summary>
internal abstract record TaskEvent
{
    private TaskEvent()
    {
    }

    public sealed record Placed(Fence Fence) : TaskEvent;

    public sealed record Started : TaskEvent;

    public sealed record Succeeded(ResultRecord? Result) : TaskEvent;

    /// <summary>A member of a gang has succeeded; that counts once all members have.</summary>
    public sealed record Arrived(ResultRecord? Result) : TaskEvent;

    /// <summary>Another member of its gang has not succeeded: the whole generation is tried again at <paramref name="NotBefore"/>.</summary>
    public sealed record GangFell(Retry Reason, long NotBefore) : TaskEvent;

    /// <summary>The attempt of a member whose generation fell has ended, however it did.</summary>
    public sealed record Followed : TaskEvent;

    /// <summary>Its attempt ended, and it gets another one at <paramref name="NotBefore"/> (cluster time).</summary>
    public sealed record WillRetry(Retry Reason, long NotBefore) : TaskEvent;

    public sealed record Failed : TaskEvent;

    public sealed record WorkerFailed : TaskEvent;

    public sealed record Killed : TaskEvent;
}

/// <summary>Which budget a retry is taken from.</summary>
internal enum Retry
{
    /// <summary>The job's own fault.</summary>
    Failure,

    /// <summary>Preempted, or its worker was lost.</summary>
    Loss,

    /// <summary>The cluster's fault before or outside user code: free.</summary>
    Free,
}

/// <summary>How a member of a gang stands to the others. Tasks that are no members are always <see cref="With"/>.</summary>
internal enum GangPart
{
    /// <summary>As its state says.</summary>
    With,

    /// <summary>Its attempt has succeeded, and it waits for the others; it counts as running until then.</summary>
    Arrived,

    /// <summary>The generation has failed and this retry is counted; its own attempt was asked to stop and has not ended yet.</summary>
    Fallen,
}

/// <summary>What a task returned: the bytes themselves when few, else the blob that has them.</summary>
internal sealed record ResultRecord(ReadOnlyMemory<byte> Inline, string BlobHash, long Size);

/// <summary>One task of a job. There is no record before its first attempt.</summary>
internal sealed record TaskRecord
{
    public required long Uid { get; init; }

    public required long JobUid { get; init; }

    public required int Index { get; init; }

    public JobState State { get; init; } = JobState.Pending;

    /// <summary>All its attempts, newest last.</summary>
    public ImmutableArray<Fence> Attempts { get; init; } = [];

    /// <summary>Attempts that ended by the job's own fault.</summary>
    public int Failures { get; init; }

    /// <summary>Attempts that ended by preemption or with their worker.</summary>
    public int Losses { get; init; }

    /// <summary>Free retries in a row; anything else sets it back.</summary>
    public int FreeInARow { get; init; }

    /// <summary>Cluster time before which it is not placed again.</summary>
    public long NotBefore { get; init; }

    /// <summary>Live jobs that its attempts submitted. While there are any, the next attempt waits.</summary>
    public int LiveChildren { get; init; }

    public ResultRecord? Result { get; init; }

    /// <summary>How it stands to its gang.</summary>
    public GangPart Part { get; init; }

    /// <summary>The attempt that counts; none while it waits, for a place or for its gang.</summary>
    public Fence Current => State is JobState.Building or JobState.Running && Part != GangPart.Arrived ? Attempts[^1] : default;

    /// <summary>The task after an event. This table is the whole life of a task.</summary>
    public TaskRecord After(TaskEvent taskEvent) => (State, taskEvent) switch
    {
        ({ IsTerminal: true }, _) => this,

        (JobState.Pending, TaskEvent.Placed placed) => this with { State = JobState.Building, Attempts = Attempts.Add(placed.Fence) },
        (JobState.Pending, TaskEvent.Killed) => this with { State = JobState.Killed },

        (JobState.Building, TaskEvent.Started) => this with { State = JobState.Running },
        (JobState.Running, TaskEvent.Started) => this,

        // A short job may have ended before anybody saw it run.
        (JobState.Building or JobState.Running, TaskEvent.Succeeded succeeded) => this with { State = JobState.Succeeded, Result = succeeded.Result, Part = GangPart.With },
        (JobState.Building or JobState.Running, TaskEvent.Arrived arrived) => this with { State = JobState.Running, Result = arrived.Result, Part = GangPart.Arrived },
        (JobState.Building or JobState.Running, TaskEvent.GangFell fell) => Part == GangPart.Arrived
            ? Counted(fell.Reason) with { State = JobState.Pending, NotBefore = fell.NotBefore, Result = null, Part = GangPart.With }
            : Counted(fell.Reason) with { NotBefore = fell.NotBefore, Part = GangPart.Fallen },
        (JobState.Building or JobState.Running, TaskEvent.Followed) when Part == GangPart.Fallen => this with { State = JobState.Pending, Part = GangPart.With },
        (JobState.Building or JobState.Running, TaskEvent.WillRetry retry) => Counted(retry.Reason) with { State = JobState.Pending, NotBefore = retry.NotBefore },
        (JobState.Building or JobState.Running, TaskEvent.Failed) => Counted(Retry.Failure) with { State = JobState.Failed },
        (JobState.Building or JobState.Running, TaskEvent.WorkerFailed) => Counted(Retry.Loss) with { State = JobState.WorkerFailed },
        (JobState.Building or JobState.Running, TaskEvent.Killed) => this with { State = JobState.Killed, Result = null, Part = GangPart.With },

        _ => throw new UnreachableException($"A task that is {State} cannot be {taskEvent.GetType().Name}."),
    };

    private TaskRecord Counted(Retry reason) => reason switch
    {
        Retry.Failure => this with { Failures = Failures + 1, FreeInARow = 0 },
        Retry.Loss => this with { Losses = Losses + 1, FreeInARow = 0 },
        _ => this with { FreeInARow = FreeInARow + 1 },
    };
}
