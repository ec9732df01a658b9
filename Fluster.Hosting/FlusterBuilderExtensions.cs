using System.Globalization;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Fluster.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>Adds Fluster clusters to an application.</summary>
public static class FlusterBuilderExtensions
{
    private const string DefaultDirectory = ".fluster";
    private const string OpenDashboard = "open-dashboard";

    // The section Fluster:Controller and Fluster:Worker, as environment variables.
    private const string Controller = "Fluster__Controller__";
    private const string Worker = "Fluster__Worker__";

    /// <summary>How long the controller takes, of the ten seconds that the application gives it, to see machines of this computer gone.</summary>
    private static readonly TimeSpan s_release = TimeSpan.FromSeconds(3);

    /// <summary>How long they go on when the application was killed.</summary>
    private static readonly TimeSpan s_orphan = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Adds a cluster. Its key is made at the first start and kept with its data, in <c>.fluster</c> beside the AppHost's
    /// project; the controller gets it, and the workers and <c>~/.fluster/context.json</c> get tokens that it signed.
    /// </summary>
    public static IResourceBuilder<FlusterResource> AddFluster(this IDistributedApplicationBuilder builder, [ResourceName] string name)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var resource = new FlusterResource(name, Path.GetFullPath(DefaultDirectory, builder.AppHostDirectory));
        builder.Services.AddSingleton<IHostedService>(services => new ClusterLifetime(
            resource,
            services.GetRequiredService<ResourceNotificationService>(),
            services.GetRequiredService<ResourceCommandService>(),
            services.GetRequiredService<TimeProvider>(),
            services.GetRequiredService<Microsoft.Extensions.Logging.ILogger<DistributedApplication>>(),
            services.GetRequiredService<Microsoft.Extensions.Logging.ILogger<FlusterResource>>()));
        builder.Eventing.Subscribe<BeforeStartEvent>((_, _) =>
        {
            if (builder.ExecutionContext.IsRunMode)
            {
                resource.Data.Open(resource.StartsFresh);
            }

            return Task.CompletedTask;
        });
        return builder.AddResource(resource).WithInitialState(new CustomResourceSnapshot
        {
            ResourceType = "Fluster",
            Properties = [],
            State = KnownResourceStates.Starting,
        }).WithCommand(OpenDashboard, "Open dashboard", context => OpenDashboardAsync(resource, context), new CommandOptions
        {
            Description = "Gives an address that logs a browser in to the cluster's own pages: once, and within a minute.",
            IsHighlighted = true,
            UpdateState = context => context.ResourceSnapshot.State?.Text == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
        });
    }

    /// <summary>
    /// Keeps the cluster's data elsewhere, given relative to the AppHost's directory. When another AppHost that runs has the
    /// directory, <c>apphost-2</c> in it is taken, and so on.
    /// </summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="directory">The directory. Default: <c>.fluster</c>.</param>
    /// <param name="fresh">Whether what is there is deleted first. Default: false.</param>
    public static IResourceBuilder<FlusterResource> WithDataDirectory(
        this IResourceBuilder<FlusterResource> builder, string directory = DefaultDirectory, bool fresh = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        builder.Resource.Data = new ClusterData(Path.GetFullPath(directory, builder.ApplicationBuilder.AppHostDirectory));
        builder.Resource.StartsFresh = fresh;
        return builder;
    }

    /// <summary>
    /// Projects the cluster's endpoints into a Redis, so that they can be read while the controller restarts. The cluster works
    /// without it as well: when the Redis is not started, the controller keeps them in memory alone.
    /// </summary>
    public static IResourceBuilder<FlusterResource> WithRegistry(
        this IResourceBuilder<FlusterResource> builder, IResourceBuilder<IResourceWithConnectionString> registry)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(registry);
        builder.Resource.Registry = registry.Resource;
        builder.Resource.RegistryBuilder = registry;
        Connect(builder.Resource);
        return builder;
    }

    /// <summary>
    /// Runs workers of this machine, and a controller when the cluster has none: the resources <c>worker-1</c>, <c>worker-2</c> and so on, and
    /// <c>controller</c>. The workers divide the machine: each gets its part of the processors, the memory and the ports for jobs.
    /// </summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="count">How many more.</param>
    /// <exception cref="DistributedApplicationException">The AppHost was built without Fluster's programs.</exception>
    public static IResourceBuilder<FlusterResource> WithWorkers(this IResourceBuilder<FlusterResource> builder, int count)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        AddMissingController(builder);
        for (var last = builder.Resource.Workers.Count + count; builder.Resource.Workers.Count < last;)
        {
            ClusterPrograms.Of(builder.ApplicationBuilder).AddWorker(builder, string.Create(CultureInfo.InvariantCulture, $"worker-{builder.Resource.Workers.Count + 1}"));
        }

        return builder;
    }

    /// <summary>
    /// Lets the cluster get machines when its workers are not enough, and adds a controller when it has none. Several backends are asked in
    /// the order in which they were added. Machines of this computer are gone when the application is; those of a cloud stay for its next
    /// start, and end by themselves when there is none.
    /// </summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="kind"><c>local</c> (processes), <c>docker</c>, <c>gce</c> or <c>tpu</c>.</param>
    /// <param name="configure">Sets what is not as the controller has it by default.</param>
    public static IResourceBuilder<FlusterResource> WithBackend(this IResourceBuilder<FlusterResource> builder, string kind, Action<FlusterBackend>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(kind);
        AddMissingController(builder);
        var backend = new FlusterBackend(kind);
        configure?.Invoke(backend);
        if (kind == "local" && !backend.Has("WorkerPath") && ClusterPrograms.WorkerAssembly(builder.ApplicationBuilder) is { } worker)
        {
            backend["WorkerPath"] = worker;
        }

        builder.Resource.Add(backend);
        return builder;
    }

    /// <summary>Makes a resource of your own the cluster's controller. It needs endpoints called "http" and "grpc".</summary>
    /// <exception cref="DistributedApplicationException">The cluster has a controller.</exception>
    public static IResourceBuilder<FlusterResource> WithController<T>(this IResourceBuilder<FlusterResource> builder, IResourceBuilder<T> controller)
        where T : IResourceWithEnvironment, IResourceWithEndpoints
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(controller);
        var fluster = builder.Resource;
        if (fluster.Controller is { } other)
        {
            throw new DistributedApplicationException($"'{fluster.Name}' has the controller '{other.Name}'; it cannot have '{controller.Resource.Name}' too.");
        }

        (fluster.Controller, fluster.ControllerBuilder) = (controller.Resource, (IResourceBuilder<IResourceWithEnvironment>)controller);
        Quiet(controller);
        var key = builder.ApplicationBuilder.AddParameter($"{fluster.Name}-cluster-key", () => fluster.Data.Key.PrivatePem, secret: true);
        controller
            .WithParentRelationship(builder)
            .WithHttpHealthCheck("/health", endpointName: "http")
            .WithEnvironment(Controller + "ClusterKey", key)
            .WithEnvironment(context =>
            {
                if (context.ExecutionContext.IsPublishMode)
                {
                    context.EnvironmentVariables[Controller + "AllowPlainHttp"] = "true"; // what stands before it in a deployment speaks TLS
                }
                else
                {
                    context.EnvironmentVariables[Controller + "DataDirectory"] = fluster.Data.DirectoryOf("controller");
                    // The AppHost stops the controller first, while the workers are still there to kill what it tells them to.
                    context.EnvironmentVariables[Controller + "KillJobsOnShutdown"] = "true";
                }

                AddBackends(fluster, context);
            });
        Connect(fluster);
        return builder;
    }

    /// <summary>
    /// Makes a resource of your own a worker of the cluster. The cluster's workers divide this machine: each gets its part of the
    /// processors, the memory and the ports for jobs.
    /// </summary>
    /// <exception cref="DistributedApplicationException">The cluster has no controller yet.</exception>
    public static IResourceBuilder<FlusterResource> WithWorker<T>(this IResourceBuilder<FlusterResource> builder, IResourceBuilder<T> worker)
        where T : IResourceWithEnvironment, IResourceWithWaitSupport
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(worker);
        var fluster = builder.Resource;
        var controller = fluster.Controller
            ?? throw new DistributedApplicationException($"'{fluster.Name}' needs a controller before it gets the worker '{worker.Resource.Name}'.");
        var index = fluster.Workers.Count;
        var name = worker.Resource.Name;
        fluster.Add(worker.Resource);
        var token = new ParameterResource($"{name}-token", _ => fluster.Data.Key.SignWorker(name, TimeProvider.System.GetUtcNow()), secret: true);
        Quiet(worker);

        var check = $"{name}_known_to_{fluster.Name}_check";
        builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            check, services => new WorkerHealthCheck(fluster, name, services.GetRequiredService<TimeProvider>()), failureStatus: null, tags: null));
        worker
            .WithParentRelationship(builder)
            .WithReference(new EndpointReference(controller, "grpc"))
            .WaitFor(fluster.ControllerBuilder!)
            .WithHealthCheck(check)
            .WithCommand("drain", "Drain", context => DrainAsync(fluster, name, context), new CommandOptions
            {
                Description = "It gets no more work, finishes what it has, and ends.",
                UpdateState = context => context.ResourceSnapshot.State?.Text == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
            })
            .WithEnvironment(context =>
            {
                var variables = context.EnvironmentVariables;
                variables[Worker + "Id"] = name;
                variables[Worker + "ControllerAddress"] = $"http://_grpc.{controller.Name}";
                variables[Worker + "Token"] = token;
                if (context.ExecutionContext.IsPublishMode)
                {
                    return; // there it has a machine for itself
                }

                // Asked for now, when it is known how many workers there are.
                var share = MachineShare.Of(index, fluster.Workers.Count);
                variables[Worker + "DataDirectory"] = fluster.Data.DirectoryOf(name);
                variables[Worker + "Cpu"] = share.Cpu.ToString(CultureInfo.InvariantCulture);
                variables[Worker + "Memory"] = share.Memory;
                variables[Worker + "PortRange"] = share.PortRange;

                // Whoever starts an AppHost runs their own jobs on their own files, and may be root, whose files no other user of an attempt could read.
                variables.TryAdd(Worker + "IsolateAttempts", "false");
            });
        return builder;
    }

    private static void AddMissingController(IResourceBuilder<FlusterResource> builder)
    {
        if (builder.Resource.Controller is null)
        {
            ClusterPrograms.Of(builder.ApplicationBuilder).AddController(builder, "controller");
        }
    }

    private static void AddBackends(FlusterResource fluster, EnvironmentCallbackContext context)
    {
        foreach (var (index, backend) in fluster.Backends.Index())
        {
            foreach (var (setting, value) in backend.Settings)
            {
                context.EnvironmentVariables[$"{Controller}Backends__{index.ToString(CultureInfo.InvariantCulture)}__{setting.Replace(":", "__", StringComparison.Ordinal)}"] = value;
            }
        }

        if (fluster.Backends.Count > 0 && fluster.Backends.All(backend => backend.IsOfThisMachine))
        {
            context.EnvironmentVariables[Controller + "ReleaseMachinesOnShutdown"] = s_release.ToString("c", CultureInfo.InvariantCulture);
            context.EnvironmentVariables[Controller + "VmOrphanTimeout"] = s_orphan.ToString("c", CultureInfo.InvariantCulture);
        }
    }

    private static async Task<ExecuteCommandResult> OpenDashboardAsync(FlusterResource fluster, ExecuteCommandContext context)
    {
        var time = context.ServiceProvider.GetRequiredService<TimeProvider>();
        var answer = await ControllerCalls.CallAsync(fluster, time, "CreateLoginCode", [], context.CancellationToken);
        return CommandResults.Success($"{new EndpointReference(fluster.Controller!, "http").Url}/login?code={(string?)answer?["code"]}");
    }

    private static async Task<ExecuteCommandResult> DrainAsync(FlusterResource fluster, string worker, ExecuteCommandContext context)
    {
        var time = context.ServiceProvider.GetRequiredService<TimeProvider>();
        await ControllerCalls.CallAsync(fluster, time, "DrainWorker", new JsonObject { ["workerId"] = worker }, context.CancellationToken);
        return CommandResults.Success();
    }

    /// <summary>
    /// Makes a service's console fit under the AppHost's: a message is a line, and "Application started. Press Ctrl+C to shut down."
    /// is left to the AppHost.
    /// </summary>
    private static void Quiet<T>(IResourceBuilder<T> service)
        where T : IResourceWithEnvironment => service
        .WithEnvironment("Logging__Console__FormatterOptions__SingleLine", "true")
        .WithEnvironment("Logging__LogLevel__Microsoft.Hosting.Lifetime", "Warning");

    private static void Connect(FlusterResource fluster)
    {
        if (fluster is { ControllerBuilder: { } controller, RegistryBuilder: { } registry }
            && !controller.Resource.Annotations.OfType<RegistryReferenceAnnotation>().Any())
        {
            controller.WithReference(registry, connectionName: "registry", optional: true).WithAnnotation<RegistryReferenceAnnotation>();
        }
    }

    private sealed class RegistryReferenceAnnotation : IResourceAnnotation;
}
