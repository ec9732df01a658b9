namespace Fluster.Cluster;

/// <summary>Keeps the token of a job's process fresh for as long as its client is there: asks for a new one in half the life of the old one.</summary>
internal sealed class JobTokenRenewal(ControllerChannel channel, ControllerCalls calls, TimeProvider time) : IDisposable
{
    /// <summary>After a failure: it has half a life to succeed.</summary>
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _ended = new();

    /// <summary>Begins, if the token is one that can be renewed: that of an attempt.</summary>
    public void Start()
    {
        if (Claims is { Role: TokenRoles.Job })
        {
            _ = Detached.Run(() => RunAsync(_ended.Token));
        }
    }

    public void Dispose() => _ended.Cancel(); // not disposed: the delay that it ends may still look at it

    private TokenClaims? Claims => channel.Token is { } token ? TokenClaims.ReadUnchecked(token) : null;

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (Claims is { } claims)
            {
                var renewAt = DateTimeOffset.FromUnixTimeSeconds(claims.IssuedAt + (claims.ExpiresAt - claims.IssuedAt) / 2);
                var left = renewAt - time.GetUtcNow();
                await Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken).ConfigureAwait(false);
                while (!await TryRenewAsync(cancellationToken).ConfigureAwait(false))
                {
                    await Task.Delay(s_retry, time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The client is closed.
        }
        catch (ClusterException)
        {
            // The attempt has ended, or its token was revoked: the next call says so to whoever makes it.
        }
    }

    private async Task<bool> TryRenewAsync(CancellationToken cancellationToken)
    {
        try
        {
            var response = await calls.CallAsync((service, call) => service.RenewTokenAsync(new V1.RenewTokenRequest(), call), cancellationToken).ConfigureAwait(false);
            channel.Token = response.Token;
            return true;
        }
        catch (ClusterException exception) when (exception.Error is ClusterError.Unavailable or ClusterError.ResourceExhausted or ClusterError.Internal)
        {
            return false;
        }
    }
}
