namespace Fluster.Cluster;

/// <summary>How a <see cref="LocalClient"/> runs jobs.</summary>
public sealed record LocalClientOptions
{
    /// <summary>Tasks that run at a time. A job that waits for jobs below it does not count while it does. Default: 4 (seed 000).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int MaxTasks
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A LocalClient needs room for at least one task.");
    } = 4;

    /// <summary>The namespace of jobs that are submitted outside a job. Default: <see cref="Namespace.Default"/>.</summary>
    public Namespace Namespace { get; init; } = Namespace.Default;

    /// <summary>The first port that jobs are given. Default: 50000 (seed 000).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is no port.</exception>
    public int FirstPort { get; init => field = PortOf(value); } = 50_000;

    /// <summary>The last port that jobs are given. Default: 60000 (seed 000).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is no port.</exception>
    public int LastPort { get; init => field = PortOf(value); } = 60_000;

    /// <summary>How long a job that was told to stop has. Default: 5 seconds, as everywhere.</summary>
    internal TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    private static int PortOf(int value) =>
        value is > 0 and <= ushort.MaxValue ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A port is a number from 1 to 65535.");
}
