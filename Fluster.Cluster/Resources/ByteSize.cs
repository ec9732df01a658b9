using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Fluster.Cluster;

/// <summary>An amount of memory or disk, in bytes.</summary>
/// <param name="Bytes">The number of bytes; never negative.</param>
public readonly record struct ByteSize(long Bytes) : IComparable<ByteSize>
{
    private const string Units = "kmgt"; // each 1024 times the one before

    private static readonly SearchValues<char> s_numberCharacters = SearchValues.Create("0123456789.");

    /// <summary>The number of bytes; never negative.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long Bytes { get; } = Bytes >= 0 ? Bytes : throw new ArgumentOutOfRangeException(nameof(Bytes), Bytes, "A size cannot be negative.");

    /// <summary>So many times 1024 bytes.</summary>
    public static ByteSize FromKiB(long count) => new(checked(count << 10));

    /// <summary>So many times 1024² bytes.</summary>
    public static ByteSize FromMiB(long count) => new(checked(count * (1L << 20)));

    /// <summary>So many times 1024³ bytes.</summary>
    public static ByteSize FromGiB(long count) => new(checked(count * (1L << 30)));

    /// <summary>
    /// Reads a size as people write it: <c>512m</c>, <c>2 GB</c>, <c>1.5GiB</c>, <c>1048576</c>. Units are k, m, g and t, alone or with
    /// B or iB, in any case, always powers of 1024; no unit means bytes. Spaces are allowed around the number and the unit.
    /// </summary>
    /// <exception cref="FormatException"><paramref name="text"/> is anything else; the message quotes it.</exception>
    public static ByteSize Parse(string text) => TryParse(text, out var size)
        ? size
        : throw new FormatException($"'{text}' is not a size: write a number of bytes, or a number with k, m, g or t (for example 512m, 2 GB or 1.5GiB).");

    /// <summary>Reads a size; false when <paramref name="text"/> is not one.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ByteSize size)
    {
        size = default;
        var span = text.AsSpan().Trim(' ');
        var digits = span.IndexOfAnyExcept(s_numberCharacters) is var end and >= 0 ? span[..end] : span;
        if (!TryReadUnit(span[digits.Length..].Trim(' '), out var shift))
        {
            return false;
        }

        // Digits, and with a unit perhaps a point with digits on both sides. No sign, no exponent, no separators.
        if (!decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            || digits[0] == '.' || digits[^1] == '.' || shift == 0 && digits.Contains('.'))
        {
            return false;
        }

        const decimal Largest = long.MaxValue;
        decimal unit = 1L << shift;
        if (number > Largest / unit)
        {
            return false;
        }

        size = new ByteSize((long)decimal.Ceiling(number * unit));
        return true;
    }

    /// <summary>Reads a size, so that <c>Memory = "2g"</c> can be written.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not a size.</exception>
    public static implicit operator ByteSize(string text) => Parse(text);

    /// <summary>The size that <paramref name="text"/> writes: the same as <see cref="Parse"/>.</summary>
    public static ByteSize FromString(string text) => Parse(text);

    /// <inheritdoc/>
    public int CompareTo(ByteSize other) => Bytes.CompareTo(other.Bytes);

    /// <summary>Whether the left one is smaller.</summary>
    public static bool operator <(ByteSize left, ByteSize right) => left.Bytes < right.Bytes;

    /// <summary>Whether the left one is larger.</summary>
    public static bool operator >(ByteSize left, ByteSize right) => left.Bytes > right.Bytes;

    /// <summary>Whether the left one is smaller or the same.</summary>
    public static bool operator <=(ByteSize left, ByteSize right) => left.Bytes <= right.Bytes;

    /// <summary>Whether the left one is larger or the same.</summary>
    public static bool operator >=(ByteSize left, ByteSize right) => left.Bytes >= right.Bytes;

    /// <summary>The size in the largest unit that leaves a whole number: <c>256 MiB</c>. <see cref="Parse"/> reads it back.</summary>
    public override string ToString()
    {
        var (count, unit) = (Bytes, 0);
        while (unit < Units.Length && count != 0 && count % 1024 == 0)
        {
            (count, unit) = (count / 1024, unit + 1);
        }

        return unit == 0 ? count.ToString(CultureInfo.InvariantCulture) : $"{count} {char.ToUpperInvariant(Units[unit - 1])}iB";
    }

    private static bool TryReadUnit(ReadOnlySpan<char> text, out int shift)
    {
        shift = 0;
        if (text.IsEmpty)
        {
            return true;
        }

        shift = 10 * (Units.IndexOf(char.ToLowerInvariant(text[0]), StringComparison.Ordinal) + 1);
        var rest = text[1..];
        return shift > 0 && (rest.IsEmpty || rest.Equals("b", StringComparison.OrdinalIgnoreCase) || rest.Equals("ib", StringComparison.OrdinalIgnoreCase));
    }
}
