using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.Running;

/// <summary>The services of an AppHost.</summary>
internal static class AppModelServices
{
    public static void AddAppModel(
        this IServiceCollection services, IResourceCollection resources, IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext execution,
        DistributedApplicationOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(new RunTimes());
        services.AddSingleton(new DistributedApplicationModel(resources));
        services.AddSingleton(eventing);
        services.AddSingleton(execution);
        services.AddSingleton<ConsoleBoard>();
        services.AddSingleton<ILoggerProvider, ConsoleBoardLoggerProvider>();
        services.AddLogging(logging => logging
            .AddFilter("Microsoft", LogLevel.Warning)
            // Every failed check is shown as the resource's state; while a resource starts they are normal.
            .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None));
        services.AddHealthChecks();

        services.AddSingleton(provider => new ResourceNotificationService(
            provider.GetRequiredService<TimeProvider>(), provider, options.DisableDashboard ? WaitBehavior.StopOnResourceUnavailable : WaitBehavior.WaitOnResourceUnavailable));
        services.AddSingleton(provider =>
        {
            var board = provider.GetRequiredService<ConsoleBoard>();
            var feed = provider.GetRequiredService<ConsoleFeed>();
            return new ResourceLoggerService((id, line, isError) =>
            {
                board.WriteLine(id, line);
                feed.Append(id, line, isError);
            });
        });
        services.AddSingleton(provider => new ResourceCommandService(provider.GetRequiredService<Orchestrator>));
        services.AddSingleton<HealthClient>();
        services.AddSingleton<HealthMonitor>();
        services.AddSingleton<ContainerEngine>();
        services.AddSingleton<EnvironmentComposer>();
        services.AddSingleton<LaunchPlanner>();
        services.AddSingleton<EndpointAllocator>();
        services.AddSingleton<StartAnnouncement>();
        services.AddSingleton(provider => new RunServices(
            provider.GetRequiredService<LaunchPlanner>(),
            provider.GetRequiredService<ResourceNotificationService>(),
            provider.GetRequiredService<ResourceLoggerService>(),
            eventing,
            execution,
            provider,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<RunTimes>(),
            provider.GetRequiredService<ILogger<ResourceRun>>()));
        services.AddDashboard(options);
        services.AddSingleton(provider => new Orchestrator(
            provider.GetRequiredService<DistributedApplicationModel>(),
            provider.GetRequiredService<RunServices>(),
            provider.GetRequiredService<EndpointAllocator>(),
            provider.GetRequiredService<HealthMonitor>(),
            provider.GetRequiredService<IOptions<HealthCheckServiceOptions>>()));
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<Orchestrator>());
    }

    private static void AddDashboard(this IServiceCollection services, DistributedApplicationOptions options)
    {
        services.AddSingleton(provider => DashboardOptions.From(options, provider.GetRequiredService<IConfiguration>()));
        services.AddSingleton<ConsoleFeed>();
        services.AddSingleton<ILoggerProvider, AppHostLogProvider>();
        services.AddSingleton<TelemetryFeed>();
        services.AddSingleton<SourceNames>();
        services.AddSingleton<RunArchive>();
        services.AddSingleton<SecretFinder>();
        services.AddSingleton<ResourceBoard>();
        services.AddSingleton<CommandDesk>();
        services.AddSingleton<DashboardParts>();
        services.AddSingleton<DashboardServer>();
        // Before the resources: it is there when they start, and until they have ended.
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<DashboardServer>());
    }
}
