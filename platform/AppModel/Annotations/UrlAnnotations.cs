using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Where people see an address of a resource.</summary>
public enum UrlDisplayLocation
{
    /// <summary>In lists and with the resource's details.</summary>
    SummaryAndDetails = 0,

    /// <summary>With its details only.</summary>
    DetailsOnly = 1,
}

/// <summary>An address of a resource, for people.</summary>
public sealed class ResourceUrlAnnotation : IResourceAnnotation
{
#pragma warning disable CA1051 // A field in the original.
    /// <summary>Larger ones come first; those without come after them.</summary>
    public int? DisplayOrder;
#pragma warning restore CA1051

    /// <summary>The address. A relative one is completed by the endpoint's.</summary>
    public required string Url { get; set; }

    /// <summary>What people read instead.</summary>
    public string? DisplayText { get; set; }

    /// <summary>The endpoint that it is an address of; null for any other.</summary>
    public EndpointReference? Endpoint { get; init; }

    /// <summary>Where it is seen. Default: everywhere.</summary>
    public UrlDisplayLocation DisplayLocation { get; set; }
}

/// <summary>Changes the addresses of a resource once its endpoints have theirs.</summary>
public sealed class ResourceUrlsCallbackAnnotation : IResourceAnnotation
{
    /// <summary>A change that needs no waiting.</summary>
    public ResourceUrlsCallbackAnnotation(Action<ResourceUrlsCallbackContext> callback)
    {
        ArgumentNullException.ThrowIfNull(callback);
        Callback = context =>
        {
            callback(context);
            return Task.CompletedTask;
        };
    }

    /// <summary>Any change.</summary>
    public ResourceUrlsCallbackAnnotation(Func<ResourceUrlsCallbackContext, Task> callback)
    {
        ArgumentNullException.ThrowIfNull(callback);
        Callback = callback;
    }

    /// <summary>What changes them.</summary>
    public Func<ResourceUrlsCallbackContext, Task> Callback { get; }
}

/// <summary>The addresses of a resource in the making.</summary>
public class ResourceUrlsCallbackContext
{
    /// <summary>Makes a context.</summary>
    public ResourceUrlsCallbackContext(
        DistributedApplicationExecutionContext executionContext, IResource resource, List<ResourceUrlAnnotation>? urls = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executionContext);
        ArgumentNullException.ThrowIfNull(resource);
        (ExecutionContext, Resource, Urls, CancellationToken) = (executionContext, resource, urls ?? [], cancellationToken);
    }

    /// <summary>The resource.</summary>
    public IResource Resource { get; }

    /// <summary>The addresses so far.</summary>
    public List<ResourceUrlAnnotation> Urls { get; }

    /// <summary>Cancelled when the start is given up.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Writes to the resource's console.</summary>
    public ILogger Logger { get; set; } = NullLogger.Instance;

    /// <summary>What the AppHost was started for.</summary>
    public DistributedApplicationExecutionContext ExecutionContext { get; }

    /// <summary>An endpoint of the resource; null when it has none of that name.</summary>
    public EndpointReference? GetEndpoint(string name) =>
        Resource is IResourceWithEndpoints owner && new EndpointReference(owner, name) is { Exists: true } endpoint ? endpoint : null;
}
