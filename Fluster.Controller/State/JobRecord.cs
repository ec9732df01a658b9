namespace Fluster.Controller;

/// <summary>What a job asked for and what never changes about it, as far as the rules need to know it.</summary>
internal sealed record JobTerms
{
    public required string Name { get; init; }

    public int Replicas { get; init; } = 1;

    public ResourceShape Shape { get; init; } = ResourceShape.None;

    /// <summary>Null only in a request that leaves it to the parent.</summary>
    public JobPriority? Priority { get; init; } = JobPriority.Interactive;

    /// <summary>How often a task is tried again after it failed.</summary>
    public int FailureRetries { get; init; }

    /// <summary>How often a task is tried again after a preemption or the loss of its worker.</summary>
    public int LossRetries { get; init; } = 100;

    /// <summary>Milliseconds of cluster time; 0: never.</summary>
    public long SchedulingTimeout { get; init; }

    /// <summary>Milliseconds; 0: never. The worker enforces it, the machine 30 s later if the worker did not.</summary>
    public long ExecutionTimeout { get; init; }

    public bool Coscheduled { get; init; }

    /// <summary>Tasks that make up one slice of a device of several machines, and are placed together; 1: none.</summary>
    public int SliceSize { get; init; } = 1;

    public bool Exclusive { get; init; }

    public bool KeepChildren { get; init; }

    /// <summary>
    /// Tasks that are placed all at once or not at all, and end together: those from a multiple of it up to the next. 1: each for itself.
    /// </summary>
    public int GangSize => Coscheduled ? Replicas : SliceSize;

    public bool HasGangs => GangSize > 1;
}

/// <summary>One job. Its tasks have the uids <see cref="FirstTask"/> and following, one for each replica.</summary>
internal sealed record JobRecord
{
    public required long Uid { get; init; }

    public required JobId Id { get; init; }

    public required string RequestId { get; init; }

    public required Namespace Namespace { get; init; }

    public required JobTerms Terms { get; init; }

    /// <summary>The request as it came (a serialized JobSpec): read when an attempt starts, never by the rules.</summary>
    public required ReadOnlyMemory<byte> Request { get; init; }

    /// <summary>The serialized trace context of the submitter.</summary>
    public ReadOnlyMemory<byte> Trace { get; init; }

    /// <summary>0: a root job.</summary>
    public long ParentUid { get; init; }

    /// <summary>The parent's attempt that submitted it: when that ends, so does this job.</summary>
    public Fence ParentFence { get; init; }

    /// <summary>1 for the first child of its name, then 2, 3, ... (the number after '~').</summary>
    public int Generation { get; init; } = 1;

    /// <summary>The child of the same name before this one; 0: none.</summary>
    public long PreviousUid { get; init; }

    public long FirstTask { get; init; }

    public JobState State { get; init; } = JobState.Pending;

    /// <summary>A stop was recorded: no new attempts, children or endpoints, and the job ends as <see cref="Verdict"/>.</summary>
    public bool Stopping { get; init; }

    /// <summary>What the job will have been once all its attempts have ended. Only with <see cref="Stopping"/>.</summary>
    public JobState Verdict { get; init; }

    /// <summary>Why its live attempts are stopped. Only with <see cref="Stopping"/>.</summary>
    public KillCause StopCause { get; init; }

    /// <summary>Why it did not succeed, or will not.</summary>
    public JobFailure? Failure { get; init; }

    /// <summary>Tasks placed and not yet running.</summary>
    public int Building { get; init; }

    public int Running { get; init; }

    public int Succeeded { get; init; }

    /// <summary>Tasks that ended other than Succeeded.</summary>
    public int Ended { get; init; }

    /// <summary>Cluster time at which it was submitted.</summary>
    public long QueuedAt { get; init; }

    /// <summary>Cluster time at which a task that still waits makes the job Unschedulable; 0: never.</summary>
    public long SchedulingDue { get; init; }

    /// <summary>Wall clock, milliseconds since 1970; 0: not yet.</summary>
    public long CreatedAt { get; init; }

    public long StartedAt { get; init; }

    public long EndedAt { get; init; }

    public bool IsLive => !State.IsTerminal;

    /// <summary>Tasks without a current attempt that may still get one.</summary>
    public int Waiting => Terms.Replicas - Building - Running - Succeeded - Ended;

    /// <summary>The furthest that any of its tasks has come; not for jobs that have ended.</summary>
    public JobState Furthest => this switch
    {
        { Running: > 0 } => JobState.Running,
        { Building: > 0 } => JobState.Building,
        _ => JobState.Pending,
    };
}
