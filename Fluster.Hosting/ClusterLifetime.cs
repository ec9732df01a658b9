using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fluster.Hosting;

/// <summary>
/// Says when the cluster is there, and how to reach it; and when the application stops, stops the controller first, while the workers
/// can still kill the jobs that it tells them to. Registered after the part that starts resources, so it is asked to stop before that.
/// </summary>
internal sealed partial class ClusterLifetime(
    FlusterResource fluster,
    ResourceNotificationService notifications,
    ResourceCommandService commands,
    TimeProvider time,
    ILogger<DistributedApplication> console,
    ILogger<FlusterResource> logger) : IHostedService, IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly ContextFile _contexts = ContextFile.OfUser();
    private Task _watch = Task.CompletedTask;
    private string? _context;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _watch = AnnounceAsync(_stopping.Token);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _watch;
        if (fluster.Controller is { } controller)
        {
            await commands.ExecuteCommandAsync(controller.Name, KnownResourceCommands.StopCommand, cancellationToken);
        }

        if (_context is { } context)
        {
            await _contexts.RemoveAsync(context, CancellationToken.None);
        }
    }

    public void Dispose()
    {
        _stopping.Dispose();
        fluster.Data.Dispose();
    }

    private async Task AnnounceAsync(CancellationToken stopping)
    {
        await Task.Yield(); // The start of the application goes on.
        try
        {
            if (fluster.Controller is not { } controller)
            {
                throw new DistributedApplicationException($"'{fluster.Name}' has no controller. WithWorkers and WithBackend add one; WithController names one.");
            }

            await HealthyAsync(controller, stopping);
            await Task.WhenAll(fluster.Workers.Select(worker => HealthyAsync(worker, stopping)));
            var address = new ClusterAddress(
                controller.GetEndpointUrl("grpc"),
                controller.GetEndpointUrl("http"),
                fluster.Data.Key.SignAdmin(time.GetUtcNow()),
                fluster.Data.Key.PublicPem);
            (_context, var isCurrent) = await _contexts.AddAsync(address, stopping);
            Log.Up(console, Summary(address, isCurrent ? null : _context));
            await notifications.PublishUpdateAsync(fluster, snapshot => snapshot with
            {
                State = new ResourceStateSnapshot(KnownResourceStates.Running, KnownResourceStateStyles.Success),
                StartTimeStamp = time.GetUtcNow().UtcDateTime,
                Urls = [new UrlSnapshot("http", address.Http, IsInternal: false), new UrlSnapshot("grpc", address.Grpc, IsInternal: false)],
            });
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // It stops before it was there.
        }
        catch (Exception exception)
        {
            Log.Down(logger, fluster.Name, exception is DistributedApplicationException ? exception.Message : exception.ToString());
            await notifications.PublishUpdateAsync(fluster, snapshot => snapshot with
            {
                State = new ResourceStateSnapshot(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error),
            });
        }
    }

    private Task<ResourceEvent> HealthyAsync(IResource resource, CancellationToken stopping) =>
        notifications.WaitForResourceHealthyAsync(resource.Name, WaitBehavior.StopOnResourceUnavailable, stopping);

    private string Summary(ClusterAddress address, string? otherContext)
    {
        var option = otherContext is null ? "" : $"--context {otherContext} ";
        return new StringBuilder()
            .Append($"Fluster is up: {string.Join(", ", [.. fluster.Workers.Select(worker => worker.Name), .. fluster.Backends.Select(backend => $"machines of {backend["Kind"]}")])}.\n")
            .Append($"  http     {address.Http}\n")
            .Append($"  gRPC     {address.Grpc}\n")
            .Append($"  context  {_context}, in {_contexts.Path}\n")
            .Append($"  data     {fluster.Data.Path}\n")
            .Append("Type next, in a second terminal:\n")
            .Append($"  ./fluster {option}job run -- bash -c 'echo hello from $FLUSTER_JOB_ID'")
            .ToString();
    }

    private static partial class Log
    {
        [LoggerMessage(701, LogLevel.Information, "{Summary}")]
        public static partial void Up(ILogger logger, string summary);

        [LoggerMessage(702, LogLevel.Error, "'{Cluster}' did not start: {Reason}")]
        public static partial void Down(ILogger logger, string cluster, string reason);
    }
}

/// <summary>Addresses of resources.</summary>
internal static class EndpointUrls
{
    public static string GetEndpointUrl(this IResourceWithEndpoints resource, string name) => new EndpointReference(resource, name).Url;
}
