namespace Fluster.Cluster;

/// <summary>Reads the endpoints of a cluster.</summary>
public interface IEndpointReader
{
    /// <summary>All endpoints of exactly this name. Empty when there is none.</summary>
    Task<IReadOnlyList<RegisteredEndpoint>> LookupAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default);

    /// <summary>All endpoints whose name begins with the prefix, by name.</summary>
    Task<IReadOnlyList<RegisteredEndpoint>> ListAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default);
}

/// <summary>Reads and changes the endpoints of a cluster.</summary>
public interface IEndpointRegistry : IEndpointReader
{
    /// <summary>Registers an endpoint for the current job's attempt. Returns when the controller has it on disk.</summary>
    /// <exception cref="ClusterException">The attempt has ended (FailedPrecondition), is unknown (NotFound), or another owner holds the id (AlreadyExists).</exception>
    Task<RegisteredEndpoint> RegisterAsync(string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>Removes an endpoint. Removing one that is gone is fine.</summary>
    Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default);
}
