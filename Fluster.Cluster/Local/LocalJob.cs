namespace Fluster.Cluster;

/// <summary>A job of a <see cref="LocalClient"/>. What changes in it is guarded by the lock of <see cref="LocalJobs"/>.</summary>
internal sealed class LocalJob
{
    /// <summary>Grows with every job of the client: the order in which they came.</summary>
    public required long Number { get; init; }

    public required JobId Id { get; init; }

    /// <summary>The id without the number of the run: what a person asks for.</summary>
    public required JobId PlainId { get; init; }

    public required JobRequest Request { get; init; }

    public required Namespace Namespace { get; init; }

    public required JobPriority Priority { get; init; }

    /// <summary>The call to make, written down when the job was submitted; null: a command.</summary>
    public required byte[]? Invocation { get; init; }

    /// <summary>A copy of the working files, made when the job was submitted; null: none.</summary>
    public required string? Files { get; init; }

    /// <summary>The trace that it goes on with.</summary>
    public required V1.TraceContext? Trace { get; init; }

    public required LocalAttempt? Parent { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required LocalLog Log { get; init; }

    public required IReadOnlyList<LocalTask> Tasks { get; set; }

    public JobState State { get; set; } = JobState.Pending;

    public bool Stopping { get; set; }

    /// <summary>Why it stops.</summary>
    public KillCause StopCause { get; set; }

    /// <summary>What it ends as once it has stopped.</summary>
    public JobState Verdict { get; set; }

    public JobFailure? Failure { get; set; }

    public DateTimeOffset? StartedAt { get; set; }

    public DateTimeOffset? EndedAt { get; set; }

    /// <summary>Completes when the job has ended.</summary>
    public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsLive => !State.IsTerminal;

    /// <summary>All its tasks start together, and one that fails takes the others with it.</summary>
    public bool IsGang => Request.Coscheduled && Tasks.Count > 1;

    /// <summary>Of a gang: how often it failed, and whether its last try is still ending.</summary>
    public (int Failures, bool Broken) Gang { get; set; }
}

/// <summary>One task of a job.</summary>
internal sealed class LocalTask(LocalJob job, int index)
{
    public LocalJob Job { get; } = job;

    public int Index { get; } = index;

    public JobState State { get; set; } = JobState.Pending;

    public List<LocalAttempt> Attempts { get; } = [];

    /// <summary>The attempt that runs now.</summary>
    public LocalAttempt? Current { get; set; }

    public int Failures { get; set; }

    /// <summary>How often it was preempted; of a gang, the first task counts for all.</summary>
    public int Preemptions { get; set; }

    /// <summary>When it is tried again; null when it does not wait for that.</summary>
    public DateTimeOffset? RetryAt { get; set; }

    public byte[]? Result { get; set; }

    /// <summary>Nothing of its last attempt is in the way of another one.</summary>
    public bool IsReady => State == JobState.Pending && Current is null && RetryAt is null && (Attempts.Count == 0 || Attempts[^1].LiveChildren.Count == 0);
}

/// <summary>One attempt at a task.</summary>
#pragma warning disable CA1001 // The source has neither timer nor wait handle, and may be asked for its token at any time.
internal sealed class LocalAttempt(Fence fence, LocalTask task, LocalOutput output)
#pragma warning restore CA1001
{
    public Fence Fence { get; } = fence;

    public LocalTask Task { get; } = task;

    public LocalJob Job => Task.Job;

    /// <summary>What it writes.</summary>
    public LocalOutput Output { get; } = output;

    /// <summary>Cancelled when it is to end.</summary>
    public CancellationTokenSource Stop { get; } = new();

    public JobState State { get; set; } = JobState.Building;

    public KillCause? StopCause { get; set; }

    public bool TimedOut { get; set; }

    /// <summary>Once it is preempted: what its code is told.</summary>
    public PreemptionNotice? Preemption { get; set; }

    /// <summary>How long it has then; null: the usual grace.</summary>
    public TimeSpan? Notice { get; set; }

    public JobFailure? Failure { get; set; }

    public DateTimeOffset? StartedAt { get; set; }

    public DateTimeOffset? EndedAt { get; set; }

    public IReadOnlyDictionary<string, int> Ports { get; set; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>The jobs that it submitted and that have not ended.</summary>
    public HashSet<LocalJob> LiveChildren { get; } = [];

    /// <summary>How many waits for jobs below it are under way: meanwhile it lends its place.</summary>
    public int Waits { get; set; }

    public bool IsLive => !State.IsTerminal;

    public bool IsStopping => StopCause is not null || TimedOut;
}

/// <summary>How the code of an attempt ended.</summary>
/// <param name="Failure">Why it did not succeed; null when it did.</param>
/// <param name="Result">What it returned, as JSON; null when that is nothing.</param>
internal sealed record LocalEnd(JobFailure? Failure, byte[]? Result = null);
