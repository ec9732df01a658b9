namespace Fluster.Cluster;

/// <summary>The rules for the names of a job's ports: each becomes a variable, <c>FLUSTER_PORT_METRICS_HTTP</c> for <c>metrics-http</c>.</summary>
internal static class PortName
{
    public const int MaxLength = 63;
    public const int MaxCount = 64;

    /// <summary>What is wrong with a job's port names, as a sentence; null when nothing is.</summary>
    public static string? Problem(IReadOnlyCollection<string> names)
    {
        if (names.Count > MaxCount)
        {
            return $"A job can have {MaxCount} ports; this one asks for {names.Count}.";
        }

        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (!IsValid(name))
            {
                return $"'{name}' is not a port name: it may have letters, digits, '.', '_' and '-', starts with a letter or digit, and has 1 to {MaxLength} characters.";
            }

            var variable = FlusterEnvironment.PortVariable(name);
            if (!taken.TryAdd(variable, name))
            {
                return taken[variable] == name
                    ? $"The port '{name}' is asked for twice."
                    : $"The ports '{taken[variable]}' and '{name}' would share the variable {variable}; rename one of them.";
            }
        }

        return null;
    }

    /// <summary>Names that lead to the same variable are the same port.</summary>
    public static IEqualityComparer<string> Comparer { get; } =
        EqualityComparer<string>.Create(
            (left, right) => left == right || left is not null && right is not null && FlusterEnvironment.PortVariable(left) == FlusterEnvironment.PortVariable(right),
            name => FlusterEnvironment.PortVariable(name).GetHashCode(StringComparison.Ordinal));

    private static bool IsValid(string? name) =>
        name is { Length: > 0 and <= MaxLength } && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}
