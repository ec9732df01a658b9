using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>
/// The key of a cluster: an ECDSA P-256 key that signs tokens (compact JWS, ES256 and nothing else), or only its public half, which
/// checks them. Written here because there is one algorithm and no negotiation; see the ADR on tokens.
/// </summary>
internal sealed class ClusterKey : IDisposable
{
    /// <summary>Clocks of different machines differ by this much at most.</summary>
    private static readonly TimeSpan s_clockSkew = TimeSpan.FromSeconds(60);

    private const int MaxTokenLength = 8192;

    private static readonly string s_header = Base64Url.EncodeToString("""{"alg":"ES256","typ":"JWT"}"""u8);

    private readonly ECDsa _key;
    private readonly Lock _gate = new(); // ECDsa instances are not documented as thread-safe

    private ClusterKey(ECDsa key) => _key = key;

    public static ClusterKey Create() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Reads a private or public key in PEM.</summary>
    /// <exception cref="FormatException">It is not an ECDSA P-256 key in PEM.</exception>
    public static ClusterKey Parse(string pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            if (key.KeySize != 256)
            {
                throw new FormatException($"The cluster key must be an ECDSA P-256 key in PEM; this one has {key.KeySize} bits.");
            }

            return new ClusterKey(key);
        }
        catch (Exception exception) when (exception is ArgumentException or CryptographicException)
        {
            key.Dispose();
            throw new FormatException("The cluster key must be an ECDSA P-256 key in PEM.", exception);
        }
    }

    public string ExportPrivatePem() => _key.ExportPkcs8PrivateKeyPem();

    public string ExportPublicPem() => _key.ExportSubjectPublicKeyInfoPem();

    public string Sign(TokenClaims claims)
    {
        var payload = Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims, TokenJson.Default.TokenClaims));
        var signed = s_header + "." + payload;
        byte[] signature;
        lock (_gate)
        {
            signature = _key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256);
        }

        return signed + "." + Base64Url.EncodeToString(signature);
    }

    /// <summary>The claims of a token that this key signed and that counts at <paramref name="now"/>; else null and what is wrong.</summary>
    public TokenClaims? Verify(string token, DateTimeOffset now, out string? problem)
    {
        problem = "The token is not one of this cluster.";
        var parts = token.Length <= MaxTokenLength ? token.Split('.') : [];
        if (parts.Length != 3 || !TryDecode(parts[0], out var header) || !TryDecode(parts[1], out var payload) || !TryDecode(parts[2], out var signature))
        {
            return null;
        }

        var signed = Encoding.ASCII.GetBytes(token, 0, parts[0].Length + 1 + parts[1].Length);
        lock (_gate)
        {
            if (!IsEs256(header) || signature.Length != 64 || !_key.VerifyData(signed, signature, HashAlgorithmName.SHA256))
            {
                return null;
            }
        }

        TokenClaims? claims;
        try
        {
            claims = JsonSerializer.Deserialize(payload, TokenJson.Default.TokenClaims);
        }
        catch (JsonException)
        {
            return null;
        }

        if (claims is null || claims.Iss != TokenClaims.Issuer)
        {
            return null;
        }

        if (now.ToUnixTimeSeconds() > claims.ExpiresAt + (long)s_clockSkew.TotalSeconds)
        {
            problem = "The token has expired.";
            return null;
        }

        problem = null;
        return claims;
    }

    public void Dispose() => _key.Dispose();

    private static bool IsEs256(byte[] header)
    {
        try
        {
            using var json = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 4 });
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("alg", out var algorithm)
                && algorithm.ValueKind == JsonValueKind.String
                && algorithm.ValueEquals("ES256"u8)
                && !json.RootElement.TryGetProperty("crit", out _);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static bool TryDecode(string part, out byte[] bytes)
    {
        bytes = [];
        if (part.Length == 0 || !Base64Url.IsValid(part))
        {
            return false;
        }

        bytes = Base64Url.DecodeFromChars(part);
        return true;
    }
}
