using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Makes clients of the actors of a cluster; for services that have actors injected. The clients are the caller's to dispose.</summary>
public interface IActorClientFactory
{
    /// <summary>A client of an actor that is found by its name.</summary>
    /// <param name="actor">The actor's name.</param>
    /// <param name="namespace">Where the name counts. Default: that of the current job, else of the service's client.</param>
    /// <param name="options">How calls are made.</param>
    ActorClient<T> CreateClient<T>(string actor, Namespace? @namespace = null, ActorCallOptions? options = null)
        where T : class;

    /// <summary>A client of all actors of a name.</summary>
    /// <param name="actor">Their name.</param>
    /// <param name="namespace">Where the name counts. Default: that of the current job, else of the service's client.</param>
    /// <param name="options">How calls are made.</param>
    ActorPool<T> CreatePool<T>(string actor, Namespace? @namespace = null, ActorPoolOptions? options = null)
        where T : class;
}

/// <summary>Clients over the endpoints of one cluster.</summary>
internal sealed class ClusterActorClientFactory(IClusterController controller) : IActorClientFactory
{
    private readonly ClusterResolver _resolver = new(controller);

    public ActorClient<T> CreateClient<T>(string actor, Namespace? @namespace = null, ActorCallOptions? options = null)
        where T : class => new(_resolver, actor, @namespace, options);

    public ActorPool<T> CreatePool<T>(string actor, Namespace? @namespace = null, ActorPoolOptions? options = null)
        where T : class => new(_resolver, actor, @namespace, options);
}
