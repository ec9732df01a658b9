namespace Fluster.Cluster;

/// <summary>What a watcher of endpoints has to take in.</summary>
public sealed record EndpointUpdate
{
    /// <summary>
    /// Forget what was known: <see cref="Registered"/> is all there is. So it is with the first update, and whenever the watcher fell too far behind or
    /// the controller was started again.
    /// </summary>
    public bool IsReset { get; init; }

    /// <summary>Endpoints that are there now. One whose id is known already replaces it.</summary>
    public IReadOnlyList<RegisteredEndpoint> Registered { get; init; } = [];

    /// <summary>Endpoints that are gone. They may not have been known.</summary>
    public IReadOnlyList<EndpointId> Removed { get; init; } = [];

    /// <summary>When it was so.</summary>
    public DateTimeOffset AsOf { get; init; }
}
