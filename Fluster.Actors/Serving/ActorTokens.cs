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

    private const string OwnSubject = "actor-server";

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

    /// <param name="time">The clock.</param>
    /// <param name="certificateHash">The certificate that the server shows; null without TLS. The token says it to whoever calls with it.</param>
    public static ActorTokens Own(TimeProvider time, string? certificateHash)
    {
        var key = ClusterKey.Create();
        var now = time.GetUtcNow();
        var token = key.Sign(new TokenClaims
        {
            Role = TokenRoles.Service,
            Subject = OwnSubject,
            CertificateHash = certificateHash,
            IssuedAt = now.ToUnixTimeSeconds(),
            ExpiresAt = (now + s_ownTokenLife).ToUnixTimeSeconds(),
        });
        return new ActorTokens(key, @namespace: null, token, time);
    }

    /// <summary>The certificate of the server that made the token; null for tokens of a cluster, which know nothing of its actor servers.</summary>
    public static string? CertificateOf(string? token) =>
        token is not null && TokenClaims.ReadUnchecked(token) is { Subject: OwnSubject, CertificateHash: { Length: > 0 } hash } ? hash : null;

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
            TokenRoles.Admin => "",
            TokenRoles.Service when _namespace is null => "", // its own
            TokenRoles.Job or TokenRoles.Service when claims.Namespace == _namespace?.ToString() => "",
            TokenRoles.Job => "The token is of a job in another namespace.",
            TokenRoles.Service => "The token is of a service in another namespace.",
            _ => $"A token of role {claims.Role} cannot call actors.",
        };
        return problem.Length == 0 ? claims : null;
    }

    public void Dispose() => _key.Dispose();
}
