namespace Fluster.Controller;

/// <summary>When the token that a worker was given with its Welcome is to be replaced: in half its life, as long as the link is open.</summary>
internal sealed class TokenRenewal(Func<string> sign, TimeSpan lifetime, TimeProvider time)
{
    private long _signedAt = time.GetTimestamp();

    /// <summary>The time until the next one.</summary>
    public TimeSpan Left => lifetime / 2 - time.GetElapsedTime(_signedAt);

    /// <summary>A new token when it is time for one; else null.</summary>
    public string? Due()
    {
        if (Left > TimeSpan.Zero)
        {
            return null;
        }

        _signedAt = time.GetTimestamp();
        return sign();
    }
}
