using Microsoft.Extensions.Logging;

namespace Fluster.Local;

/// <summary>What a <see cref="LocalCluster"/> is like.</summary>
public sealed record LocalClusterOptions
{
    /// <summary>
    /// Where it keeps its state, logs and files, for this cluster alone while it runs. One that is there goes on where it was: jobs that had ended are still listed.
    /// Default: a temporary directory, gone with the cluster.
    /// </summary>
    public string? DataDirectory { get; init; }

    /// <summary>The namespace of jobs that are submitted outside a job. Default: <see cref="Namespace.Default"/>.</summary>
    public Namespace Namespace { get; init; } = Namespace.Default;

    /// <summary>Jobs that run at a time. Default: 10 (seed 003).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int MaxConcurrentJobs
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A cluster runs at least one job at a time.");
    } = 10;

    /// <summary>Where its controller and its worker log. Default: nowhere.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }
}
