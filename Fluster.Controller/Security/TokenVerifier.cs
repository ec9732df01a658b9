using System.Collections.Concurrent;

namespace Fluster.Controller;

/// <summary>Checks tokens. A token that was found good is remembered until it expires, since a signature costs more than most calls.</summary>
internal sealed class TokenVerifier(ClusterKey key, TimeProvider time)
{
    private const int MostRemembered = 20_000;

    private readonly ConcurrentDictionary<string, Caller> _known = new(StringComparer.Ordinal);

    /// <summary>The caller of a token that was found good before; null: it was not, or has expired.</summary>
    public Caller? Known(string token) => _known.TryGetValue(token, out var known) && known.Claims.ExpiresAt > time.GetUtcNow().ToUnixTimeSeconds() ? known : null;

    /// <summary>The caller whose token this is; null, and what is wrong with it.</summary>
    public Caller? Verify(string token, out string? problem)
    {
        var now = time.GetUtcNow();
        if (key.Verify(token, now, out problem) is not { } claims)
        {
            return null;
        }

        if (_known.Count >= MostRemembered)
        {
            _known.Clear(); // costs one signature per caller, now and then
        }

        return _known[token] = new Caller(claims);
    }
}
