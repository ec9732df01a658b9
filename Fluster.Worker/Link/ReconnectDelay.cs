namespace Fluster.Worker;

/// <summary>How long to wait before the next try: doubling, and never the same for all workers of a controller that comes back.</summary>
internal sealed class ReconnectDelay
{
    private static readonly TimeSpan s_first = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(5);

    private TimeSpan _next = s_first;

    public void Reset() => _next = s_first;

    /// <summary>Goes to the longest wait at once: trying soon would not help.</summary>
    public void Lengthen() => _next = s_longest;

    public TimeSpan Next()
    {
        var delay = _next * (0.5 + Random.Shared.NextDouble() / 2);
        _next = _next * 2 < s_longest ? _next * 2 : s_longest;
        return delay;
    }
}
