using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fluster.Hosting;

/// <summary>
/// A Fluster cluster: a controller and the workers of this machine. It is no process itself; it runs when they are healthy.
/// A service that references it gets what <c>AddFlusterClient</c> reads.
/// </summary>
public sealed class FlusterResource : Resource, IResourceWithConnectionString, IResourceWithWaitSupport
{
    private readonly List<IResource> _workers = [];
    private readonly List<FlusterBackend> _backends = [];
    private readonly ParameterResource _token;
    private readonly ParameterResource _publicKey;

    internal FlusterResource(string name, string dataDirectory)
        : base(name)
    {
        Data = new ClusterData(dataDirectory);
        _token = new ParameterResource($"{name}-service-token", _ => Data.Key.SignService(TimeProvider.System.GetUtcNow()), secret: true);
        _publicKey = new ParameterResource($"{name}-public-key", _ => Data.Key.PublicText);
    }

    /// <summary>
    /// <c>Endpoint=http://localhost:…;Http=http://localhost:…;Token=…;Namespace=default;ClusterKey=…</c>: the controller, a token of the role "service" that lasts
    /// 30 days from the start of the AppHost, and the key that tokens are checked with.
    /// </summary>
    /// <exception cref="DistributedApplicationException">The cluster has no controller.</exception>
    public ReferenceExpression ConnectionStringExpression => Controller is { } controller
        ? ReferenceExpression.Create($"Endpoint={new EndpointReference(controller, "grpc").Property(EndpointProperty.Url)};Http={new EndpointReference(controller, "http").Property(EndpointProperty.Url)};Token={_token};Namespace={ClusterKey.DefaultNamespace};ClusterKey={_publicKey}")
        : throw new DistributedApplicationException($"'{Name}' has no controller that a service could be told of: call WithWorkers, WithBackend or WithController before WithReference.");

    /// <summary>The controller, once it was named.</summary>
    public IResourceWithEndpoints? Controller { get; internal set; }

    /// <summary>The workers.</summary>
    public IReadOnlyList<IResource> Workers => _workers;

    /// <summary>Where it gets machines from when its workers are not enough.</summary>
    public IReadOnlyList<FlusterBackend> Backends => _backends;

    /// <summary>Where the cluster projects its endpoints; null for nowhere.</summary>
    public IResourceWithConnectionString? Registry { get; internal set; }

    internal IResourceBuilder<IResourceWithEnvironment>? ControllerBuilder { get; set; }

    internal IResourceBuilder<IResourceWithConnectionString>? RegistryBuilder { get; set; }

    internal ClusterData Data { get; set; }

    internal bool StartsFresh { get; set; }

    internal void Add(IResource worker) => _workers.Add(worker);

    internal void Add(FlusterBackend backend) => _backends.Add(backend);
}
