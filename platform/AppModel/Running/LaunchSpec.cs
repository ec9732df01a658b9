namespace Aspire.Hosting.Running;

/// <summary>Everything that starting one process of a resource takes.</summary>
internal sealed record LaunchSpec
{
    /// <summary>The program's full path.</summary>
    public required string Program { get; init; }

    public required IReadOnlyList<string> Arguments { get; init; }

    public required string WorkingDirectory { get; init; }

    /// <summary>The whole environment.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Those of its variables that the application model gives; the others are the AppHost's own.</summary>
    public required IEnumerable<string> GivenVariables { get; init; }

    /// <summary>What the program is told on its standard input; null for nothing.</summary>
    public string? Input { get; init; }

    /// <summary>The container that the program runs, and which it would leave behind if it were killed.</summary>
    public (string Command, string Name)? Container { get; init; }
}
