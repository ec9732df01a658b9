namespace Fluster.Tests;

/// <summary>The system's clocks, of which somebody says that it is later already. Timers go as they do.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    private long _shift;
    private long _wallShift;

    public override long TimestampFrequency => System.TimestampFrequency;

    /// <summary>So much later on both clocks.</summary>
    public void Advance(TimeSpan by)
    {
        Interlocked.Add(ref _shift, by.Ticks);
        AdvanceWall(by);
    }

    /// <summary>So much later on the wall alone.</summary>
    public void AdvanceWall(TimeSpan by) => Interlocked.Add(ref _wallShift, by.Ticks);

    public override long GetTimestamp() => System.GetTimestamp() + (long)(TimeSpan.FromTicks(Volatile.Read(ref _shift)).TotalSeconds * TimestampFrequency);

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Volatile.Read(ref _wallShift));
}
