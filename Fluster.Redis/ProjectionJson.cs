using System.Text.Json;
using System.Text.Json.Serialization;
using Fluster.Cluster;

namespace Fluster.Redis;

/// <summary>One endpoint as it is written into Redis.</summary>
internal sealed record ProjectedEndpoint
{
    public required string Id { get; init; }

    public required string Namespace { get; init; }

    public required string Name { get; init; }

    public required string Address { get; init; }

    public string? OwnerJob { get; init; }

    /// <summary>In decimal digits: a fence has 64 bits, a number in many a JSON reader 53.</summary>
    public string? OwnerFence { get; init; }

    public string? OwnerRegistration { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    public DateTimeOffset RegisteredAt { get; init; }

    public static ProjectedEndpoint From(RegisteredEndpoint endpoint) => new()
    {
        Id = endpoint.Id.ToString(),
        Namespace = endpoint.Namespace.ToString(),
        Name = endpoint.Name,
        Address = endpoint.Address,
        OwnerJob = endpoint.OwnerJob?.ToString(),
        OwnerFence = endpoint.OwnerFence.IsNone ? null : endpoint.OwnerFence.ToString(),
        OwnerRegistration = endpoint.OwnerRegistration?.ToString(),
        Metadata = endpoint.Metadata.Count == 0 ? null : endpoint.Metadata,
        RegisteredAt = endpoint.RegisteredAt,
    };

    /// <exception cref="FormatException">An id or a name in it cannot be read.</exception>
    public RegisteredEndpoint ToDomain() => new(EndpointId.Parse(Id), Fluster.Cluster.Namespace.Parse(Namespace), Name, Address)
    {
        OwnerJob = OwnerJob is null ? null : JobId.Parse(OwnerJob),
        OwnerFence = OwnerFence is null ? default : Fence.Parse(OwnerFence),
        OwnerRegistration = OwnerRegistration is null ? null : RegistrationId.Parse(OwnerRegistration),
        Metadata = Metadata ?? new Dictionary<string, string>(StringComparer.Ordinal),
        RegisteredAt = RegisteredAt,
    };
}

/// <summary>What a reader is told after the projection changed.</summary>
/// <param name="Epoch">Which start of the controller wrote it.</param>
/// <param name="Version">The commit that the projection now shows.</param>
/// <param name="Names">The names that changed ("namespace:name"); null: any may have, read everything again.</param>
internal sealed record ProjectionChange(long Epoch, long Version, IReadOnlyList<string>? Names)
{
    /// <summary>The version that was shown before: who knows another one has missed something. Null with no names.</summary>
    public long? From { get; init; }

    /// <summary>When it was so, by the controller's clock.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>The change that a message tells; null when it cannot be read.</summary>
    public static ProjectionChange? TryParse(byte[]? message)
    {
        try
        {
            return message is null ? null : JsonSerializer.Deserialize(message, ProjectionJson.Default.ProjectionChange);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProjectedEndpoint))]
[JsonSerializable(typeof(ProjectionChange))]
internal sealed partial class ProjectionJson : JsonSerializerContext;
