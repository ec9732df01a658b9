namespace Aspire.Hosting.ApplicationModel;

/// <summary>How many processes a resource has.</summary>
public sealed class ReplicaAnnotation(int replicas = 1) : IResourceAnnotation
{
    /// <summary>How many.</summary>
    public int Replicas { get; } = replicas;
}

/// <summary>A health check of a resource, registered with the AppHost's services under the same key.</summary>
public class HealthCheckAnnotation(string key) : IResourceAnnotation
{
    /// <summary>The name of the registration.</summary>
    public string Key { get; } = key;
}

/// <summary>How a resource stands to another: "Reference", "Parent", "WaitFor"…</summary>
public sealed class ResourceRelationshipAnnotation(IResource resource, string type) : IResourceAnnotation
{
    /// <summary>The other resource.</summary>
    public IResource Resource { get; } = resource;

    /// <summary>What it is to this one.</summary>
    public string Type { get; } = type;
}

/// <summary>The resource starts only when it is told to.</summary>
public sealed class ExplicitStartupAnnotation : IResourceAnnotation
{
}

/// <summary>The state that a resource is first shown in.</summary>
public class ResourceSnapshotAnnotation(CustomResourceSnapshot initialSnapshot) : IResourceAnnotation
{
    /// <summary>The state.</summary>
    public CustomResourceSnapshot InitialSnapshot { get; } = initialSnapshot;
}

/// <summary>What a resource waits for in another.</summary>
public enum WaitType
{
    /// <summary>That it runs and is healthy.</summary>
    WaitUntilHealthy = 0,

    /// <summary>That it has ended, with a certain exit code.</summary>
    WaitForCompletion = 1,

    /// <summary>That it runs.</summary>
    WaitUntilStarted = 2,
}

/// <summary>What a waiting resource does when the other ends or fails.</summary>
public enum WaitBehavior
{
    /// <summary>It goes on waiting: the other may be started again.</summary>
    WaitOnResourceUnavailable = 0,

    /// <summary>It fails too.</summary>
    StopOnResourceUnavailable = 1,
}

/// <summary>A resource waits for another before it starts.</summary>
public sealed class WaitAnnotation(IResource resource, WaitType waitType, int exitCode = 0) : IResourceAnnotation
{
    /// <summary>The other resource.</summary>
    public IResource Resource { get; } = resource;

    /// <summary>What is waited for.</summary>
    public WaitType WaitType { get; } = waitType;

    /// <summary>What happens when the other ends or fails. Default: the application's.</summary>
    public WaitBehavior? WaitBehavior { get; init; }

    /// <summary>The exit code that counts as completed.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>The image of a container resource.</summary>
public sealed class ContainerImageAnnotation : IResourceAnnotation
{
    /// <summary>The registry; null for the engine's default.</summary>
    public string? Registry { get; set; }

    /// <summary>The name.</summary>
    public required string Image { get; set; }

    /// <summary>The tag; null for "latest".</summary>
    public string? Tag { get; set; }
}

/// <summary>Where a mount comes from.</summary>
public enum ContainerMountType
{
    /// <summary>A directory of the machine.</summary>
    BindMount = 0,

    /// <summary>A volume of the engine.</summary>
    Volume = 1,
}

/// <summary>A directory in a container that outlives it.</summary>
public sealed class ContainerMountAnnotation(string? source, string target, ContainerMountType type, bool isReadOnly) : IResourceAnnotation
{
    /// <summary>The directory of the machine, or the volume's name; null for a nameless volume.</summary>
    public string? Source { get; } = source;

    /// <summary>The directory in the container.</summary>
    public string Target { get; } = target;

    /// <summary>Where it comes from.</summary>
    public ContainerMountType Type { get; } = type;

    /// <summary>Whether the container may only read it.</summary>
    public bool IsReadOnly { get; } = isReadOnly;
}

/// <summary>The launch profile that was asked for.</summary>
public sealed class LaunchProfileAnnotation(string launchProfileName) : IResourceAnnotation
{
    /// <summary>Its name.</summary>
    public string LaunchProfileName { get; } = launchProfileName;
}

/// <summary>No launch profile is used.</summary>
public sealed class ExcludeLaunchProfileAnnotation : IResourceAnnotation
{
}

/// <summary>The icon of a resource.</summary>
public sealed class ResourceIconAnnotation(string iconName, IconVariant iconVariant = IconVariant.Filled) : IResourceAnnotation
{
    /// <summary>Its name.</summary>
    public string IconName { get; } = iconName;

    /// <summary>How it is drawn.</summary>
    public IconVariant IconVariant { get; } = iconVariant;
}

/// <summary>Lists leave the resource out.</summary>
internal sealed class HiddenAnnotation : IResourceAnnotation;

/// <summary>A project that is deployed does not believe what proxies say of their callers.</summary>
public sealed class DisableForwardedHeadersAnnotation : IResourceAnnotation
{
}

/// <summary>Which endpoints a project is told to listen on.</summary>
internal sealed class ListenedEndpointsAnnotation(Func<EndpointAnnotation, bool> filter) : IResourceAnnotation
{
    public Func<EndpointAnnotation, bool> Filter { get; } = filter;
}

/// <summary>What references to other resources put into an environment.</summary>
[Flags]
public enum ReferenceEnvironmentInjectionFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Connection strings.</summary>
    ConnectionString = 1,

    /// <summary>Their parts.</summary>
    ConnectionProperties = 2,

    /// <summary>Addresses, for service discovery.</summary>
    ServiceDiscovery = 4,

    /// <summary>Addresses, under names that a shell takes.</summary>
    Endpoints = 8,

    /// <summary>All of it.</summary>
    All = 15,
}

/// <summary>What references to other resources put into this one's environment.</summary>
public sealed class ReferenceEnvironmentInjectionAnnotation(ReferenceEnvironmentInjectionFlags flags) : IResourceAnnotation
{
    /// <summary>What.</summary>
    public ReferenceEnvironmentInjectionFlags Flags { get; } = flags;
}
