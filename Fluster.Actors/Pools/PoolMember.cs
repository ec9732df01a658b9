namespace Fluster.Actors;

/// <summary>One endpoint of a pool, with the way to it.</summary>
internal sealed class PoolMember(FixedRoute route, ResolvedEndpoint endpoint) : IDisposable
{
    private int _outstanding;

    public ResolvedEndpoint Endpoint { get; } = endpoint;

    public FixedRoute Route { get; } = route;

    /// <summary>Calls that were made and have not ended.</summary>
    public int Outstanding => Volatile.Read(ref _outstanding);

    public void Began() => Interlocked.Increment(ref _outstanding);

    public void Ended() => Interlocked.Decrement(ref _outstanding);

    /// <summary>It is no member any more.</summary>
    public void Retire() => Route.Retire();

    public void Dispose() => Route.Dispose();
}
