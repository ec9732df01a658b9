namespace Fluster.Cluster;

/// <summary>One machine and what was written on it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Status">What it is doing.</param>
/// <param name="Address">Where others of its network reach it; null while it has no address.</param>
/// <param name="Metadata">What was written on it, by key.</param>
public sealed record InstanceInfo(string Name, VmStatus Status, string? Address, IReadOnlyDictionary<string, string> Metadata);

/// <summary>The machines of a project in a cloud, and what is written on them (seed 001, stage 6).</summary>
public interface IInstanceDirectory
{
    /// <summary>All machines that there are now, whatever they are doing. Several calls at a time are fine.</summary>
    /// <exception cref="VmException">There is no list now, or none that is complete.</exception>
    IAsyncEnumerable<InstanceInfo> ListAsync(CancellationToken cancellationToken = default);

    /// <summary>Writes something on a machine, beside what others write there at the same time.</summary>
    /// <param name="name">Which one.</param>
    /// <param name="key">Letters, digits, '_' and '-'; fewer than 128.</param>
    /// <param name="value">Null takes it away.</param>
    /// <param name="cancellationToken">Gives up; it may be written all the same.</param>
    /// <exception cref="VmException">It was not written, or nobody knows.</exception>
    Task SetMetadataAsync(string name, string key, string? value, CancellationToken cancellationToken = default);
}
