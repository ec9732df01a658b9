using System.Buffers.Text;
using System.Text.Json;
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

    /// <summary>Of a worker on a machine of a backend: the machine. With <see cref="IsFirst"/>, instead of <see cref="Worker"/>.</summary>
    [JsonPropertyName("vm")]
    public string? Vm { get; init; }

    /// <summary>The number of the machine's record, by which it is found.</summary>
    [JsonPropertyName("vmn")]
    public long? VmUid { get; init; }

    /// <summary>The machine's own token, with which each of its workers gets one for itself.</summary>
    [JsonPropertyName("first")]
    public bool? IsFirst { get; init; }

    /// <summary>Of an adoption: the cluster that the worker is to join.</summary>
    [JsonPropertyName("cluster")]
    public string? Cluster { get; init; }

    /// <summary>SHA-256 of the only certificate that the bearer is to believe to be the controller's; null: one that the machine trusts.</summary>
    [JsonPropertyName("tls")]
    public string? CertificateHash { get; init; }

    [JsonPropertyName("iat")]
    public long IssuedAt { get; init; }

    [JsonPropertyName("exp")]
    public required long ExpiresAt { get; init; }

    /// <summary>What a token says, without asking who signed it: for whoever holds it, never for whoever is shown it. Null when it is no token.</summary>
    public static TokenClaims? ReadUnchecked(string token)
    {
        try
        {
            var parts = token.Split('.');
            return parts.Length == 3 && Base64Url.IsValid(parts[1])
                ? JsonSerializer.Deserialize(Base64Url.DecodeFromChars(parts[1]), TokenJson.Default.TokenClaims)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>The roles that a token can have.</summary>
internal static class TokenRoles
{
    public const string Admin = "admin";
    public const string Service = "service";
    public const string Worker = "worker";
    public const string Job = "job";

    /// <summary>Not a role that may call anything: tells the worker that it names to leave the cluster "sub" for the cluster "cluster".</summary>
    public const string Adoption = "adoption";
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenClaims))]
internal sealed partial class TokenJson : JsonSerializerContext;
