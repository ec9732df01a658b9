namespace Fluster.Cluster;

/// <summary>A name that leads to an address for as long as its owner lives.</summary>
/// <param name="Id">Made by whoever registered it.</param>
/// <param name="Namespace">Where the name counts.</param>
/// <param name="Name">The name; many endpoints may share one.</param>
/// <param name="Address">Where it leads, for example <c>10.0.0.3:30001</c>.</param>
public sealed record RegisteredEndpoint(EndpointId Id, Namespace Namespace, string Name, string Address)
{
    /// <summary>The job whose attempt owns it; null when a registration does.</summary>
    public JobId? OwnerJob { get; init; }

    /// <summary>The attempt that owns it; none when a registration does.</summary>
    public Fence OwnerFence { get; init; }

    /// <summary>The registration that owns it: of a process that is no job. Null when an attempt does.</summary>
    public RegistrationId? OwnerRegistration { get; init; }

    /// <summary>What its owner says of it.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>When it was registered.</summary>
    public DateTimeOffset RegisteredAt { get; init; }
}
