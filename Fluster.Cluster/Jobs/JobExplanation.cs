namespace Fluster.Cluster;

/// <summary>What a job that waits for a place is held up by.</summary>
public enum PendingCause
{
    /// <summary>It does not wait for a place: all its tasks have one, or it has ended.</summary>
    None = 0,

    /// <summary>There is room for it: it is about to be placed.</summary>
    Placing = 1,

    /// <summary>There are no workers.</summary>
    NoWorkers = 2,

    /// <summary>The workers that could hold it take no work: lost, silent, draining, set aside, out of disk.</summary>
    Unavailable = 3,

    /// <summary>No worker has the device that it asks for.</summary>
    Device = 4,

    /// <summary>Workers that could hold it are in other regions than it allows.</summary>
    Region = 5,

    /// <summary>Workers that could hold it can be taken away at any moment, and it does not allow that.</summary>
    Preemptible = 6,

    /// <summary>It asks for more than any worker has.</summary>
    TooLarge = 7,

    /// <summary>Its tasks have to run at once, and all workers together cannot hold them.</summary>
    GangTooLarge = 8,

    /// <summary>What it asks for is in use.</summary>
    Resources = 9,

    /// <summary>The workers that could hold it run as many jobs as they may.</summary>
    Concurrency = 10,

    /// <summary>Its tasks have to run at once, and there is room for only some of them now.</summary>
    Gang = 11,

    /// <summary>The room that there is is kept for a job that has waited longer.</summary>
    Reserved = 12,

    /// <summary>Its last attempt failed a moment ago: the next one waits.</summary>
    BackOff = 13,

    /// <summary>Jobs that its last attempt submitted have not ended yet.</summary>
    Children = 14,

    /// <summary>Processes of its last attempt may still be there.</summary>
    LastAttempt = 15,

    /// <summary>It is being stopped and gets no place any more.</summary>
    Stopping = 16,

    /// <summary>It names an image, and no worker that could hold it has a container engine that answers.</summary>
    ContainerEngine = 17,
}

/// <summary>Why a job is where it is: what holds it up, who has what it needs, and the smallest change that would let it run.</summary>
public sealed record JobExplanation
{
    /// <summary>The job.</summary>
    public required JobId Job { get; init; }

    /// <summary>Its state at that moment.</summary>
    public required JobState State { get; init; }

    /// <summary>What holds it up.</summary>
    public required PendingCause Cause { get; init; }

    /// <summary>The task that this is about; null when it is about all of them.</summary>
    public int? TaskIndex { get; init; }

    /// <summary>The same as a sentence for a person.</summary>
    public required string Reason { get; init; }

    /// <summary>The smallest change that would let it run, as a sentence; null when only time helps, or nothing has to change.</summary>
    public string? Change { get; init; }

    /// <summary>What it could ask for instead; null when that would not help.</summary>
    public ResourceSpec? Suggested { get; init; }

    /// <summary>How long it waits for sure; null when that depends on others.</summary>
    public TimeSpan? Wait { get; init; }

    /// <summary>Who has what it waits for: the fewest that would have to end.</summary>
    public IReadOnlyList<ResourceHolder> Holders { get; init; } = [];

    /// <summary>What speaks against each worker.</summary>
    public IReadOnlyList<WorkerVerdict> Workers { get; init; } = [];
}

/// <summary>A task that has what another one waits for.</summary>
/// <param name="Job">Its job; null when the asker may not see it.</param>
/// <param name="TaskIndex">Which task.</param>
/// <param name="Worker">Where it is; null when it waits itself.</param>
/// <param name="Resources">What it has.</param>
/// <param name="Stopping">It ends soon anyway.</param>
public sealed record ResourceHolder(JobId? Job, int TaskIndex, WorkerId? Worker, ResourceSpec Resources, bool Stopping);

/// <summary>What speaks against running a job on a worker.</summary>
/// <param name="Worker">The worker.</param>
/// <param name="Reason">As a sentence that begins with the worker: "has 2 cores". Empty: nothing.</param>
public sealed record WorkerVerdict(WorkerId Worker, string Reason);
