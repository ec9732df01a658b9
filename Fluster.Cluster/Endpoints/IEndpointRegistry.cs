namespace Fluster.Cluster;

/// <summary>Reads and changes the endpoints of a cluster.</summary>
public interface IEndpointRegistry : IEndpointReader
{
    /// <summary>Registers an endpoint for the current job's attempt. Returns when the controller has it on disk.</summary>
    /// <exception cref="InvalidOperationException">This code runs outside a job: see <see cref="OpenRegistrationAsync"/>.</exception>
    /// <exception cref="ClusterException">The attempt has ended (FailedPrecondition), is unknown (NotFound), or another owner holds the id (AlreadyExists).</exception>
    Task<RegisteredEndpoint> RegisterAsync(string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Opens a registration, for a process that is no job: it owns the endpoints that are registered through it. Needs a token of the role
    /// service or admin. Keep it, and dispose it when the process no longer serves.
    /// </summary>
    /// <param name="namespace">Where the names count. Default: the namespace of the current job, else of the client.</param>
    /// <param name="cancellationToken">Gives up opening it.</param>
    /// <exception cref="ClusterException">The controller refused it or cannot be reached.</exception>
    Task<IEndpointRegistration> OpenRegistrationAsync(Namespace? @namespace = null, CancellationToken cancellationToken = default);

    /// <summary>Removes an endpoint. Removing one that is gone is fine.</summary>
    Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default);
}
