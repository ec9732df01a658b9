namespace Fluster.Controller;

/// <summary>A process that is no job and owns endpoints, for as long as it is heard of.</summary>
internal sealed record RegistrationRecord
{
    public required long Uid { get; init; }

    public required RegistrationId Id { get; init; }

    public required Namespace Namespace { get; init; }

    /// <summary>It closed or was silent for too long. Until it is forgotten its id is refused.</summary>
    public bool Ended { get; init; }

    /// <summary>Cluster time at which an ended one is forgotten; 0: it is live.</summary>
    public long ForgetDue { get; init; }

    /// <summary>Wall clock, milliseconds since 1970.</summary>
    public long OpenedAt { get; init; }

    public EndpointOwner Owner => new(default, Id);
}
