namespace Fluster.Cluster;

/// <summary>Names one registration: what owns the endpoints of a process that is no job.</summary>
public readonly record struct RegistrationId
{
    private readonly string? _value;

    private RegistrationId(string value) => _value = value;

    /// <summary>Reads a registration id: letters, digits, '.', '_', ':' and '-', at most 128 characters.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not such an id.</exception>
    public static RegistrationId Parse(string text) =>
        EndpointId.IsValid(text)
            ? new RegistrationId(text)
            : throw new FormatException($"'{text}' is not a registration id: it may have letters, digits, '.', '_', ':' and '-', and 1 to {EndpointId.MaxLength} characters.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("default(RegistrationId) names nothing.");
}
