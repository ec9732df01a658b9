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

    /// <summary>The attempt that counts; none while it waits.</summary>
    public Fence Current => State is JobState.Building or JobState.Running ? Attempts[^1] : default;

    /// <summary>The task after an event. This table is the whole life of a task.</summary>
    public TaskRecord After(TaskEvent taskEvent) => (State, taskEvent) switch
    {
        ({ IsTerminal: true }, _) => this,

        (JobState.Pending, TaskEvent.Placed placed) => this with { State = JobState.Building, Attempts = Attempts.Add(placed.Fence) },
        (JobState.Pending, TaskEvent.Killed) => this with { State = JobState.Killed },

        (JobState.Building, TaskEvent.Started) => this with { State = JobState.Running },
        (JobState.Running, TaskEvent.Started) => this,

        // A short job may have ended before anybody saw it run.
        (JobState.Building or JobState.Running, TaskEvent.Succeeded succeeded) => this with { State = JobState.Succeeded, Result = succeeded.Result },
        (JobState.Building or JobState.Running, TaskEvent.WillRetry retry) => Counted(retry.Reason) with { State = JobState.Pending, NotBefore = retry.NotBefore },
        (JobState.Building or JobState.Running, TaskEvent.Failed) => Counted(Retry.Failure) with { State = JobState.Failed },
        (JobState.Building or JobState.Running, TaskEvent.WorkerFailed) => Counted(Retry.Loss) with { State = JobState.WorkerFailed },
        (JobState.Building or JobState.Running, TaskEvent.Killed) => this with { State = JobState.Killed },

        _ => throw new UnreachableException($"A task that is {State} cannot be {taskEvent.GetType().Name}."),
    };

    private TaskRecord Counted(Retry reason) => reason switch
    {
        Retry.Failure => this with { Failures = Failures + 1, FreeInARow = 0 },
        Retry.Loss => this with { Losses = Losses + 1, FreeInARow = 0 },
        _ => this with { FreeInARow = FreeInARow + 1 },
    };
}
