using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Running;

/// <summary>What a project says about itself: its launch profile, and the Kestrel endpoints of its appsettings.json.</summary>
internal static class ProjectDefaults
{
    public static void Apply(IResourceBuilder<ProjectResource> resource, IProjectMetadata metadata, ProjectResourceOptions options)
    {
        var name = resource.Resource.Name;
        var configuration = resource.ApplicationBuilder.Configuration;
        var settings = metadata.LaunchSettings ?? LaunchSettingsFile.Read(metadata.ProjectPath);
        var profile = LaunchSettingsFile.Pick(settings, options, configuration, name);

        var isPublished = resource.ApplicationBuilder.ExecutionContext.IsPublishMode;
        if (!isPublished)
        {
            resource.WithEnvironment("LOGGING__CONSOLE__FORMATTERNAME", "simple").WithOtlpExporter();
        }

        if (!isPublished && profile is { } picked)
        {
            resource.WithAnnotation(new LaunchProfileAnnotation(picked.Name));
            resource.WithEnvironment(context =>
            {
                context.EnvironmentVariables["DOTNET_LAUNCH_PROFILE"] = picked.Name;
                foreach (var (variable, value) in picked.Profile.EnvironmentVariables)
                {
                    context.EnvironmentVariables[variable] = Environment.ExpandEnvironmentVariables(value);
                }
            });
            resource.WithArgs(context =>
            {
                foreach (var argument in LaunchSettingsFile.Split(picked.Profile.CommandLineArgs))
                {
                    context.Args.Add(argument);
                }
            });
        }
        else if (options.ExcludeLaunchProfile)
        {
            resource.WithAnnotation<ExcludeLaunchProfileAnnotation>();
        }

        var kestrel = options.ExcludeKestrelEndpoints ? [] : KestrelEndpoints(metadata.ProjectPath, EnvironmentName(profile?.Profile));
        foreach (var endpoint in kestrel.Count > 0 ? kestrel : ProfileEndpoints(profile?.Profile, name))
        {
            resource.WithAnnotation(endpoint);
        }

        if (isPublished)
        {
            AddMissingScheme(resource.Resource);
        }

        resource.WithEnvironment(context =>
        {
            if (context.ExecutionContext.IsPublishMode)
            {
                AddPublishedAddresses(context, resource.Resource);
            }
            else
            {
                AddAddresses(context, resource.Resource);
            }
        });
    }

    /// <summary>A web project that is deployed has both http and https: what stands before it speaks TLS.</summary>
    private static void AddMissingScheme(ProjectResource resource)
    {
        var web = resource.Annotations.OfType<EndpointAnnotation>().Where(endpoint => endpoint.UriScheme is "http" or "https").ToList();
        if (web.Count == 0 || web.Exists(endpoint => endpoint.KestrelName is not null))
        {
            return;
        }

        foreach (var scheme in (string[])["http", "https"])
        {
            if (!web.Exists(endpoint => endpoint.UriScheme == scheme))
            {
                resource.Annotations.Add(new EndpointAnnotation(ProtocolType.Tcp, scheme));
            }
        }
    }

    private static void AddPublishedAddresses(EnvironmentCallbackContext context, ProjectResource resource)
    {
        var endpoints = Listened(resource);
        if (endpoints.Count == 0)
        {
            return;
        }

        if (!resource.HasAnnotationOfType<DisableForwardedHeadersAnnotation>())
        {
            context.EnvironmentVariables["ASPNETCORE_FORWARDEDHEADERS_ENABLED"] = "true";
        }

        if (endpoints.Exists(endpoint => endpoint.KestrelName is not null))
        {
            foreach (var endpoint in endpoints)
            {
                context.EnvironmentVariables[$"Kestrel__Endpoints__{endpoint.KestrelName ?? endpoint.Name}__Url"] =
                    ReferenceExpression.Create($"{endpoint.UriScheme}://*:{new EndpointReference(resource, endpoint).Property(EndpointProperty.TargetPort)}");
            }
        }
        else if (endpoints.Find(endpoint => endpoint.UriScheme == "http") is { } http)
        {
            context.EnvironmentVariables["HTTP_PORTS"] = new EndpointReference(resource, http).Property(EndpointProperty.TargetPort);
        }
    }

    /// <summary>Tells the project where to listen, in the way that its own configuration asks for.</summary>
    private static void AddAddresses(EnvironmentCallbackContext context, ProjectResource resource)
    {
        var endpoints = Listened(resource);
        if (endpoints.Count == 0)
        {
            return;
        }

        if (endpoints.Exists(endpoint => endpoint.KestrelName is not null))
        {
            foreach (var endpoint in endpoints)
            {
                context.EnvironmentVariables[$"Kestrel__Endpoints__{endpoint.KestrelName ?? endpoint.Name}__Url"] = Listen(endpoint);
            }
        }
        else
        {
            context.EnvironmentVariables["ASPNETCORE_URLS"] = string.Join(';', endpoints.Select(Listen));
        }

        static string Listen(EndpointAnnotation endpoint) => $"{endpoint.UriScheme}://{endpoint.TargetHost}:{endpoint.ListeningPort}";
    }

    /// <summary>The endpoints that the project is told to listen on.</summary>
    private static List<EndpointAnnotation> Listened(ProjectResource resource) => [.. resource.Annotations.OfType<EndpointAnnotation>().Where(endpoint =>
        endpoint.UriScheme is "http" or "https" && resource.Annotations.OfType<ListenedEndpointsAnnotation>().All(annotation => annotation.Filter(endpoint)))];

    private static List<EndpointAnnotation> KestrelEndpoints(string projectPath, string environment)
    {
        var directory = Path.GetDirectoryName(projectPath)!;
        var sections = new ConfigurationBuilder()
            .AddJsonFile(Path.Combine(directory, "appsettings.json"), optional: true)
            .AddJsonFile(Path.Combine(directory, $"appsettings.{environment}.json"), optional: true)
            .Build()
            .GetSection("Kestrel:Endpoints")
            .GetChildren()
            .Where(section => section["Url"] is { Length: > 0 })
            .ToList();
        // A single endpoint is called like its scheme. Several keep their names, which tell them apart.
        return sections.ConvertAll(section => Endpoint(
            section["Url"]!,
            url => sections.Count == 1 ? url.Scheme : section.Key,
            transport: string.Equals(section["Protocols"], "Http2", StringComparison.OrdinalIgnoreCase) ? "http2" : null,
            kestrelName: section.Key));
    }

    private static List<EndpointAnnotation> ProfileEndpoints(LaunchProfile? profile, string resource)
    {
        var endpoints = new List<EndpointAnnotation>();
        foreach (var url in (profile?.ApplicationUrl ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            try
            {
                endpoints.Add(Endpoint(url, Unused, transport: null, kestrelName: null));
            }
            catch (UriFormatException exception)
            {
                throw new DistributedApplicationException($"The applicationUrl '{url}' in the launch profile of '{resource}' is not an address.", exception);
            }
        }

        return endpoints;

        // The second endpoint of a scheme is "http2", and so on.
        string Unused(Uri url) => endpoints.Count(other => other.UriScheme == url.Scheme) is > 0 and var count ? $"{url.Scheme}{count + 1}" : url.Scheme;
    }

    private static EndpointAnnotation Endpoint(string url, Func<Uri, string> name, string? transport, string? kestrelName)
    {
        // Uri knows no host "*" or "+"; here they mean "everywhere".
        var uri = new Uri(url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal));
        return new EndpointAnnotation(ProtocolType.Tcp, uri.Scheme, transport, name(uri), port: uri.Port > 0 ? uri.Port : null)
        {
            TargetHost = uri.Host,
            KestrelName = kestrelName,
        };
    }

    private static string EnvironmentName(LaunchProfile? profile) =>
        profile is null ? "Production"
        : profile.EnvironmentVariables.GetValueOrDefault("ASPNETCORE_ENVIRONMENT")
            ?? profile.EnvironmentVariables.GetValueOrDefault("DOTNET_ENVIRONMENT")
            ?? "Production";
}
