namespace Fluster.Cluster;

/// <summary>Names one registration of an endpoint.</summary>
public readonly record struct EndpointId
{
    internal const int MaxLength = 128;

    private readonly string? _value;

    private EndpointId(string value) => _value = value;

    /// <summary>Reads an endpoint id: letters, digits, '.', '_', ':' and '-', at most 128 characters.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not such an id.</exception>
    public static EndpointId Parse(string text) =>
        IsValid(text)
            ? new EndpointId(text)
            : throw new FormatException($"'{text}' is not an endpoint id: it may have letters, digits, '.', '_', ':' and '-', and 1 to {MaxLength} characters.");

    internal static bool IsValid(string text) =>
        text is { Length: > 0 and <= MaxLength } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '-');

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("default(EndpointId) names nothing.");
}
