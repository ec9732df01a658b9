namespace Fluster.Actors;

/// <summary>How calls are made.</summary>
public sealed record ActorCallOptions
{
    /// <summary>
    /// Time allowed for a call, from sending it to its result. Default: 30 seconds; <see cref="System.Threading.Timeout.InfiniteTimeSpan"/>
    /// waits for ever.
    /// </summary>
    /// <remarks>Sent to the server as a deadline, so that the method sees its token cancelled at the same moment. Source: seed 001, stage 1 (30.0).</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is zero or negative.</exception>
    public TimeSpan Timeout
    {
        get;
        init => field = value > TimeSpan.Zero || value == System.Threading.Timeout.InfiniteTimeSpan
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "A call needs a positive timeout.");
    } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often a call is made anew when it is not known whether it ran, because the actor's server was replaced: every one may be another
    /// execution. Exceptions of the method are never retried. Default: 0. Methods that are <see cref="IdempotentAttribute"/> need it not.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public int Retries
    {
        get;
        init => field = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "Retries are not negative.");
    }

    /// <summary>The largest result in bytes. Default: 64 MiB. Counts for a client, not for one call.</summary>
    public int MaxMessageSize { get; init; } = 64 * 1024 * 1024;
}
