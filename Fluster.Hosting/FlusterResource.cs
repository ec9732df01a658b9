using Aspire.Hosting.ApplicationModel;

namespace Fluster.Hosting;

/// <summary>A Fluster cluster: a controller and the workers of this machine. It is no process itself; it runs when they are healthy.</summary>
public sealed class FlusterResource : Resource, IResourceWithWaitSupport
{
    private readonly List<ProjectResource> _workers = [];

    internal FlusterResource(string name, string dataDirectory)
        : base(name) => Data = new ClusterData(dataDirectory);

    /// <summary>The controller, once it was named.</summary>
    public ProjectResource? Controller { get; internal set; }

    /// <summary>The workers.</summary>
    public IReadOnlyList<ProjectResource> Workers => _workers;

    /// <summary>Where the cluster projects its endpoints; null for nowhere.</summary>
    public IResourceWithConnectionString? Registry { get; internal set; }

    internal IResourceBuilder<ProjectResource>? ControllerBuilder { get; set; }

    internal IResourceBuilder<IResourceWithConnectionString>? RegistryBuilder { get; set; }

    internal ClusterData Data { get; set; }

    internal bool StartsFresh { get; set; }

    internal void Add(ProjectResource worker) => _workers.Add(worker);
}
