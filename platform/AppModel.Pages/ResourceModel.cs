namespace AppModel.Pages;

/// <summary>A resource, or one process of it, as the list shows it.</summary>
public sealed record ResourceRow
{
    /// <summary>The id of the process, or the resource's name.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Type { get; init; }

    public required string State { get; init; }

    /// <summary>The class of the state's colour: "tone-ok"…</summary>
    public required string Tone { get; init; }

    /// <summary>"Healthy", "Unhealthy"…; null when nothing is known.</summary>
    public string? Health { get; init; }

    public string HealthTone { get; init; } = "tone-off";

    public int? ExitCode { get; init; }

    /// <summary>Why it was not started, or what else there is to say.</summary>
    public string? Remark { get; init; }

    public DateTimeOffset? Started { get; init; }

    public string Source { get; init; } = "";

    public IReadOnlyList<ResourceUrl> Urls { get; init; } = [];

    public IReadOnlyList<CommandButton> Commands { get; init; } = [];

    /// <summary>The resource that this one is shown under; null for none.</summary>
    public string? Parent { get; init; }
}

/// <summary>A resource and its processes.</summary>
public sealed record ResourceGroup(string Name, IReadOnlyList<ResourceRow> Rows);

/// <summary>An address; only those that a browser can open are links.</summary>
public sealed record ResourceUrl(string? Name, string Url)
{
    public bool IsLink => Url.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || Url.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
}

/// <summary>A command that can be seen.</summary>
public sealed record CommandButton(string Name, string Text, string? Description, string? Confirmation, bool IsEnabled, bool IsHighlighted);

/// <summary>What became of a command.</summary>
public sealed record CommandNotice(DateTimeOffset At, string Resource, string Command, string Text, string Tone);

/// <summary>All about one process of a resource.</summary>
public sealed record ResourceDetails(
    ResourceRow Row,
    IReadOnlyList<(string Name, string Value)> Facts,
    IReadOnlyList<HealthRow> Health,
    IReadOnlyList<VariableRow> Environment,
    IReadOnlyList<(string Name, string Type)> Relationships);

/// <summary>What a health check last said.</summary>
public sealed record HealthRow(string Name, string Status, string Tone, string? Text);

/// <summary>A variable of the environment. A secret has no value here.</summary>
public sealed record VariableRow(string Name, string? Value, bool IsSecret);
