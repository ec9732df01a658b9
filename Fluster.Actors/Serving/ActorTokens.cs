using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// Who may call. In a job: whoever the cluster gave a token that counts in the job's namespace. Elsewhere the server makes a key of
/// its own, and one token.
/// </summary>
internal sealed class ActorTokens : IDisposable
{
    /// <summary>As long as a token for the command line lasts.</summary>
    private static readonly TimeSpan s_ownTokenLife = TimeSpan.FromDays(30);

    private readonly ClusterKey _key;
    private readonly Namespace? _namespace;
    private readonly TimeProvider _time;

    private ActorTokens(ClusterKey key, Namespace? @namespace, string token, TimeProvider time)
    {
        _key = key;
        _namespace = @namespace;
        _time = time;
        Token = token;
    }

    /// <summary>A token that this server accepts.</summary>
    public string Token { get; }

    public static ActorTokens OfJob(string clusterKey, string token, Namespace @namespace, TimeProvider time) =>
        new(ClusterKey.Parse(clusterKey), @namespace, token, time);

    public static ActorTokens Own(TimeProvider time)
    {
        var key = ClusterKey.Create();
        var now = time.GetUtcNow();
        var token = key.Sign(new TokenClaims
        {
            Role = TokenRoles.Service,
            Subject = "actor-server",
            IssuedAt = now.ToUnixTimeSeconds(),
            ExpiresAt = (now + s_ownTokenLife).ToUnixTimeSeconds(),
        });
        return new ActorTokens(key, @namespace: null, token, time);
    }

    /// <summary>Null when the bearer of this token may call; else why not.</summary>
    public string? Problem(string? authorization) => Check(authorization, out var problem) is null ? problem : null;

    /// <summary>What the token says of its bearer, who may call; null, and why, when he may not.</summary>
    public TokenClaims? Check(string? authorization, out string problem)
    {
        const string Scheme = "Bearer ";
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            problem = "The call carries no token: send 'authorization: Bearer <token>'.";
            return null;
        }

        if (_key.Verify(authorization[Scheme.Length..].Trim(), _time.GetUtcNow(), out problem!) is not { } claims)
        {
            return null;
        }

        problem = claims.Role switch
        {
            TokenRoles.Admin or TokenRoles.Service => "",
            TokenRoles.Job when _namespace is { } mine && claims.Namespace == mine.ToString() => "",
            TokenRoles.Job => "The token is of a job in another namespace.",
            _ => $"A token of role {claims.Role} cannot call actors.",
        };
        return problem.Length == 0 ? claims : null;
    }

    public void Dispose() => _key.Dispose();
}
