namespace Fluster.Cluster;

/// <summary>Names one worker of a cluster. A worker keeps its id over restarts.</summary>
public readonly record struct WorkerId
{
    private const int MaxLength = 128;
    private readonly string? _value;

    private WorkerId(string value) => _value = value;

    /// <summary>Reads a worker id: letters, digits, '.', '_', ':' and '-', at most 128 characters.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not such an id.</exception>
    public static WorkerId Parse(string text) =>
        text is { Length: > 0 and <= MaxLength } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '-')
            ? new WorkerId(text)
            : throw new FormatException($"'{text}' is not a worker id: it may have letters, digits, '.', '_', ':' and '-', and 1 to {MaxLength} characters.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("default(WorkerId) names nothing.");
}
