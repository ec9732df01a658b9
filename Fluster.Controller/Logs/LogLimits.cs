namespace Fluster.Controller;

/// <summary>How much of the logs the controller keeps. Past it, the oldest chunks become a gap.</summary>
internal sealed record LogLimits
{
    /// <summary>Bytes of one attempt. Default: 256 MiB.</summary>
    public long PerAttempt { get; init; } = 256L << 20;

    /// <summary>Bytes of one file: what is given up at a time. Default: 16 MiB.</summary>
    public long PerSegment { get; init; } = 16L << 20;

    /// <summary>Bytes of all logs. Default: 20 GiB.</summary>
    public long Total { get; init; } = 20L << 30;

    /// <summary>How long after it was written. Default: 14 days.</summary>
    public TimeSpan Age { get; init; } = TimeSpan.FromDays(14);
}
