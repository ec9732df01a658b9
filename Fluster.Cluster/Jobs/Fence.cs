namespace Fluster.Cluster;

/// <summary>
/// The number of one placement. It only grows for the life of a cluster, so that of two attempts at the same task the one
/// with the higher fence is the newer one, and what the older one sends can be refused wherever it arrives.
/// </summary>
/// <param name="Value">The epoch of the controller that placed the attempt in the upper 24 bits, a counter in the lower 40.</param>
public readonly record struct Fence(ulong Value) : IComparable<Fence>
{
    private const int CounterBits = 40;

    /// <summary>Which start of the controller made this placement.</summary>
    public long Epoch => (long)(Value >> CounterBits);

    /// <summary>Whether this is no placement at all.</summary>
    public bool IsNone => Value == 0;

    /// <summary>Reads a fence from the decimal digits that <see cref="ToString"/> writes.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not a fence.</exception>
    public static Fence Parse(string text) =>
        ulong.TryParse(text, System.Globalization.NumberStyles.None, null, out var value)
            ? new Fence(value)
            : throw new FormatException($"'{text}' is not a fence: a fence is a decimal number.");

    /// <inheritdoc/>
    public int CompareTo(Fence other) => Value.CompareTo(other.Value);

    /// <summary>Whether the left one is the older placement.</summary>
    public static bool operator <(Fence left, Fence right) => left.Value < right.Value;

    /// <summary>Whether the left one is the newer placement.</summary>
    public static bool operator >(Fence left, Fence right) => left.Value > right.Value;

    /// <summary>Whether the left one is the older placement or the same.</summary>
    public static bool operator <=(Fence left, Fence right) => left.Value <= right.Value;

    /// <summary>Whether the left one is the newer placement or the same.</summary>
    public static bool operator >=(Fence left, Fence right) => left.Value >= right.Value;

    /// <inheritdoc/>
    public override string ToString() => Value.ToString();

    /// <summary>The number of the placement in the life of the cluster, from 1. It goes on counting in the next epoch.</summary>
    internal long Counter => (long)(Value & (1UL << CounterBits) - 1);

    /// <summary>The fence of a placement that a controller of this epoch makes.</summary>
    internal static Fence Of(long epoch, long counter) => new((ulong)epoch << CounterBits | (ulong)counter);
}
