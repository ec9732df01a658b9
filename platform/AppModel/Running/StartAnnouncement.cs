using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>Says when the application has started: every resource is ready, or has failed, or is not started.</summary>
internal sealed partial class StartAnnouncement(
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    IDistributedApplicationEventing eventing,
    IServiceProvider services,
    Dashboard.AppHostIdentity identity,
    ILogger<DistributedApplication> logger,
    TimeProvider time)
{
    private static readonly TimeSpan s_impatience = TimeSpan.FromSeconds(30);

    /// <summary>What tools look for, in Aspire's words.</summary>
    public void SayStarting()
    {
        Log.Starting(logger);
        Log.Directory(logger, identity.Directory);
    }

    public void Begin(CancellationToken stopping) => _ = AnnounceAsync(stopping);

    private async Task AnnounceAsync(CancellationToken stopping)
    {
        try
        {
            var settled = SettledAsync(stopping);
            while (await Task.WhenAny(settled, Task.Delay(s_impatience, time, stopping)) != settled && !stopping.IsCancellationRequested)
            {
                Log.StillWaiting(logger, string.Join(", ", Unsettled().Select(change => $"{change.Resource.Name} ({change.Snapshot.State?.Text})")));
            }

            await settled;
            await eventing.PublishAsync(new AfterResourcesCreatedEvent(services, model), stopping);
            Log.Started(logger);
        }
        catch (OperationCanceledException)
        {
            // It stops before it has started.
        }
    }

    private async Task SettledAsync(CancellationToken stopping)
    {
        await foreach (var change in notifications.WatchAsync(stopping))
        {
            if (IsSettled(change) && !Unsettled().Any())
            {
                return;
            }
        }
    }

    private IEnumerable<ResourceEvent> Unsettled() => model.Resources
        .SelectMany(resource => resource.InstanceIds())
        .Select(id => notifications.TryGetCurrentState(id, out var current) ? current : null)
        .OfType<ResourceEvent>()
        .Where(change => !IsSettled(change));

    // A resource that is no process and shows no state has nothing to get ready.
    private static bool IsSettled(ResourceEvent change) =>
        change.Snapshot.IsReady
        || change.Snapshot.State is { Text: var state } && (state == KnownResourceStates.NotStarted || KnownResourceStates.TerminalStates.Contains(state))
        || (change.Snapshot.State is null && !change.Resource.IsProcess());

    private static partial class Log
    {
        [LoggerMessage(618, LogLevel.Information, "Distributed application starting.")]
        public static partial void Starting(ILogger logger);

        [LoggerMessage(619, LogLevel.Information, "Application host directory is: {Directory}")]
        public static partial void Directory(ILogger logger, string directory);

        [LoggerMessage(620, LogLevel.Information, "Distributed application started. Press Ctrl+C to shut down.")]
        public static partial void Started(ILogger logger);

        [LoggerMessage(621, LogLevel.Information, "Still waiting for {Resources}.")]
        public static partial void StillWaiting(ILogger logger, string resources);
    }
}
