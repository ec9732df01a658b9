using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>How a <see cref="WorkerPool"/> works.</summary>
public sealed record WorkerPoolOptions
{
    /// <summary>What the workers' names begin with. Default: "worker" (seed 003).</summary>
    public string NamePrefix { get; init; } = "worker";

    /// <summary>Variables, working files, image and set-up commands of the workers' jobs.</summary>
    public JobEnvironment Environment { get; init; } = new();

    /// <summary>Which jobs go first, for the workers' jobs. Default: as for any job.</summary>
    public JobPriority? Priority { get; init; }

    /// <summary>
    /// An item that may have begun is never run again: when its worker is lost it ends with <see cref="OutcomeUnknownException"/>. Default: false; it
    /// is run again on another worker, so that it may run more than once, and has one result.
    /// </summary>
    public bool AtMostOnce { get; init; }

    /// <summary>
    /// The most items that a worker has at hand while it runs one, so that it need not wait for the next to travel. There are that many only while
    /// items are quick: what waits behind a slow one is given to others. Default: 512; with <see cref="AtMostOnce"/> always 1.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int Prefetch
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A worker has at least the item that it runs.");
    } = 512;
}

/// <summary>A worker pool as it was when it was asked.</summary>
public sealed record WorkerPoolStatus
{
    /// <summary>How many workers the pool is to have.</summary>
    public int Workers { get; init; }

    /// <summary>Those that can run items now.</summary>
    public int Ready { get; init; }

    /// <summary>Those that were given up: their jobs could not be started again and again.</summary>
    public int Dead { get; init; }

    /// <summary>Items that no worker has.</summary>
    public int Queued { get; init; }

    /// <summary>Items that workers have: one of each runs.</summary>
    public int Running { get; init; }

    /// <summary>Items that returned.</summary>
    public long Succeeded { get; init; }

    /// <summary>Items that ended otherwise.</summary>
    public long Failed { get; init; }

    /// <summary>How often an item was given to another worker, because the first was lost.</summary>
    public long RunAgain { get; init; }
}
