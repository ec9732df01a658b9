using System.Diagnostics.CodeAnalysis;

namespace Fluster.Cluster;

/// <summary>Names one machine of a backend; on TPU, a whole slice. It is the machine's name in the cloud, too (seed 003, stage 1).</summary>
public readonly record struct VmId
{
    private const int MaxLength = 63;
    private readonly string? _value;

    private VmId(string value) => _value = value;

    /// <summary>Reads the name of a machine: a small letter, then small letters, digits and '-', not '-' at the end, at most 63 characters, as Compute Engine has it.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not such a name.</exception>
    public static VmId Parse(string text) => TryParse(text, out var id)
        ? id
        : throw new FormatException($"'{text}' is not the name of a machine: a small letter, then small letters, digits and '-', not '-' at the end, at most {MaxLength} characters.");

    /// <summary>Reads the name of a machine; false when <paramref name="text"/> is not one: in a cloud's list, a machine that somebody else made and gave our labels.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out VmId id)
    {
        var isName = text is { Length: > 0 and <= MaxLength } && char.IsAsciiLetterLower(text[0]) && text[^1] != '-'
            && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');
        id = isName ? new VmId(text!) : default;
        return isName;
    }

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("default(VmId) names nothing.");
}
