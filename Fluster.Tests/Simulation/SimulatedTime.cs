namespace Fluster.Tests;

/// <summary>The clocks of the simulated machines: one that only goes on, and one that somebody sets.</summary>
internal sealed class SimulatedTime : TimeProvider
{
    private static readonly DateTimeOffset s_start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Milliseconds since the run began.</summary>
    public long Now { get; set; } = 1_000;

    /// <summary>What was added to the wall clock so far.</summary>
    public TimeSpan WallJumps { get; set; }

    public TimeSpan Monotonic => TimeSpan.FromMilliseconds(Now);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Now * TimeSpan.TicksPerMillisecond;

    public override DateTimeOffset GetUtcNow() => s_start + Monotonic + WallJumps;
}
