using Aspire.Hosting.Publishing;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Writes a resource into a manifest in its own way, or leaves it out.</summary>
public class ManifestPublishingCallbackAnnotation : IResourceAnnotation
{
    /// <summary>A way that needs no waiting; null to leave the resource out.</summary>
    public ManifestPublishingCallbackAnnotation(Action<ManifestPublishingContext>? callback) => Callback = callback is null ? null : context =>
    {
        callback(context);
        return Task.CompletedTask;
    };

    /// <summary>Any way; null to leave the resource out.</summary>
    public ManifestPublishingCallbackAnnotation(Func<ManifestPublishingContext, Task>? callback) => Callback = callback;

    /// <summary>Leaves a resource out.</summary>
    public static ManifestPublishingCallbackAnnotation Ignore { get; } = new((Func<ManifestPublishingContext, Task>?)null);

    /// <summary>What writes the resource; null to leave it out.</summary>
    public Func<ManifestPublishingContext, Task>? Callback { get; }
}
