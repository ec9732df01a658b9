namespace Fluster.Actors;

/// <summary>How calls enter one actor.</summary>
public sealed record ActorOptions
{
    /// <summary>How many calls may run in the actor at a time. Default: 1. With more, the actor's own state is its own business.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int MaxConcurrency
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "At least one call runs at a time.");
    } = 1;

    /// <summary>
    /// Whether a call may enter while the call that it was made from, directly or through other actors, holds the actor. Default: what
    /// <see cref="ReentrantAttribute"/> on the class says, else false: such a call fails at once.
    /// </summary>
    public bool Reentrant { get; init; }

    /// <summary>What else is to be known of the actor: listed, and registered with its endpoint.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}
