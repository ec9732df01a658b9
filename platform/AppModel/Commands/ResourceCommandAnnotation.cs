using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A command of a resource, which people and tests can run.</summary>
public sealed class ResourceCommandAnnotation : IResourceAnnotation
{
    /// <summary>Makes a command.</summary>
    public ResourceCommandAnnotation(
        string name,
        string displayName,
        Func<UpdateCommandStateContext, ResourceCommandState> updateState,
        Func<ExecuteCommandContext, Task<ExecuteCommandResult>> executeCommand,
        string? displayDescription,
        object? parameter,
        string? confirmationMessage,
        string? iconName,
        IconVariant? iconVariant,
        bool isHighlighted)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(displayName);
        ArgumentNullException.ThrowIfNull(updateState);
        ArgumentNullException.ThrowIfNull(executeCommand);
        (Name, DisplayName, UpdateState, ExecuteCommand) = (name, displayName, updateState, executeCommand);
        (DisplayDescription, Parameter, ConfirmationMessage) = (displayDescription, parameter, confirmationMessage);
        (IconName, IconVariant, IsHighlighted) = (iconName, iconVariant, isHighlighted);
    }

    /// <summary>What it is called by programs.</summary>
    public string Name { get; }

    /// <summary>What people read.</summary>
    public string DisplayName { get; }

    /// <summary>Says, whenever the resource changes, whether it can be run.</summary>
    public Func<UpdateCommandStateContext, ResourceCommandState> UpdateState { get; }

    /// <summary>Runs it.</summary>
    public Func<ExecuteCommandContext, Task<ExecuteCommandResult>> ExecuteCommand { get; }

    /// <summary>A sentence about it.</summary>
    public string? DisplayDescription { get; }

    internal object? Parameter { get; }

    /// <summary>What is asked before it runs; null: nothing.</summary>
    public string? ConfirmationMessage { get; }

    /// <summary>The name of its icon.</summary>
    public string? IconName { get; }

    /// <summary>How the icon is drawn.</summary>
    public IconVariant? IconVariant { get; }

    /// <summary>Whether it stands before the others.</summary>
    public bool IsHighlighted { get; }
}

/// <summary>How an icon is drawn.</summary>
public enum IconVariant
{
    /// <summary>In lines.</summary>
    Regular = 0,

    /// <summary>Filled.</summary>
    Filled = 1,
}

/// <summary>Whether a command can be run.</summary>
public enum ResourceCommandState
{
    /// <summary>It can.</summary>
    Enabled = 0,

    /// <summary>It is shown, and cannot be run now.</summary>
    Disabled = 1,

    /// <summary>It is not shown.</summary>
    Hidden = 2,
}

/// <summary>What a command's state is decided by.</summary>
public sealed class UpdateCommandStateContext
{
    /// <summary>The resource as it is now.</summary>
    public required CustomResourceSnapshot ResourceSnapshot { get; init; }

    /// <summary>The AppHost's services.</summary>
    public required IServiceProvider ServiceProvider { get; init; }
}

/// <summary>What a command is run with.</summary>
public sealed class ExecuteCommandContext
{
    /// <summary>The AppHost's services.</summary>
    public required IServiceProvider ServiceProvider { get; init; }

    /// <summary>The id of the process that the command is for, or the resource's name.</summary>
    public required string ResourceName { get; init; }

    /// <summary>Cancelled when whoever asked for it wants it no more.</summary>
    public required CancellationToken CancellationToken { get; init; }

    /// <summary>The resource's console.</summary>
    public required ILogger Logger { get; init; }
}

/// <summary>More about a command.</summary>
public class CommandOptions
{
    /// <summary>A sentence about it.</summary>
    public string? Description { get; set; }

    /// <summary>What is asked before it runs. Default: nothing.</summary>
    public string? ConfirmationMessage { get; set; }

    /// <summary>The name of its icon.</summary>
    public string? IconName { get; set; }

    /// <summary>How the icon is drawn.</summary>
    public IconVariant? IconVariant { get; set; }

    /// <summary>Whether it stands before the others. Default: false.</summary>
    public bool IsHighlighted { get; set; }

    /// <summary>Says, whenever the resource changes, whether it can be run. Default: always.</summary>
    public Func<UpdateCommandStateContext, ResourceCommandState>? UpdateState { get; set; }
}

/// <summary>A command as it is shown.</summary>
public sealed record ResourceCommandSnapshot(
    string Name, ResourceCommandState State, string DisplayName, string? DisplayDescription, object? Parameter, string? ConfirmationMessage, string? IconName, IconVariant? IconVariant, bool IsHighlighted);
