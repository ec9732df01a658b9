using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Aspire.Hosting;

namespace Fluster.Hosting;

/// <summary>
/// The key of a cluster, ECDSA P-256, and the tokens that it signs: compact JWTs, ES256. Small enough to be here too: this library is
/// for AppHosts and references nothing of the cluster's.
/// </summary>
internal sealed class ClusterKey : IDisposable
{
    private const string Issuer = "fluster";
    internal const string DefaultNamespace = "default";

    // A worker's is renewed over its link, a user's by starting the AppHost again.
    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(30);

    private static readonly string s_header = Base64Url.EncodeToString("""{"alg":"ES256","typ":"JWT"}"""u8);

    private readonly ECDsa _key;

    private ClusterKey(ECDsa key) => _key = key;

    public string PrivatePem => _key.ExportPkcs8PrivateKeyPem();

    public string PublicPem => _key.ExportSubjectPublicKeyInfoPem();

    /// <summary>The public key in one line: what stands between the first and the last of its PEM.</summary>
    public string PublicText => Convert.ToBase64String(_key.ExportSubjectPublicKeyInfo());

    /// <summary>Reads the key in a file, or makes one and keeps it there, for its owner alone.</summary>
    /// <exception cref="DistributedApplicationException">The file holds something else.</exception>
    public static ClusterKey ReadOrMake(string path)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (!File.Exists(path))
        {
            PrivateFile.Write(path, key.ExportPkcs8PrivateKeyPem());
            return new ClusterKey(key);
        }

        try
        {
            key.ImportFromPem(File.ReadAllText(path));
            return key.KeySize == 256
                ? new ClusterKey(key)
                : throw new CryptographicException($"it has {key.KeySize} bits, not 256");
        }
        catch (Exception exception) when (exception is ArgumentException or CryptographicException)
        {
            key.Dispose();
            throw new DistributedApplicationException(
                $"'{path}' holds no ECDSA P-256 key in PEM. Start with --fresh to begin with a new cluster, or put the key back.", exception);
        }
    }

    /// <summary>A token that may do everything.</summary>
    public string SignAdmin(DateTimeOffset now) => Sign("apphost", "admin", worker: null, now);

    /// <summary>The token of the application's services.</summary>
    public string SignService(DateTimeOffset now) => Sign("apphost", "service", worker: null, now);

    /// <summary>The token with which a worker says Hello.</summary>
    public string SignWorker(string worker, DateTimeOffset now) => Sign(worker, "worker", worker, now);

    public void Dispose() => _key.Dispose();

    private string Sign(string subject, string role, string? worker, DateTimeOffset now)
    {
        var claims = new Claims(Issuer, subject, role, DefaultNamespace, worker, now.ToUnixTimeSeconds(), now.Add(s_lifetime).ToUnixTimeSeconds());
        var signed = $"{s_header}.{Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims, HostingJson.Default.Claims))}";
        var signature = _key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }
}

/// <summary>What a token says of its bearer. Times are seconds since 1970 (UTC).</summary>
internal sealed record Claims(
    [property: JsonPropertyName("iss")] string Issuer,
    [property: JsonPropertyName("sub")] string Subject,
    [property: JsonPropertyName("role")] string Role,
    [property: JsonPropertyName("ns")] string Namespace,
    [property: JsonPropertyName("worker")] string? Worker,
    [property: JsonPropertyName("iat")] long IssuedAt,
    [property: JsonPropertyName("exp")] long ExpiresAt);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = false)]
[JsonSerializable(typeof(Claims))]
internal sealed partial class HostingJson : JsonSerializerContext;
