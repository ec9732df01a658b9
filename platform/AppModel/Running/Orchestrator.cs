using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Guarding;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.Running;

/// <summary>Starts the resources of an application, and stops them again, dependants first.</summary>
internal sealed partial class Orchestrator(
    DistributedApplicationModel model,
    RunServices services,
    EndpointAllocator allocator,
    HealthMonitor health,
    IOptions<HealthCheckServiceOptions> healthChecks) : IHostedService, IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<ResourceRun> _runs = [];
    private readonly List<Task> _starts = [];
    private GuardProcess? _guard;
    private Task? _stop;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var resource in model.Resources.Where(resource => resource.IsProcess()))
        {
            resource.NameInstances();
            LifecycleCommands.AddTo(resource, RunOf, _stopping.Token);
        }

        foreach (var subscriber in services.Services.GetServices<IDistributedApplicationEventingSubscriber>())
        {
            await subscriber.SubscribeAsync(services.Eventing, services.Execution, cancellationToken);
        }

        health.Start();
        await services.Eventing.PublishAsync(new BeforeStartEvent(services.Services, model), cancellationToken);
        Validate();

        var processes = model.Resources.Where(resource => resource.IsProcess()).ToList();
        var preparations = processes.OfType<ContainerResource>().Select(container => services.Planner.PrepareAsync(container, cancellationToken)).ToList();
        if (processes.Count > 0)
        {
            _guard = await GuardProcess.StartAsync(cancellationToken);
        }

        await Task.WhenAll(preparations);
        foreach (var resource in processes.Where(resource => resource.NotStartedReason() is null))
        {
            allocator.Allocate(resource);
        }

        foreach (var resource in model.Resources)
        {
            await services.Notifications.PublishUpdateAsync(resource, FirstState(resource));
            await AnnounceAddressesAsync(resource, cancellationToken);
            await AnnounceUrlsAsync(resource, cancellationToken);
            foreach (var id in resource.IsProcess() ? resource.InstanceIds() : [])
            {
                _runs.Add(new ResourceRun(resource, id, services, _guard!));
            }
        }

        _starts.AddRange(model.Resources.Select(BeginAsync));
    }

    public Task StopAsync(CancellationToken cancellationToken) => _stop ??= StopAllAsync();

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _stopping.Dispose();
    }

    /// <summary>Runs a command of a resource, given by its name (then for all its processes) or the id of one of them.</summary>
    public async Task<ExecuteCommandResult> ExecuteAsync(string resourceId, string name, CancellationToken cancellationToken)
    {
        var resource = model.Resources.FirstOrDefault(candidate => Is(candidate.Name) || candidate.InstanceIds().Any(Is));
        if (resource is null)
        {
            return CommandResults.Failure($"There is no resource '{resourceId}'.");
        }

        if (resource.Annotations.OfType<ResourceCommandAnnotation>().LastOrDefault(command => command.Name == name) is not { } command)
        {
            return CommandResults.Failure($"'{resourceId}' has no command '{name}'.");
        }

        var ids = Is(resource.Name) ? resource.InstanceIds() : [.. resource.InstanceIds().Where(Is)];
        var results = await Task.WhenAll(ids.Select(id => ExecuteAsync(command, id, cancellationToken)));
        return Array.Find(results, result => !result.Success) ?? results[0];

        bool Is(string candidate) => string.Equals(candidate, resourceId, StringComparison.OrdinalIgnoreCase);
    }

    private async Task<ExecuteCommandResult> ExecuteAsync(ResourceCommandAnnotation command, string id, CancellationToken cancellationToken)
    {
        var log = services.Loggers.GetLogger(id);
        try
        {
            return await command.ExecuteCommand(new ExecuteCommandContext { ServiceProvider = services.Services, ResourceName = id, CancellationToken = cancellationToken, Logger = log });
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            Log.CommandFailed(log, exception, command.Name);
            return CommandResults.Failure(exception);
        }
    }

    private ResourceRun RunOf(string id) => _runs.Find(run => run.Id == id) ?? throw new DistributedApplicationException($"'{id}' was not prepared to run.");

    private static Func<CustomResourceSnapshot, CustomResourceSnapshot> FirstState(IResource resource) => snapshot =>
        resource is ParameterResource ? snapshot with { State = KnownResourceStates.Running }
        : resource.IsProcess() && resource.Annotations.OfType<ExplicitStartupAnnotation>().Any() ? snapshot with { State = KnownResourceStates.NotStarted }
        : snapshot;

    /// <summary>The addresses that were given to people of what is no process; those of processes are told when they run.</summary>
    private async Task AnnounceUrlsAsync(IResource resource, CancellationToken cancellationToken)
    {
        if (!resource.IsProcess() && (resource.HasAnnotationOfType<ResourceUrlAnnotation>() || resource.HasAnnotationOfType<ResourceUrlsCallbackAnnotation>()))
        {
            var urls = await ResourceUrls.OfAsync(resource, services.Execution, services.Loggers.GetLogger(resource), cancellationToken);
            await services.Notifications.PublishUpdateAsync(resource, snapshot => snapshot with { Urls = [.. snapshot.Urls, .. urls] });
        }
    }

    private async Task AnnounceAddressesAsync(IResource resource, CancellationToken cancellationToken)
    {
        if (resource.NotStartedReason() is not null)
        {
            return;
        }

        if (resource.Annotations.OfType<EndpointAnnotation>().Any())
        {
            await services.Eventing.PublishAsync(new ResourceEndpointsAllocatedEvent(resource, services.Services), cancellationToken);
        }

        if (resource is IResourceWithConnectionString)
        {
            await services.Eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, services.Services), cancellationToken);
        }
    }

    private async Task BeginAsync(IResource resource)
    {
        await Task.Yield(); // The next resource need not wait until this one has begun.
        try
        {
            await services.Eventing.PublishAsync(
                new InitializeResourceEvent(resource, services.Eventing, services.Loggers, services.Notifications, services.Services), _stopping.Token);
            if (!resource.Annotations.OfType<ExplicitStartupAnnotation>().Any())
            {
                await Task.WhenAll(_runs.FindAll(run => ReferenceEquals(run.Resource, resource)).ConvertAll(run => run.StartAsync(_stopping.Token)));
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The application stops before the resource has begun.
        }
        catch (Exception exception)
        {
            services.Loggers.Append(resource.InstanceIds()[0], $"Failed to start: {exception}", isError: true);
            await services.Notifications.PublishUpdateAsync(resource, snapshot => snapshot with
            {
                State = new ResourceStateSnapshot(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error),
            });
        }
    }

    private async Task StopAllAsync()
    {
        await _stopping.CancelAsync();
        var stops = new Dictionary<IResource, Task>();
        foreach (var resource in DependantsFirst())
        {
            var dependants = stops.Where(stop => stop.Key.Needs().Contains(resource)).Select(stop => stop.Value).ToList();
            stops[resource] = StopAfterAsync(dependants, _runs.FindAll(run => ReferenceEquals(run.Resource, resource)));
        }

        await Task.WhenAll(stops.Values);
        await Task.WhenAll(_starts);
        await health.DisposeAsync();
        await allocator.DisposeAsync();
        if (_guard is not null)
        {
            await _guard.DisposeAsync();
        }
    }

    private static async Task StopAfterAsync(List<Task> dependants, List<ResourceRun> runs)
    {
        await Task.WhenAll(dependants);
        await Task.WhenAll(runs.ConvertAll(run => run.DisposeAsync().AsTask()));
    }

    /// <summary>The resources in such an order that whoever needs another comes before it.</summary>
    private List<IResource> DependantsFirst()
    {
        var order = new List<IResource>();
        var visited = new HashSet<IResource>();
        foreach (var resource in model.Resources)
        {
            Visit(resource);
        }

        order.Reverse();
        return order;

        // References may go round in a circle; whichever was met first then counts as the dependant.
        void Visit(IResource resource)
        {
            if (visited.Add(resource))
            {
                foreach (var need in resource.Needs())
                {
                    Visit(need);
                }

                order.Add(resource);
            }
        }
    }

    private void Validate()
    {
        var registered = healthChecks.Value.Registrations.Select(registration => registration.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var resource in model.Resources)
        {
            if (resource.HealthKeys().FirstOrDefault(key => !registered.Contains(key)) is { } missing)
            {
                throw new DistributedApplicationException($"The health check '{missing}' of resource '{resource.Name}' is not registered.");
            }

            if (Waits(resource).Contains(resource))
            {
                throw new DistributedApplicationException($"The resource '{resource.Name}' waits, through others, for itself.");
            }
        }
    }

    private static HashSet<IResource> Waits(IResource resource)
    {
        var waits = new HashSet<IResource>();
        var pending = new Stack<IResource>([resource]);
        while (pending.TryPop(out var next))
        {
            foreach (var wait in next.Annotations.OfType<WaitAnnotation>().Where(wait => waits.Add(wait.Resource)))
            {
                pending.Push(wait.Resource);
            }
        }

        return waits;
    }

    private static partial class Log
    {
        [LoggerMessage(615, LogLevel.Error, "The command '{Command}' failed.")]
        public static partial void CommandFailed(ILogger logger, Exception exception, string command);
    }
}
