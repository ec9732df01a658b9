using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// Lets in whoever knows the token. The cookie says until when, signed with a key that follows from the token: it outlives a restart of the AppHost and not
/// another token. It works over plain http; over https it is marked as secure.
/// </summary>
internal sealed class BrowserLogin(string token, string name, TimeProvider time)
{
    /// <summary>As long as Aspire's, counted from the last use.</summary>
    private static readonly TimeSpan s_life = TimeSpan.FromDays(3);

    private const int MostFailures = 20;

    private readonly byte[] _key = SHA256.HashData(Encoding.UTF8.GetBytes("cookie:" + token));
    private readonly Lock _lock = new();
    private DateTimeOffset _minute;
    private int _failures;

    /// <summary>Browsers do not tell ports apart in cookies: every AppHost has a name of its own.</summary>
    private string Cookie => $"apphost-{name}";

    /// <summary>Whether the token is right. After 20 wrong ones in a minute none is until the next.</summary>
    public bool Accepts(string? candidate)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            if (now - _minute >= TimeSpan.FromMinutes(1))
            {
                (_minute, _failures) = (now, 0);
            }

            if (_failures >= MostFailures)
            {
                return false;
            }

            var right = candidate is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(candidate.Trim()), Encoding.UTF8.GetBytes(token));
            _failures += right ? 0 : 1;
            return right;
        }
    }

    public void LogIn(HttpContext context)
    {
        var until = (time.GetUtcNow() + s_life).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        context.Response.Cookies.Append(Cookie, $"{until}.{Sign(until)}", Options(context));
    }

    public void LogOut(HttpContext context) => context.Response.Cookies.Delete(Cookie, Options(context));

    /// <summary>Whether the request comes from somebody who has logged in. His cookie is renewed when half of its life is over.</summary>
    public bool IsLoggedIn(HttpContext context)
    {
        if (context.Request.Cookies[Cookie]?.Split('.') is not [var until, var signature]
            || !CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(signature), Encoding.ASCII.GetBytes(Sign(until)))
            || !long.TryParse(until, CultureInfo.InvariantCulture, out var seconds))
        {
            return false;
        }

        var left = DateTimeOffset.FromUnixTimeSeconds(seconds) - time.GetUtcNow();
        if (left > TimeSpan.Zero && left < s_life / 2)
        {
            LogIn(context);
        }

        return left > TimeSpan.Zero;
    }

    /// <summary>Where to go after the login: a path of this site, whatever was asked for.</summary>
    public static string LocalPath(string? wish) =>
        wish is { Length: > 0 } && wish[0] == '/' && !wish.StartsWith("//", StringComparison.Ordinal) && !wish.Contains('\\', StringComparison.Ordinal) && !wish.Any(char.IsControl) ? wish : "/";

    private static CookieOptions Options(HttpContext context) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Secure = context.Request.IsHttps,
        MaxAge = s_life,
        Path = "/",
    };

    private string Sign(string text) => Convert.ToHexStringLower(HMACSHA256.HashData(_key, Encoding.ASCII.GetBytes(text)));
}
