using Google.Protobuf.WellKnownTypes;

namespace Fluster.Cluster;

/// <summary>Endpoints to and from their messages.</summary>
internal static class EndpointWire
{
    public static V1.Endpoint ToWire(this RegisteredEndpoint endpoint)
    {
        var message = new V1.Endpoint
        {
            EndpointId = endpoint.Id.ToString(),
            Namespace = endpoint.Namespace.ToString(),
            Name = endpoint.Name,
            Address = endpoint.Address,
            OwnerJobId = endpoint.OwnerJob?.ToString() ?? "",
            OwnerFence = endpoint.OwnerFence.Value,
            OwnerRegistrationId = endpoint.OwnerRegistration?.ToString() ?? "",
            RegisteredAt = endpoint.RegisteredAt == default ? null : endpoint.RegisteredAt.ToTimestamp(),
        };
        message.Metadata.Add(endpoint.Metadata.ToDictionary());
        return message;
    }

    /// <exception cref="FormatException">An id or a name in it cannot be read.</exception>
    public static RegisteredEndpoint ToDomain(this V1.Endpoint message) =>
        new(EndpointId.Parse(message.EndpointId), Namespace.Parse(message.Namespace), message.Name, message.Address)
        {
            OwnerJob = message.OwnerJobId.Length > 0 ? JobId.Parse(message.OwnerJobId) : null,
            OwnerFence = new Fence(message.OwnerFence),
            OwnerRegistration = message.OwnerRegistrationId.Length > 0 ? RegistrationId.Parse(message.OwnerRegistrationId) : null,
            Metadata = message.Metadata.ToDictionary(StringComparer.Ordinal),
            RegisteredAt = message.RegisteredAt?.ToDateTimeOffset() ?? default,
        };
}
