namespace Fluster.Cluster;

/// <summary>Separates the endpoints and jobs of one user's work from those of others. Inherited from the submitter.</summary>
public readonly record struct Namespace
{
    private const int MaxLength = 128;
    private readonly string? _value;

    private Namespace(string value) => _value = value;

    /// <summary>The namespace of work that was given none: <c>default</c> (seed 000).</summary>
    public static Namespace Default { get; } = new("default");

    /// <summary>Reads a namespace: letters, digits, '.', '_', '-' and '/', at most 128 characters.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not a namespace.</exception>
    public static Namespace Parse(string text) => IsValid(text)
        ? new Namespace(text)
        : throw new FormatException($"'{text}' is not a namespace: it may have letters, digits, '.', '_', '-' and '/', and 1 to {MaxLength} characters.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("default(Namespace) names no namespace.");

    internal static bool IsValid(string? text) =>
        text is { Length: > 0 and <= MaxLength } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/');
}
