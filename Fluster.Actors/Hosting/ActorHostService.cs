using Fluster.Cluster;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fluster.Actors;

/// <summary>An actor that a service hosts.</summary>
internal sealed record HostedActorRegistration(string Name, Type Implementation, ActorOptions? Options);

/// <summary>Where a service's actors listen. Bound from <c>Fluster:Actors</c>.</summary>
internal sealed class ActorHostSettings
{
    /// <summary>The address to listen on. Default: 127.0.0.1.</summary>
    public string? Host { get; set; }

    /// <summary>The port; 0 takes a free one.</summary>
    public int Port { get; set; }

    /// <summary>Lets other machines reach it without TLS. Default: false.</summary>
    public bool AllowPlainHttp { get; set; }

    /// <summary>The host that callers are told. Default: the one that it listens on.</summary>
    public string? AdvertiseHost { get; set; }
}

/// <summary>Serves the actors of a service from its start to its end, under one registration of the cluster.</summary>
internal sealed class ActorHostService(
    IServiceProvider services, IEnumerable<HostedActorRegistration> actors, ILoggerFactory loggers, IConfiguration? configuration = null) : IHostedService, IAsyncDisposable
{
    private ActorServer? _server;
    private IEndpointRegistration? _registration;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var settings = configuration?.GetSection("Fluster:Actors").Get<ActorHostSettings>() ?? new ActorHostSettings();
        var client = services.GetService<FlusterClient>();
        var inJob = FlusterContext.CurrentOrNull is not null;
        if (client is not null && !inJob)
        {
            _registration = await client.EndpointRegistry.OpenRegistrationAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        }

        _server = new ActorServer(new ActorServerOptions
        {
            Host = settings.Host,
            Port = inJob ? null : settings.Port,
            AdvertiseHost = settings.AdvertiseHost,
            AllowPlainHttp = settings.AllowPlainHttp,
            Registration = _registration,
            ClusterKey = client?.ClusterKey,
            LoggerFactory = loggers,
            TimeProvider = services.GetService<TimeProvider>() ?? TimeProvider.System,
        });
        foreach (var actor in actors)
        {
            _server.Register(actor.Name, services.GetRequiredService(actor.Implementation), actor.Options);
        }

        await _server.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_server is { } server)
        {
            await server.StopAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { } server)
        {
            await server.DisposeAsync().ConfigureAwait(false);
        }

        if (_registration is { } registration)
        {
            await registration.DisposeAsync().ConfigureAwait(false);
        }
    }
}
