using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Publishing;
using Aspire.Hosting.Running;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>An application that can be run: its resources become processes and containers.</summary>
public class DistributedApplication : IHost, IAsyncDisposable
{
    private readonly IHost _host;
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isStarted;
    private bool _isStopped;

    /// <summary>Makes an application of a host that <see cref="IDistributedApplicationBuilder.Build"/> made.</summary>
    public DistributedApplication(IHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        _host = host;
    }

    /// <summary>The services of the AppHost itself.</summary>
    public IServiceProvider Services => _host.Services;

    /// <summary>Starts, stops and restarts resources.</summary>
    public ResourceCommandService ResourceCommands => Services.GetRequiredService<ResourceCommandService>();

    /// <summary>Tells what state the resources are in.</summary>
    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();

    /// <summary>Makes a builder for an AppHost without arguments.</summary>
    public static IDistributedApplicationBuilder CreateBuilder() => CreateBuilder([]);

    /// <summary>Makes a builder for an AppHost that was started with <paramref name="args"/>.</summary>
    public static IDistributedApplicationBuilder CreateBuilder(string[] args)
    {
        ArgumentNullException.ThrowIfNull(args);
        return new DistributedApplicationBuilder(args);
    }

    /// <summary>Makes a builder.</summary>
    public static IDistributedApplicationBuilder CreateBuilder(DistributedApplicationOptions options) =>
        new DistributedApplicationBuilder(options);

    /// <summary>Runs the application until it is told to stop (Ctrl+C, SIGTERM, the terminal closing).</summary>
    public void Run()
    {
        try
        {
            RunAsync().GetAwaiter().GetResult();
        }
        catch (DistributedApplicationException exception)
        {
            // A mistake in the application, said in a sentence: where in this library it was noticed does not help.
            Console.Error.WriteLine($"error: {exception.Message}");
            Environment.ExitCode = 1;
        }
    }

    /// <summary>Runs the application until it is told to stop (Ctrl+C, SIGTERM, the terminal closing).</summary>
    public virtual async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (EntryPointRun.Current is not null)
        {
            await _disposed.Task.WaitAsync(cancellationToken); // a test starts it, and ends it
            return;
        }

        await using (this)
        {
            if (Services.GetRequiredService<DistributedApplicationExecutionContext>().IsPublishMode)
            {
                Console.WriteLine($"Published manifest to: {await PublishRun.WriteAsync(Services, cancellationToken)}");
                return;
            }

            var lifetime = Services.GetRequiredService<IHostApplicationLifetime>();
            using var signals = new StopSignals(lifetime);
            Services.GetRequiredService<ConsoleBoard>().Open();
            var announcement = Services.GetRequiredService<StartAnnouncement>();
            announcement.SayStarting();
            await StartAsync(cancellationToken);
            announcement.Begin(lifetime.ApplicationStopping);
            await WaitForShutdownAsync(lifetime, cancellationToken);
            await StopAsync(CancellationToken.None);
        }
    }

    /// <summary>Starts the resources and returns; <see cref="ResourceNotifications"/> tells how far they are.</summary>
    public virtual Task StartAsync(CancellationToken cancellationToken = default)
    {
        _isStarted = true;
        return _host.StartAsync(cancellationToken);
    }

    /// <summary>Stops the resources, dependants first.</summary>
    public virtual Task StopAsync(CancellationToken cancellationToken = default)
    {
        _isStopped = true;
        return _host.StopAsync(cancellationToken);
    }

    Task IHost.StartAsync(CancellationToken cancellationToken) => StartAsync(cancellationToken);

    Task IHost.StopAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    /// <summary>Stops what still runs and frees everything.</summary>
    public virtual void Dispose()
    {
        DisposeAsync().AsTask().GetAwaiter().GetResult();
        GC.SuppressFinalize(this);
    }

    /// <summary>Stops what still runs and frees everything.</summary>
    public virtual async ValueTask DisposeAsync()
    {
        if (_disposed.Task.IsCompleted)
        {
            return;
        }

        if (_isStarted && !_isStopped)
        {
            await StopAsync();
        }

        if (_host is IAsyncDisposable asynchronous)
        {
            await asynchronous.DisposeAsync();
        }
        else
        {
            _host.Dispose();
        }

        _disposed.TrySetResult();
        GC.SuppressFinalize(this);
    }

    private static async Task WaitForShutdownAsync(IHostApplicationLifetime lifetime, CancellationToken cancellationToken)
    {
        var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var byHost = lifetime.ApplicationStopping.Register(stopping.SetResult);
        await using var byCaller = cancellationToken.Register(lifetime.StopApplication);
        await stopping.Task;
    }
}
