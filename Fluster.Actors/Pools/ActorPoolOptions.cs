namespace Fluster.Actors;

/// <summary>How an <see cref="ActorPool{T}"/> makes its calls.</summary>
public sealed record ActorPoolOptions
{
    /// <summary>Which member a call goes to. Default: <see cref="PoolBalancing.RoundRobin"/>.</summary>
    public PoolBalancing Balancing { get; init; }

    /// <summary>
    /// How each call is made. Nothing is called again elsewhere: when it is not known whether a call ran, or its member is gone, the caller
    /// is told, and decides (seed 001).
    /// </summary>
    public ActorCallOptions Calls { get; init; } = new();
}

/// <summary>Which member of a pool a call goes to.</summary>
public enum PoolBalancing
{
    /// <summary>Each in its turn. The turn does not begin anew when members come or go.</summary>
    RoundRobin,

    /// <summary>
    /// The one with the fewest calls of this pool that have not ended; among equals each in its turn. A slow member gets less, as soon as there are
    /// at least as many calls at a time as members.
    /// </summary>
    LeastOutstanding,
}
