using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>An application of resources, run inside the test; its directory is gone afterwards, and so are its processes.</summary>
internal sealed class TestApplication : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private DistributedApplication? _application;
    private bool _keepsDirectory;

    public TestApplication(params string[] args)
        : this(System.IO.Directory.CreateTempSubdirectory("appmodel-").FullName, hasDashboard: false, args)
    {
    }

    private TestApplication(string directory, bool hasDashboard, string[] args)
    {
        Directory = directory;
        Builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { Args = hasDashboard ? [$"--ASPIRE_HOME={directory}/home", .. args] : args, ProjectDirectory = Directory });
        if (!hasDashboard)
        {
            Builder.Services.AddSingleton(DashboardOptions.Off);
        }
    }

    /// <summary>An application whose endpoints have ports of their own, also those that projects give: others run beside it.</summary>
    public static TestApplication WithOwnPorts(params string[] args) => new([$"--{Aspire.Hosting.Running.EndpointAllocator.RandomizePorts}=true", .. args]);

    /// <summary>An application with a dashboard, in a directory that stays when it ends: another one there is a restart of the AppHost.</summary>
    public static TestApplication WithDashboard(TemporaryDirectory directory, params string[] args) =>
        new(directory.Path, hasDashboard: true, [$"--{Aspire.Hosting.Running.EndpointAllocator.RandomizePorts}=true", .. args]) { _keepsDirectory = true };

    /// <summary>The link that logs in to its dashboard.</summary>
    public async Task<Uri> LoginLinkAsync()
    {
        var dashboard = Running.Services.GetRequiredService<DashboardServer>();
        Assert.NotNull(await dashboard.Otlp.WaitAsync(Limit));
        return dashboard.LoginLink!;
    }

    public string Directory { get; }

    public IDistributedApplicationBuilder Builder { get; }

    public DistributedApplication Running => _application ?? throw new InvalidOperationException("The application was not started.");

    public ResourceNotificationService Notifications => Running.ResourceNotifications;

    /// <summary>Adds a shell script.</summary>
    public IResourceBuilder<ExecutableResource> AddScript(string name, string script) => Builder.AddExecutable(name, "sh", ".", "-c", script);

    public async Task StartAsync()
    {
        _application = Builder.Build();
        await _application.StartAsync().WaitAsync(Limit);
    }

    /// <summary>A service with the defaults of ours that sends its telemetry at once.</summary>
    public IResourceBuilder<ProjectResource> AddProbeService(string name)
    {
        var service = Builder.AddProject(name, Path.Combine(Repository.Root, "Fluster.Tests", "Programs", "ProbeService", "ProbeService.csproj")).WithHttpHealthCheck("/health");
        foreach (var interval in (string[])["OTEL_METRIC_EXPORT_INTERVAL", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"])
        {
            service.WithEnvironment(interval, "500");
        }

        return service;
    }

    /// <summary>Waits until a resource is in a state, and gives what it looks like then.</summary>
    public async Task<CustomResourceSnapshot> WhenAsync(string name, string state)
    {
        return await WhenAsync(name, state, change => change.Snapshot.State?.Text == state);
    }

    public async Task<CustomResourceSnapshot> WhenReadyAsync(string name)
    {
        // A resource that has failed will not become ready: no need to wait for the limit.
        var snapshot = await WhenAsync(name, "ready", change => change.Snapshot.IsReady || HasEnded(change.Snapshot));
        Assert.False(HasEnded(snapshot), $"{name} is {snapshot.State?.Text}:\n{string.Join('\n', await LogAsync(name))}");
        return snapshot;
    }

    /// <summary>Waits until a resource has ended, and gives what it wrote.</summary>
    public async Task<string[]> OutputAsync(string name)
    {
        await WhenAsync(name, "at its end", change => HasEnded(change.Snapshot));
        return await LogAsync(name);
    }

    /// <summary>What a resource has written so far.</summary>
    public async Task<string[]> LogAsync(string name)
    {
        var lines = new List<string>();
        var logs = Running.Services.GetRequiredService<ResourceLoggerService>();
        await foreach (var batch in Builder.Resources.TryGetByName(name, out var resource) ? logs.GetAllAsync(resource) : logs.GetAllAsync(name))
        {
            lines.AddRange(batch.Select(line => line.Content));
        }

        return [.. lines];
    }

    /// <summary>Waits until a resource has written a line.</summary>
    public async Task<string> LineAsync(string name, Func<string, bool> isIt)
    {
        Assert.True(Builder.Resources.TryGetByName(name, out var resource));
        using var limit = new CancellationTokenSource(Limit);
        var logs = Running.Services.GetRequiredService<ResourceLoggerService>();
        await foreach (var batch in logs.WatchAsync(resource).WithCancellation(limit.Token))
        {
            if (batch.Select(line => line.Content).FirstOrDefault(isIt) is { } line)
            {
                return line;
            }
        }

        throw new InvalidOperationException($"'{name}' ended without the line.");
    }

    private static bool HasEnded(CustomResourceSnapshot snapshot) =>
        snapshot.State is { Text: var state } && KnownResourceStates.TerminalStates.Contains(state);

    /// <summary>Waits until a resource looks as wished; when it does not, the test fails with what the resource wrote.</summary>
    private async Task<CustomResourceSnapshot> WhenAsync(string name, string what, Func<ResourceEvent, bool> isIt)
    {
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            return (await Notifications.WaitForResourceAsync(name, isIt, limit.Token)).Snapshot;
        }
        catch (OperationCanceledException)
        {
            Notifications.TryGetCurrentState(name, out var now);
            var health = string.Join(", ", now?.Snapshot.HealthReports.Select(report => report.Description) ?? []);
            Assert.Fail($"{name} is not {what} but {now?.Snapshot.State?.Text} ({health}):\n{string.Join('\n', await LogAsync(name))}");
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_application is not null)
        {
            await _application.DisposeAsync();
        }

        if (!_keepsDirectory)
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }
}
