namespace Fluster.Cluster;

/// <summary>A job as it was when the controller answered. A snapshot.</summary>
public sealed record JobStatus
{
    /// <summary>The job's id.</summary>
    public required JobId Id { get; init; }

    /// <summary>The name it was submitted with.</summary>
    public required string Name { get; init; }

    /// <summary>Its namespace.</summary>
    public required Namespace Namespace { get; init; }

    /// <summary>Where it is in its life.</summary>
    public required JobState State { get; init; }

    /// <summary>A stop was asked for and is under way.</summary>
    public bool Stopping { get; init; }

    /// <summary>Why it did not succeed; null while it may and when it did.</summary>
    public JobFailure? Failure { get; init; }

    /// <summary>What it waits for while <see cref="JobState.Pending"/>.</summary>
    public string? PendingReason { get; init; }

    /// <summary>The number of its tasks.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>What it runs, as a person reads it.</summary>
    public string Entrypoint { get; init; } = "";

    /// <summary>What each task was given.</summary>
    public ResourceSpec Resources { get; init; } = new();

    /// <summary>When it was accepted.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its code first ran.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Its tasks by index. Empty in lists.</summary>
    public IReadOnlyList<JobTaskStatus> Tasks { get; init; } = [];

    /// <summary>The exit code of its program, when it has ended with one; 0 when it succeeded.</summary>
    public int? ExitCode => State == JobState.Succeeded ? 0 : Failure?.ExitCode;
}

/// <summary>One task of a job.</summary>
/// <param name="Index">Which one, from 0.</param>
/// <param name="State">Where it is in its life.</param>
/// <param name="Attempts">Its attempts, newest last.</param>
public sealed record JobTaskStatus(int Index, JobState State, IReadOnlyList<JobAttemptStatus> Attempts);

/// <summary>One attempt at a task.</summary>
/// <param name="Fence">Its number.</param>
/// <param name="Worker">Where it was placed.</param>
/// <param name="State">Where it is in its life.</param>
public sealed record JobAttemptStatus(Fence Fence, WorkerId Worker, JobState State)
{
    /// <summary>When its code began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When its process tree was gone.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Why it did not succeed.</summary>
    public JobFailure? Failure { get; init; }

    /// <summary>The ports that it was given, by name.</summary>
    public IReadOnlyDictionary<string, int> Ports { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);
}
