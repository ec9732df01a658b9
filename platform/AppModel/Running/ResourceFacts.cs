using System.Collections.Immutable;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Running;

/// <summary>The resource was not started, and why. Nobody waits for it and its connection string is empty.</summary>
internal sealed class NotStartedAnnotation(string reason) : IResourceAnnotation
{
    public string Reason { get; } = reason;
}

/// <summary>The ids of a resource's processes.</summary>
internal sealed class InstancesAnnotation(IReadOnlyList<string> ids) : IResourceAnnotation
{
    public IReadOnlyList<string> Ids { get; } = ids;
}

/// <summary>What the running application knows of a resource.</summary>
internal static class ResourceFacts
{
    private const string IdLetters = "abcdefghijklmnopqrstuvwxyz";
    private const int IdLength = 8;

    public static string? NotStartedReason(this IResource resource) =>
        resource.Annotations.OfType<NotStartedAnnotation>().LastOrDefault()?.Reason;

    public static IReadOnlyList<string> InstanceIds(this IResource resource) =>
        resource.Annotations.OfType<InstancesAnnotation>().LastOrDefault()?.Ids ?? [resource.Name];

    public static bool IsProcess(this IResource resource) => resource is ProjectResource or ExecutableResource or ContainerResource;

    public static int Replicas(this IResource resource) => resource.Annotations.OfType<ReplicaAnnotation>().LastOrDefault()?.Replicas ?? 1;

    /// <summary>Names the processes that the resource will have: its name and eight letters.</summary>
    public static void NameInstances(this IResource resource)
    {
        if (!resource.Annotations.OfType<InstancesAnnotation>().Any())
        {
            resource.Annotations.Add(new InstancesAnnotation([.. Enumerable.Range(0, resource.Replicas())
                .Select(_ => $"{resource.Name}-{RandomNumberGenerator.GetString(IdLetters, IdLength)}")]));
        }
    }

    public static CustomResourceSnapshot FirstSnapshot(this IResource resource)
    {
        var snapshot = resource.Annotations.OfType<ResourceSnapshotAnnotation>().LastOrDefault()?.InitialSnapshot ?? new CustomResourceSnapshot
        {
            ResourceType = resource switch
            {
                ProjectResource => "Project",
                ExecutableResource => "Executable",
                ContainerResource => "Container",
                ParameterResource => "Parameter",
                _ => resource.GetType().Name.Replace("Resource", "", StringComparison.Ordinal),
            },
            Properties = [],
        };
        var icon = resource.Annotations.OfType<ResourceIconAnnotation>().LastOrDefault();
        return snapshot with
        {
            IconName = icon?.IconName ?? snapshot.IconName,
            IconVariant = icon?.IconVariant ?? snapshot.IconVariant,
            IsHidden = snapshot.IsHidden || resource.Annotations.OfType<HiddenAnnotation>().Any(),
            HealthReports = resource.UnknownHealth(),
            Relationships = [.. resource.Annotations.OfType<ResourceRelationshipAnnotation>()
                .Select(relationship => new RelationshipSnapshot(relationship.Resource.Name, relationship.Type)).Distinct()],
        };
    }

    /// <summary>The resource's commands, and whether they can be run when it looks like this.</summary>
    public static ImmutableArray<ResourceCommandSnapshot> CommandsIn(this IResource resource, CustomResourceSnapshot snapshot, IServiceProvider services)
    {
        var context = new UpdateCommandStateContext { ResourceSnapshot = snapshot, ServiceProvider = services };
        return
        [
            .. resource.Annotations.OfType<ResourceCommandAnnotation>().Select(command => new ResourceCommandSnapshot(
                command.Name, command.UpdateState(context), command.DisplayName, command.DisplayDescription, command.Parameter, command.ConfirmationMessage, command.IconName, command.IconVariant, command.IsHighlighted)),
        ];
    }

    public static ImmutableArray<HealthReportSnapshot> UnknownHealth(this IResource resource) =>
        [.. resource.HealthKeys().Select(key => new HealthReportSnapshot(key, Status: null, Description: null, ExceptionText: null))];

    public static IReadOnlyList<string> HealthKeys(this IResource resource) =>
        [.. resource.Annotations.OfType<HealthCheckAnnotation>().Select(check => check.Key)];

    /// <summary>The resources that this one needs: those it waits for or refers to.</summary>
    public static IEnumerable<IResource> Needs(this IResource resource) => resource.Annotations
        .OfType<WaitAnnotation>().Select(wait => wait.Resource)
        .Concat(resource.Annotations.OfType<ResourceRelationshipAnnotation>()
            .Where(relationship => relationship.Type == "Reference").Select(relationship => relationship.Resource))
        .Distinct();
}
