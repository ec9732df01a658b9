namespace Fluster.Cluster;

/// <summary>How many traces begin here in a second: what is beyond it is not sampled (spec section 9). Whatever goes on with a trace does as that does.</summary>
/// <param name="time">The clock.</param>
/// <param name="perSecond">The most, and the most at once.</param>
internal sealed class RootRate(TimeProvider time, int perSecond = RootRate.Default)
{
    /// <summary>Traces per second that are kept from their root on.</summary>
    public const int Default = 100;

    private readonly Lock _gate = new();
    private double _left = perSecond;
    private long _filledAt = time.GetTimestamp();

    /// <summary>Whether the trace that begins now is one of those.</summary>
    public bool Take()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            _left = Math.Min(perSecond, _left + time.GetElapsedTime(_filledAt, now).TotalSeconds * perSecond);
            _filledAt = now;
            if (_left < 1)
            {
                return false;
            }

            _left--;
            return true;
        }
    }
}
