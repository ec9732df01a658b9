using System.Text.Json.Serialization;

namespace Fluster.Cluster;

/// <summary>What a token says of its bearer. Times are seconds since 1970 (UTC).</summary>
internal sealed record TokenClaims
{
    public const string Issuer = "fluster";

    [JsonPropertyName("iss")]
    public string Iss { get; init; } = Issuer;

    [JsonPropertyName("sub")]
    public string? Subject { get; init; }

    [JsonPropertyName("role")]
    public required string Role { get; init; }

    [JsonPropertyName("ns")]
    public string? Namespace { get; init; }

    [JsonPropertyName("worker")]
    public string? Worker { get; init; }

    [JsonPropertyName("job")]
    public string? Job { get; init; }

    [JsonPropertyName("task")]
    public int? Task { get; init; }

    [JsonPropertyName("fence")]
    public ulong? Fence { get; init; }

    [JsonPropertyName("iat")]
    public long IssuedAt { get; init; }

    [JsonPropertyName("exp")]
    public required long ExpiresAt { get; init; }
}

/// <summary>The roles that a token can have.</summary>
internal static class TokenRoles
{
    public const string Admin = "admin";
    public const string Service = "service";
    public const string Worker = "worker";
    public const string Job = "job";
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenClaims))]
internal sealed partial class TokenJson : JsonSerializerContext;
