namespace Fluster.Cluster;

/// <summary>
/// Owns the endpoints of a process that is no job. They are there for as long as the process is and the registration is not disposed: when the
/// cluster has not heard from it for some seconds, they vanish, and when it is heard again, they come back.
/// </summary>
public interface IEndpointRegistration : IAsyncDisposable
{
    /// <summary>Where the names of its endpoints count.</summary>
    Namespace Namespace { get; }

    /// <summary>Registers an endpoint. Returns when the controller has it on disk.</summary>
    /// <exception cref="ClusterException">The controller refused it or cannot be reached.</exception>
    Task<RegisteredEndpoint> RegisterAsync(string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>Removes an endpoint of this registration. Removing one that is gone is fine.</summary>
    Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default);
}
