using System.Globalization;
using AppModel.Pages;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Dashboard;

/// <summary>The resources as pages show them, in the order in which the AppHost added them.</summary>
internal sealed class ResourceBoard(DistributedApplicationModel model, ResourceNotificationService notifications, SecretFinder secrets)
{
    public IReadOnlyList<ResourceGroup> Groups() =>
    [
        .. model.Resources
            .Select(resource => new ResourceGroup(resource.Name, [.. resource.InstanceIds().Select(Find).OfType<ResourceEvent>().Where(now => !now.Snapshot.IsHidden).Select(Row)]))
            .Where(group => group.Rows.Count > 0),
    ];

    /// <summary>A resource, by the id of its process or, when it has one, by its name.</summary>
    public ResourceDetails? Details(string id)
    {
        if (Find(id) is not { } now)
        {
            return null;
        }

        var snapshot = now.Snapshot;
        return new ResourceDetails(
            Row(now),
            [.. Facts(now)],
            [.. snapshot.HealthReports.Select(report => new HealthRow(report.Name, report.Status?.ToString() ?? "Not asked yet", Tone(report.Status), report.ExceptionText?.Split('\n')[0] ?? report.Description))],
            [.. snapshot.EnvironmentVariables.Where(variable => variable.IsFromSpec).OrderBy(variable => variable.Name, StringComparer.Ordinal).Select(Variable)],
            [.. snapshot.Relationships.Select(relationship => (relationship.ResourceName, relationship.Type))]);
    }

    /// <summary>What the resource's command asks before it runs; null: nothing, or there is no such command.</summary>
    public string? Confirmation(string id, string command) =>
        Find(id)?.Snapshot.Commands.FirstOrDefault(candidate => candidate.Name == command)?.ConfirmationMessage;

    private ResourceEvent? Find(string id) => notifications.TryGetCurrentState(id, out var now) ? now : null;

    private static ResourceRow Row(ResourceEvent now)
    {
        var snapshot = now.Snapshot;
        return new ResourceRow
        {
            Id = now.Resource.InstanceIds().Count > 1 ? now.ResourceId : now.Resource.Name, // the name is the same after a restart of the AppHost
            Name = now.Resource.InstanceIds().Count > 1 ? now.ResourceId : now.Resource.Name,
            Type = snapshot.ResourceType,
            State = snapshot.State?.Text is { Length: > 0 } state ? state : "Unknown",
            Tone = Tone(snapshot),
            Health = snapshot.HealthReports.IsEmpty ? null : snapshot.HealthStatus?.ToString(),
            HealthTone = Tone(snapshot.HealthStatus),
            ExitCode = snapshot.ExitCode,
            Remark = snapshot.Properties.FirstOrDefault(property => property.Name == "reason")?.Value as string
                ?? (snapshot.ExitCode is { } code and not 0 ? string.Create(CultureInfo.InvariantCulture, $"exit code {code}") : null),
            Started = Utc(snapshot.StartTimeStamp),
            Source = Source(now.Resource),
            Urls = [.. snapshot.Urls.Where(url => !url.IsInternal).Select(url => new ResourceUrl(url.Name, url.Url))],
            Commands =
            [
                .. snapshot.Commands.Where(command => command.State != ResourceCommandState.Hidden).OrderByDescending(command => command.IsHighlighted)
                    .Select(command => new CommandButton(
                        command.Name, command.DisplayName, command.DisplayDescription, command.ConfirmationMessage, command.State == ResourceCommandState.Enabled, command.IsHighlighted)),
            ],
            Parent = snapshot.Relationships.FirstOrDefault(relationship => relationship.Type == "Parent")?.ResourceName,
        };
    }

    private static IEnumerable<(string Name, string Value)> Facts(ResourceEvent now)
    {
        var snapshot = now.Snapshot;
        yield return ("Type", snapshot.ResourceType);
        yield return ("Id", now.ResourceId);
        if (Source(now.Resource) is { Length: > 0 } source)
        {
            yield return ("Source", source);
        }

        if (Utc(snapshot.StartTimeStamp) is { } started)
        {
            yield return ("Started", Local(started));
        }

        if (Utc(snapshot.StopTimeStamp) is { } stopped)
        {
            yield return ("Ended", Local(stopped));
        }

        if (snapshot.ExitCode is { } code)
        {
            yield return ("Exit code", code.ToString(CultureInfo.InvariantCulture));
        }

        foreach (var property in snapshot.Properties.Where(property => property.Name != "reason" && property.Value is not null))
        {
            yield return (property.Name == "executable.pid" ? "Process" : property.Name, property.IsSensitive ? "••••••••" : Convert.ToString(property.Value, CultureInfo.InvariantCulture)!);
        }

        static string Local(DateTimeOffset time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
    }

    private VariableRow Variable(EnvironmentVariableSnapshot variable) =>
        secrets.IsSecret(variable.Name, variable.Value) ? new VariableRow(variable.Name, Value: null, IsSecret: true) : new VariableRow(variable.Name, variable.Value, IsSecret: false);

    private static string Source(IResource resource) => resource switch
    {
        ProjectResource => resource.Annotations.OfType<IProjectMetadata>().LastOrDefault()?.ProjectPath ?? "",
        ExecutableResource executable => executable.Command,
        ContainerResource when resource.Annotations.OfType<ContainerImageAnnotation>().Any() =>
            resource.Annotations.OfType<RunsAsProgramAnnotation>().LastOrDefault()?.Program ?? ContainerEngine.ImageName((ContainerResource)resource),
        _ => "",
    };

    private static DateTimeOffset? Utc(DateTime? time) => time is { } known ? new DateTimeOffset(DateTime.SpecifyKind(known, DateTimeKind.Utc)) : null;

    private static string Tone(CustomResourceSnapshot snapshot) => snapshot.State switch
    {
        null => "tone-off",
        { Style: var style } when style == KnownResourceStateStyles.Error => "tone-bad",
        { Style: var style } when style == KnownResourceStateStyles.Success => "tone-ok",
        { Style: var style } when style == KnownResourceStateStyles.Warn => "tone-wait",
        { Text: var text } when text == KnownResourceStates.Running || text == KnownResourceStates.Active => "tone-ok",
        { Text: var text } when text == KnownResourceStates.FailedToStart || text == KnownResourceStates.RuntimeUnhealthy => "tone-bad",
        { Text: var text } when text == KnownResourceStates.Waiting || text == KnownResourceStates.ValueMissing => "tone-wait",
        { Text: var text } when text == KnownResourceStates.Starting || text == KnownResourceStates.Stopping || text == KnownResourceStates.Building => "tone-run",
        _ => "tone-off",
    };

    private static string Tone(HealthStatus? status) => status switch
    {
        HealthStatus.Healthy => "tone-ok",
        HealthStatus.Degraded => "tone-wait",
        HealthStatus.Unhealthy => "tone-bad",
        _ => "tone-off",
    };
}
