using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Leads from the context of a job, which knows nothing of actors, to those of its cluster.</summary>
public static class ContextResolver
{
    extension(FlusterContext context)
    {
        /// <summary>Finds actors in the cluster that runs this job, in the job's namespace.</summary>
        /// <exception cref="InvalidOperationException">No cluster runs it.</exception>
        public IActorResolver Resolver => new ClusterResolver(
            context.Controller ?? throw new InvalidOperationException(
                $"The context of {context.JobId} has no controller, so that there is no cluster in which actors could be found: use a FixedResolver with their addresses."),
            context.Namespace);
    }
}
