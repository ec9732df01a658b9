using Fluster.Actors;
using Fluster.Cluster;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers a client of a Fluster cluster in a service, the way Aspire's client integrations do.</summary>
public static class FlusterClientExtensions
{
    private const string Section = "Fluster:Client";

    /// <summary>
    /// Registers <see cref="FlusterClient"/>, <see cref="IClusterController"/> and <see cref="IActorClientFactory"/> for the cluster that
    /// <c>ConnectionStrings:{connectionName}</c> names, and a health check.
    /// </summary>
    /// <param name="builder">The service.</param>
    /// <param name="connectionName">The name of the connection string, as <c>WithReference(fluster)</c> sets it.</param>
    /// <param name="configureSettings">Has the last word on the settings.</param>
    /// <exception cref="FormatException">The connection string is none. Thrown when the client is first asked for.</exception>
    public static void AddFlusterClient(this IHostApplicationBuilder builder, string connectionName, Action<FlusterClientSettings>? configureSettings = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var settings = Read(builder, connectionName, configureSettings);
        builder.Services.AddSingleton(_ => Connect(settings, connectionName));
        builder.Services.AddSingleton<IClusterController>(services => services.GetRequiredService<FlusterClient>());
        builder.Services.AddSingleton<IActorClientFactory>(services => new ClusterActorClientFactory(services.GetRequiredService<FlusterClient>()));
        AddHealthCheck(builder, settings, "Fluster", services => services.GetRequiredService<FlusterClient>());
    }

    /// <summary>The same for one of several clusters: everything is registered under the name.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="name">The name of the connection string, and the key of the services.</param>
    /// <param name="configureSettings">Has the last word on the settings.</param>
    public static void AddKeyedFlusterClient(this IHostApplicationBuilder builder, string name, Action<FlusterClientSettings>? configureSettings = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var settings = Read(builder, name, configureSettings);
        builder.Services.AddKeyedSingleton(name, (_, _) => Connect(settings, name));
        builder.Services.AddKeyedSingleton<IClusterController>(name, (services, key) => services.GetRequiredKeyedService<FlusterClient>(key));
        builder.Services.AddKeyedSingleton<IActorClientFactory>(name, (services, key) => new ClusterActorClientFactory(services.GetRequiredKeyedService<FlusterClient>(key)));
        AddHealthCheck(builder, settings, $"Fluster_{name}", services => services.GetRequiredKeyedService<FlusterClient>(name));
    }

    private static FlusterClientSettings Read(IHostApplicationBuilder builder, string name, Action<FlusterClientSettings>? configureSettings)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var settings = new FlusterClientSettings();
        var section = builder.Configuration.GetSection(Section);
        section.Bind(settings);
        section.GetSection(name).Bind(settings);
        if (builder.Configuration.GetConnectionString(name) is { Length: > 0 } connectionString)
        {
            settings.ConnectionString = connectionString;
        }

        configureSettings?.Invoke(settings);
        return settings;
    }

    private static FlusterClient Connect(FlusterClientSettings settings, string name)
    {
        var options = settings.ConnectionString is { Length: > 0 } text
            ? FlusterConnectionString.Parse(text, $"the connection string '{name}'")
            : ClientEnvironment.Find();
        return new FlusterClient(options with
        {
            Token = settings.Token ?? options.Token,
            Namespace = settings.Namespace is { Length: > 0 } @namespace ? Namespace.Parse(@namespace) : options.Namespace,
            RetryTimeout = settings.RetryTimeout,
        });
    }

    private static void AddHealthCheck(IHostApplicationBuilder builder, FlusterClientSettings settings, string name, Func<IServiceProvider, FlusterClient> client)
    {
        if (!settings.DisableHealthChecks)
        {
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(name, services => new FlusterHealthCheck(client(services)), failureStatus: null, tags: null));
        }
    }
}
