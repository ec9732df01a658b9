namespace Fluster.Controller;

/// <summary>Endpoints of the state as the rest of Fluster knows them.</summary>
internal static class EndpointRecords
{
    public static RegisteredEndpoint ToDomain(this EndpointRecord endpoint) => new(endpoint.Id, endpoint.Namespace, endpoint.Name, endpoint.Address)
    {
        OwnerJob = endpoint.OwnerJob,
        OwnerFence = endpoint.Owner.Fence,
        OwnerRegistration = endpoint.Owner.Registration,
        Metadata = endpoint.Metadata.ToDictionary(StringComparer.Ordinal),
        RegisteredAt = DateTimeOffset.FromUnixTimeMilliseconds(endpoint.RegisteredAt),
    };
}
