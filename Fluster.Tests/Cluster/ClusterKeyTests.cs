using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Tokens: ES256 and nothing else, signed by the cluster's key, for a time.</summary>
public sealed class ClusterKeyTests : IDisposable
{
    private static readonly DateTimeOffset s_noon = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly ClusterKey _key = ClusterKey.Create();

    public void Dispose() => _key.Dispose();

    [Fact]
    public void Verify_OwnToken_GivesItsClaims()
    {
        var claims = Claims() with { Namespace = "prod", Job = "a-1a2b3c4d/b", Task = 3, Fence = ulong.MaxValue };

        Assert.Equal(claims, _key.Verify(_key.Sign(claims), s_noon, out var problem));
        Assert.Null(problem);
    }

    [Fact]
    public void Verify_ByThePublicHalf_GivesItsClaims()
    {
        using var publicKey = ClusterKey.Parse(_key.ExportPublicPem());

        Assert.Equal(Claims(), publicKey.Verify(_key.Sign(Claims()), s_noon, out _));
        Assert.DoesNotContain("PRIVATE", publicKey.ExportPublicPem(), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_ByTheKeyWrittenAndRead_GivesItsClaims()
    {
        using var again = ClusterKey.Parse(_key.ExportPrivatePem());

        Assert.Equal(Claims(), _key.Verify(again.Sign(Claims()), s_noon, out _));
    }

    [Fact]
    public void Verify_OfAnotherKey_IsRefused()
    {
        using var other = ClusterKey.Create();

        AssertRefused(other.Sign(Claims()));
    }

    // Every character of the token counts, whatever it is changed to.
    [Fact]
    public void Verify_Tampered_IsRefusedWhereverItWasChanged()
    {
        var token = _key.Sign(Claims());
        for (var index = 0; index < token.Length; index++)
        {
            // The last character of a part can have bits that mean nothing; a change of its first bit always counts.
            var changed = token[index] == '.' ? 'A' : token[index] is 'A' or 'B' or 'C' or 'D' or 'E' or 'F' or 'G' or 'H' ? 'z' : 'A';
            AssertRefused($"{token[..index]}{changed}{token[(index + 1)..]}");
        }
    }

    [Fact]
    public void Verify_ClaimsOfOneAndSignatureOfAnother_IsRefused()
    {
        var one = _key.Sign(Claims()).Split('.');
        var other = _key.Sign(Claims() with { Role = TokenRoles.Admin, Subject = "x" }).Split('.');

        AssertRefused($"{one[0]}.{other[1]}.{one[2]}");
    }

    [Theory]
    [InlineData("""{"alg":"none","typ":"JWT"}""")]
    [InlineData("""{"alg":"None"}""")]
    [InlineData("""{"alg":"HS256","typ":"JWT"}""")]
    [InlineData("""{"alg":"ES384","typ":"JWT"}""")]
    [InlineData("""{"alg":"es256"}""")]
    [InlineData("""{"alg":["ES256"]}""")]
    [InlineData("""{"alg":"ES256","crit":["exp"]}""")]
    [InlineData("""["ES256"]""")]
    [InlineData("""{}""")]
    [InlineData("x")]
    public void Verify_OtherHeader_IsRefusedEvenWithAGoodSignature(string header)
    {
        using var raw = ECDsa.Create();
        raw.ImportFromPem(_key.ExportPrivatePem());
        var signed = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{_key.Sign(Claims()).Split('.')[1]}";
        var signature = Base64Url.EncodeToString(raw.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));

        AssertRefused($"{signed}.{signature}");
    }

    [Fact]
    public void Verify_SignedWithThePublicKeyAsASecret_IsRefused()
    {
        var signed = $"{Base64Url.EncodeToString("""{"alg":"HS256"}"""u8)}.{_key.Sign(Claims()).Split('.')[1]}";
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(_key.ExportPublicPem()), Encoding.ASCII.GetBytes(signed));

        AssertRefused($"{signed}.{Base64Url.EncodeToString(signature)}");
    }

    [Fact]
    public void Verify_WithoutSignature_IsRefused()
    {
        var parts = _key.Sign(Claims()).Split('.');

        AssertRefused($"{parts[0]}.{parts[1]}.");
        AssertRefused($"{parts[0]}.{parts[1]}");
        AssertRefused($"{Base64Url.EncodeToString("""{"alg":"none"}"""u8)}.{parts[1]}.");
    }

    [Theory]
    [InlineData(3600, true)]
    [InlineData(3600 + 60, true)] // clocks differ by up to a minute
    [InlineData(3600 + 61, false)]
    [InlineData(86400 * 365, false)]
    public void Verify_ByTime_CountsUntilItExpires(int secondsLater, bool counts)
    {
        var claims = _key.Verify(_key.Sign(Claims()), s_noon.AddSeconds(secondsLater), out var problem);

        Assert.Equal(counts, claims is not null);
        Assert.Equal(counts ? null : "The token has expired.", problem);
    }

    [Fact]
    public void Verify_OtherIssuer_IsRefused() => AssertRefused(_key.Sign(Claims() with { Iss = "somebody" }));

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a.b.c")]
    [InlineData("a.b.c.d")]
    [InlineData("\u0000.ü.€")]
    public void Verify_Garbage_IsRefused(string token) => AssertRefused(token);

    [Fact]
    public void Verify_VeryLong_IsRefused() => AssertRefused(new string('a', 1 << 20));

    [Fact]
    public void Verify_FromManyThreads_IsRight()
    {
        var token = _key.Sign(Claims());

        Parallel.For(0, 200, index =>
        {
            Assert.NotNull(_key.Verify(token, s_noon, out _));
            Assert.NotNull(_key.Verify(_key.Sign(Claims() with { Task = index }), s_noon, out _));
        });
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")]
    [InlineData("nonsense")]
    public void Parse_NotAKey_IsAnError(string pem) => Assert.Throws<FormatException>(() => ClusterKey.Parse(pem));

    [Fact]
    public void Parse_KeyOfAnotherCurve_IsAnError()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);

        Assert.Contains("P-256", Assert.Throws<FormatException>(() => ClusterKey.Parse(other.ExportPkcs8PrivateKeyPem())).Message, StringComparison.Ordinal);
    }

    private static TokenClaims Claims() => new()
    {
        Role = TokenRoles.Worker,
        Worker = "w1",
        IssuedAt = s_noon.ToUnixTimeSeconds(),
        ExpiresAt = s_noon.AddHours(1).ToUnixTimeSeconds(),
    };

    private void AssertRefused(string token)
    {
        Assert.Null(_key.Verify(token, s_noon, out var problem));
        Assert.Equal("The token is not one of this cluster.", problem);
    }
}
