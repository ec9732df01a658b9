namespace Fluster.Tests;

/// <summary>Numbers that follow from a seed, the same on every machine and in every version of .NET.</summary>
internal sealed class SimulationDice(ulong seed)
{
    private ulong _state = seed * 0x9E37_79B9_7F4A_7C15 + 1;

    /// <summary>0 to <paramref name="sides"/> - 1.</summary>
    public int Roll(int sides)
    {
        _state += 0x9E37_79B9_7F4A_7C15;
        var mixed = (_state ^ _state >> 30) * 0xBF58_476D_1CE4_E5B9;
        mixed = (mixed ^ mixed >> 27) * 0x94D0_49BB_1331_11EB;
        return (int)((mixed ^ mixed >> 31) % (ulong)sides);
    }

    public int Between(int from, int to) => from + Roll(to - from + 1);

    /// <summary>True so many times in a hundred.</summary>
    public bool Chance(int percent) => Roll(100) < percent;

    public T Any<T>(IReadOnlyList<T> items) => items[Roll(items.Count)];
}
