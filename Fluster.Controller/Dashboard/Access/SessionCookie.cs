using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Fluster.Controller;

/// <summary>
/// The cookie of a browser that has logged in. It holds the token, sealed with a key that follows from the cluster's: nobody else can read it, it cannot be
/// shown where tokens are asked for, and it still counts after a restart of the controller. It falls with the token.
/// </summary>
internal sealed class SessionCookie(ClusterKey key, ClusterLoop loop)
{
    private const int NonceLength = 12;
    private const int TagLength = 16;

    private readonly byte[] _seal = Derive(key, "fluster dashboard cookie");
    private readonly byte[] _forms = Derive(key, "fluster dashboard forms");

    /// <summary>Cookies do not know of ports: controllers beside each other need names of their own.</summary>
    private string Name => $"fluster-{loop.Current.Meta.ClusterId[..8]}";

    /// <summary>The token of the browser that asks; null: it shows none that this cluster sealed.</summary>
    public string? Read(HttpContext context) => context.Request.Cookies[Name] is { } value ? Open(value) : null;

    public void Write(HttpContext context, string token, DateTimeOffset expires) => context.Response.Cookies.Append(Name, Seal(token), Options(context, expires));

    public void Delete(HttpContext context) => context.Response.Cookies.Delete(Name, Options(context, expires: null));

    /// <summary>What every form of this session carries: only a page that this controller made for this browser can know it.</summary>
    public string FormToken(HttpContext context) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(_forms, Encoding.ASCII.GetBytes(context.Request.Cookies[Name] ?? "")));

    public bool IsFormToken(HttpContext context, string? shown) =>
        context.Request.Cookies.ContainsKey(Name)
        && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(shown ?? ""), Encoding.ASCII.GetBytes(FormToken(context)));

    internal string Seal(string token)
    {
        var plain = Encoding.ASCII.GetBytes(token);
        var value = new byte[NonceLength + TagLength + plain.Length];
        RandomNumberGenerator.Fill(value.AsSpan(0, NonceLength));
        using var aes = new AesGcm(_seal, TagLength);
        aes.Encrypt(value.AsSpan(0, NonceLength), plain, value.AsSpan(NonceLength + TagLength), value.AsSpan(NonceLength, TagLength));
        return Base64Url.EncodeToString(value);
    }

    internal string? Open(string text)
    {
        if (!Base64Url.IsValid(text, out var length) || length <= NonceLength + TagLength)
        {
            return null;
        }

        var value = Base64Url.DecodeFromChars(text);
        var plain = new byte[value.Length - NonceLength - TagLength];
        using var aes = new AesGcm(_seal, TagLength);
        try
        {
            aes.Decrypt(value.AsSpan(0, NonceLength), value.AsSpan(NonceLength + TagLength), value.AsSpan(NonceLength, TagLength), plain);
            return Encoding.ASCII.GetString(plain);
        }
        catch (CryptographicException)
        {
            return null; // of another cluster, or made up
        }
    }

    private static CookieOptions Options(HttpContext context, DateTimeOffset? expires) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Secure = context.Request.IsHttps,
        Path = "/",
        Expires = expires,
        IsEssential = true,
    };

    private static byte[] Derive(ClusterKey key, string purpose) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.ASCII.GetBytes(key.ExportPrivatePem()), 32, info: Encoding.ASCII.GetBytes(purpose));
}
