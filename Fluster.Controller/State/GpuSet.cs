using System.Numerics;

namespace Fluster.Controller;

/// <summary>Some of the GPUs of one machine, by their index. One bit each.</summary>
internal readonly record struct GpuSet(ulong Bits)
{
    /// <summary>More are not in one machine; a worker that says otherwise is believed up to here.</summary>
    public const int Most = 64;

    public int Count => BitOperations.PopCount(Bits);

    public bool IsEmpty => Bits == 0;

    /// <summary>Their indices, lowest first.</summary>
    public IEnumerable<int> Indices
    {
        get
        {
            for (var left = Bits; left != 0; left &= left - 1)
            {
                yield return BitOperations.TrailingZeroCount(left);
            }
        }
    }

    /// <summary>The GPUs 0 to <paramref name="count"/> - 1.</summary>
    public static GpuSet First(int count) => new(count >= Most ? ulong.MaxValue : (1UL << Math.Max(0, count)) - 1);

    /// <summary>The <paramref name="count"/> with the lowest indices.</summary>
    public GpuSet Lowest(int count)
    {
        var rest = Bits;
        for (var i = 0; i < count && rest != 0; i++)
        {
            rest &= rest - 1;
        }

        return new GpuSet(Bits & ~rest);
    }

    public GpuSet With(GpuSet others) => new(Bits | others.Bits);

    public GpuSet Without(GpuSet others) => new(Bits & ~others.Bits);

    public bool Overlaps(GpuSet others) => (Bits & others.Bits) != 0;

    public override string ToString() => string.Join(',', Indices);
}
