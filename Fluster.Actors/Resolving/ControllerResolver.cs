using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Leads from a cluster, which knows nothing of actors, to those that it has.</summary>
public static class ControllerResolver
{
    extension(IClusterController controller)
    {
        /// <summary>Finds actors in this cluster.</summary>
        /// <param name="namespace">Where names count. Default: the namespace of the current context, outside of jobs that of the client.</param>
        public IActorResolver Resolver(Namespace? @namespace = null) => new ClusterResolver(controller, @namespace);
    }
}
