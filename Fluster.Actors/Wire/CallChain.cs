using System.Diagnostics;

namespace Fluster.Actors;

/// <summary>One call that another call was made from.</summary>
/// <param name="Actor">The incarnation of the actor whose method makes the next call.</param>
/// <param name="Call">The number of the call there.</param>
/// <param name="Name">Actor and method, for people: <c>calculator.Add</c>.</param>
internal readonly record struct ChainEntry(Guid Actor, long Call, string Name);

/// <summary>What a method's own calls inherit: the deadline, and the calls that led to it.</summary>
/// <param name="deadline">In ticks of <see cref="Stopwatch"/>; 0 when there is none.</param>
/// <param name="before">The calls that led to the method's own, the first one first.</param>
/// <param name="own">The call that the method runs for.</param>
internal sealed class CallScope(long deadline, ChainEntry[] before, ChainEntry own)
{
    /// <summary>The longest chain of calls.</summary>
    public const int MostEntries = 64;

    private static readonly AsyncLocal<CallScope?> s_current = new();

    private ChainEntry[]? _chain;

    public long Deadline => deadline;

    /// <summary>The calls, the first one first. Put together when it is asked for: most methods make no calls of their own.</summary>
    public ChainEntry[] Chain => _chain ??= [.. before, own];

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
