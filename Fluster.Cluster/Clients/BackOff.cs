namespace Fluster.Cluster;

/// <summary>Waits longer after every failure: 50 ms, doubling to 2 s, each cut by up to half at random so that callers spread.</summary>
internal sealed class BackOff(TimeProvider time)
{
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(2);
    private TimeSpan _next = TimeSpan.FromMilliseconds(50);

    public Task WaitAsync(CancellationToken cancellationToken)
    {
#pragma warning disable CA5394 // Spreads load; nothing secret comes of it.
        var wait = _next * (1 - Random.Shared.NextDouble() / 2);
#pragma warning restore CA5394
        _next = _next * 2 < s_longest ? _next * 2 : s_longest;
        return Task.Delay(wait, time, cancellationToken);
    }
}
