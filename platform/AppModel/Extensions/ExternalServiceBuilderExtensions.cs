using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

/// <summary>Adds services that run elsewhere.</summary>
public static class ExternalServiceBuilderExtensions
{
    /// <summary>Adds a service, by its absolute address without a path.</summary>
    public static IResourceBuilder<ExternalServiceResource> AddExternalService(this IDistributedApplicationBuilder builder, [ResourceName] string name, string url)
    {
        ArgumentException.ThrowIfNullOrEmpty(url);
        return builder.AddExternalService(name, Uri.TryCreate(url, UriKind.Absolute, out var uri) ? uri : throw new ArgumentException($"'{url}' is not an absolute address.", nameof(url)));
    }

    /// <summary>Adds a service, by its absolute address without a path.</summary>
    public static IResourceBuilder<ExternalServiceResource> AddExternalService(this IDistributedApplicationBuilder builder, [ResourceName] string name, Uri uri)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new ExternalServiceResource(name, uri));
    }

    /// <summary>Adds a service whose address is a parameter's value.</summary>
    public static IResourceBuilder<ExternalServiceResource> AddExternalService(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, IResourceBuilder<ParameterResource> urlParameter)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(urlParameter);
        return builder.Add(new ExternalServiceResource(name, urlParameter.Resource));
    }

    /// <summary>Checks the service by a GET. Defaults: "/", 200.</summary>
    public static IResourceBuilder<ExternalServiceResource> WithHttpHealthCheck(this IResourceBuilder<ExternalServiceResource> builder, string? path = null, int? statusCode = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var (resource, wanted) = (builder.Resource, statusCode ?? 200);
        var key = string.Create(CultureInfo.InvariantCulture, $"{resource.Name}_external_{path ?? "/"}_{wanted}_check");
        builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            key,
            services => new HttpHealthCheck(services.GetRequiredService<HealthClient>(), async cancellationToken => new Uri(await resource.AddressAsync(cancellationToken), path ?? "/"), wanted),
            failureStatus: null,
            tags: null));
        return builder.WithHealthCheck(key);
    }

    private static IResourceBuilder<ExternalServiceResource> Add(this IDistributedApplicationBuilder builder, ExternalServiceResource resource) => builder
        .AddResource(resource)
        .ExcludeFromManifest()
        .WithInitialState(new CustomResourceSnapshot
        {
            ResourceType = "ExternalService",
            Properties = [],
            State = KnownResourceStates.Running,
            Urls = resource.Uri is { } uri ? [new UrlSnapshot(uri.Scheme, uri.ToString(), IsInternal: false)] : [],
        });
}
