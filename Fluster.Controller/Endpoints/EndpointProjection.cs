using System.Collections.Frozen;
using Fluster.Redis;

namespace Fluster.Controller;

/// <summary>Lets the projector, when there is a Redis, follow the commits that change endpoints.</summary>
internal sealed class EndpointProjection : ICommitListener
{
    private readonly EndpointProjector? _projector;

    public EndpointProjection(IServiceProvider services, ClusterLoop loop, TimeProvider time, ILoggerFactory loggers)
    {
        var meta = loop.Current.Meta;
        _projector = EndpointProjector.TryCreate(services, meta.ClusterId, meta.Epoch, () => new View(loop.Current), time, loggers.CreateLogger<EndpointProjector>());
    }

    /// <summary>Where endpoints are kept, for people.</summary>
    public string Description => _projector?.State switch
    {
        null => "memory",
        ProjectionState.Unreachable => "redis (unreachable)",
        _ => "redis",
    };

    public void OnCommitted(ClusterState state, Batch batch)
    {
        if (batch.EndpointKeys.Count > 0)
        {
            _projector?.Enqueue(batch.EndpointKeys.Select(key => new EndpointName(key.Namespace, key.Name)));
        }
    }

    public Task RunAsync(CancellationToken cancellationToken) => _projector?.RunAsync(cancellationToken) ?? Task.CompletedTask;

    private sealed class View(ClusterState state) : IEndpointView
    {
        public long Version => state.Meta.EndpointVersion;

        public IReadOnlyList<RegisteredEndpoint> Named(EndpointName name) =>
            [.. state.Endpoints.Named(new EndpointKey(name.Namespace, name.Name)).Select(endpoint => endpoint.ToDomain())];

        public IEnumerable<EndpointName> Names() => state.Endpoints.All.Select(endpoint => new EndpointName(endpoint.Namespace, endpoint.Name)).ToFrozenSet();
    }
}
