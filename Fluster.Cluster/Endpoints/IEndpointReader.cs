namespace Fluster.Cluster;

/// <summary>Reads the endpoints of a cluster: through its controller, or from a copy that goes on without one.</summary>
public interface IEndpointReader
{
    /// <summary>All endpoints of exactly this name. Empty when there is none.</summary>
    Task<EndpointList> LookupAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default);

    /// <summary>All endpoints whose name begins with the prefix, by name.</summary>
    Task<EndpointList> ListAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default);

    /// <summary>The endpoints of exactly this name, and then every change of them, for as long as it is read. Goes on over restarts of the controller.</summary>
    IAsyncEnumerable<EndpointUpdate> WatchAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default);

    /// <summary>The endpoints whose name begins with the prefix, and then every change of them, for as long as it is read.</summary>
    IAsyncEnumerable<EndpointUpdate> WatchPrefixAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default);
}
