using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;

namespace Aspire.Hosting;

/// <summary>The environment variables by which one resource knows another.</summary>
internal static class ReferenceVariables
{
    /// <summary>The endpoints that a resource has when it is asked, which may be more than when it was referred to.</summary>
    public static IReadOnlyList<EndpointReference> Endpoints(IResourceWithEndpoints resource) =>
        [.. resource.Annotations.OfType<EndpointAnnotation>().Select(endpoint => new EndpointReference(resource, endpoint))];

    public static void AddService(EnvironmentCallbackContext context, IResource resource, string? name, IReadOnlyList<EndpointReference> endpoints)
    {
        var service = name ?? resource.Name;
        foreach (var endpoint in endpoints)
        {
            var prefix = $"services__{service}__{endpoint.EndpointName}__";
            var index = 0;
            while (context.EnvironmentVariables.TryGetValue($"{prefix}{index}", out var other) && !IsSame(other, endpoint))
            {
                index++;
            }

            if (Wants(context, ReferenceEnvironmentInjectionFlags.ServiceDiscovery))
            {
                context.EnvironmentVariables[$"{prefix}{index}"] = endpoint;
            }

            if (Wants(context, ReferenceEnvironmentInjectionFlags.Endpoints))
            {
                var shortName = name is null ? Encode(service).ToUpperInvariant() : Encode(name);
                context.EnvironmentVariables[$"{shortName}_{Encode(endpoint.EndpointName).ToUpperInvariant()}"] = endpoint;
            }
        }

        static bool IsSame(object value, EndpointReference endpoint) =>
            value is EndpointReference other && ReferenceEquals(other.EndpointAnnotation, endpoint.EndpointAnnotation);
    }

    public static void AddConnection(EnvironmentCallbackContext context, IResourceWithConnectionString resource, string name, bool optional)
    {
        var variable = resource.ConnectionStringEnvironmentVariable ?? $"ConnectionStrings__{name}";
        if (resource.NotStartedReason() is { } reason)
        {
            if (!optional)
            {
                throw new DistributedApplicationException($"There is no connection string for '{resource.Name}', because it was not started: {reason}");
            }

            // Said aloud, so that a value inherited from the AppHost's own environment does not show through.
            context.EnvironmentVariables[variable] = string.Empty;
            return;
        }

        if (Wants(context, ReferenceEnvironmentInjectionFlags.ConnectionString))
        {
            context.EnvironmentVariables[variable] = new ConnectionStringReference(resource, optional);
        }

        if (!Wants(context, ReferenceEnvironmentInjectionFlags.ConnectionProperties))
        {
            return;
        }

        var prefix = Encode(name).ToUpperInvariant();
        foreach (var (key, value) in resource.GetConnectionProperties())
        {
            context.EnvironmentVariables[$"{prefix}_{key.ToUpperInvariant()}"] = value;
        }
    }

    public static async Task AddExternalAsync(EnvironmentCallbackContext context, ExternalServiceResource service)
    {
        var address = await AddressAsync(context, service);
        var scheme = address is string text ? new Uri(text).Scheme : "default"; // a manifest knows the parameter's name alone
        if (Wants(context, ReferenceEnvironmentInjectionFlags.ServiceDiscovery))
        {
            context.EnvironmentVariables[$"services__{service.Name}__{scheme}__0"] = address;
        }

        if (Wants(context, ReferenceEnvironmentInjectionFlags.Endpoints))
        {
            context.EnvironmentVariables[Encode(service.Name).ToUpperInvariant()] = address;
        }
    }

    /// <summary>The address of a service that runs elsewhere: a text, or in a manifest the parameter that has it.</summary>
    public static async ValueTask<object> AddressAsync(EnvironmentCallbackContext context, ExternalServiceResource service) =>
        context.ExecutionContext.IsPublishMode && service.UrlParameter is { } parameter ? parameter : (await service.AddressAsync(context.CancellationToken)).ToString();

    /// <summary>Makes a name that a shell accepts as a variable.</summary>
    public static string Encode(string name)
    {
        var encoded = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return encoded.Length > 0 && char.IsAsciiDigit(encoded[0]) ? $"_{encoded}" : encoded;
    }

    private static bool Wants(EnvironmentCallbackContext context, ReferenceEnvironmentInjectionFlags flag) =>
        !context.Resource.TryGetLastAnnotation<ReferenceEnvironmentInjectionAnnotation>(out var annotation) || annotation.Flags.HasFlag(flag);
}
