using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Fluster.Controller;

/// <summary>
/// Codes by which a browser that a command line opens comes in: each is good once and for a minute. So no token is in an address, which browsers keep and
/// lists of processes show.
/// </summary>
internal sealed class LoginCodes(TimeProvider time)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    /// <summary>More than somebody at a command line asks for in a minute.</summary>
    private const int MostCodes = 1_000;

    private readonly ConcurrentDictionary<string, (string Token, long At)> _codes = new(StringComparer.Ordinal);

    /// <summary>A code for the bearer of a token; null: too many were asked for.</summary>
    public string? Make(string token)
    {
        foreach (var (code, made) in _codes)
        {
            if (time.GetElapsedTime(made.At) > Lifetime)
            {
                _codes.TryRemove(code, out _);
            }
        }

        if (_codes.Count >= MostCodes)
        {
            return null;
        }

        var fresh = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(24));
        _codes[fresh] = (token, time.GetTimestamp());
        return fresh;
    }

    /// <summary>The token of a code, which is used up by this; null: there is none of it.</summary>
    public string? Take(string code) => _codes.TryRemove(code, out var made) && time.GetElapsedTime(made.At) <= Lifetime ? made.Token : null;
}
