namespace Fluster.Cluster;

/// <summary>One running machine and what was written on it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Where it is reached.</param>
/// <param name="Metadata">What was written on it, by key.</param>
public sealed record InstanceInfo(string Name, string Address, IReadOnlyDictionary<string, string> Metadata);

/// <summary>Lists the running machines of a project in a cloud (seed 001, stage 7).</summary>
public interface IInstanceDirectory
{
    /// <summary>The machines that run now and have an address. Several calls at a time are fine.</summary>
    /// <exception cref="VmException">There is no list now.</exception>
    IAsyncEnumerable<InstanceInfo> ListAsync(CancellationToken cancellationToken = default);
}
