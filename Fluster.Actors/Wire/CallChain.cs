using System.Diagnostics;

namespace Fluster.Actors;

/// <summary>One call that another call was made from.</summary>
/// <param name="Actor">The incarnation of the actor whose method makes the next call.</param>
/// <param name="Call">The number of the call there.</param>
/// <param name="Name">Actor and method, for people: <c>calculator.Add</c>.</param>
internal readonly record struct ChainEntry(Guid Actor, long Call, string Name);

/// <summary>What a method's own calls inherit: the deadline, and the calls that led to it.</summary>
/// <param name="Deadline">In ticks of <see cref="Stopwatch"/>; 0 when there is none.</param>
/// <param name="Chain">The calls, the first one first.</param>
internal sealed record CallScope(long Deadline, ChainEntry[] Chain)
{
    /// <summary>The longest chain of calls.</summary>
    public const int MostEntries = 64;

    private static readonly AsyncLocal<CallScope?> s_current = new();

    /// <summary>The call that this code runs for; null outside of actors.</summary>
    public static CallScope? Current
    {
        get => s_current.Value;
        set => s_current.Value = value;
    }

    /// <summary>The earlier of two deadlines, of which 0 is none.</summary>
    public static long Earlier(long left, long right) => left == 0 ? right : right == 0 ? left : Math.Min(left, right);

    /// <summary>The moment that is so far away; 0 for an infinite time.</summary>
    public static long After(TimeSpan time) =>
        time == Timeout.InfiniteTimeSpan ? 0 : Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency);

    /// <summary>The time that is left, at least zero. Not for 0, which is no deadline.</summary>
    public static TimeSpan Left(long deadline) =>
        TimeSpan.FromSeconds(Math.Clamp((deadline - Stopwatch.GetTimestamp()) / (double)Stopwatch.Frequency, 0, 4_000_000));

    public static string Describe(IEnumerable<ChainEntry> chain) => string.Join(" -> ", chain.Select(entry => entry.Name));
}
