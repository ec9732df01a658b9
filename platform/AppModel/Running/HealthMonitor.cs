using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Running;

/// <summary>Watches which resources run, asks those for their health, and announces when one is ready.</summary>
internal sealed class HealthMonitor(
    ResourceNotificationService notifications, HealthCheckService checks, IDistributedApplicationEventing eventing, IServiceProvider services, TimeProvider time)
    : IAsyncDisposable
{
    private static readonly TimeSpan s_whileHealthy = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestRetry = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<string, (CancellationTokenSource Cancellation, Task Loop)> _loops = new(StringComparer.OrdinalIgnoreCase);
    private Task _watch = Task.CompletedTask;
    private bool _isDisposed;

    public void Start() => _watch = WatchAsync();

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return; // The application ends it, and so does the container of services.
        }

        _isDisposed = true;
        await _stopping.CancelAsync();
        await _watch.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var (cancellation, loop) in _loops.Values)
        {
            await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellation.Dispose();
        }

        _loops.Clear();
        _stopping.Dispose();
    }

    private async Task WatchAsync()
    {
        await foreach (var change in notifications.WatchAsync(_stopping.Token))
        {
            var runs = change.Snapshot.State?.Text == KnownResourceStates.Running;
            if (runs && !_loops.ContainsKey(change.ResourceId))
            {
                var cancellation = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                _loops[change.ResourceId] = (cancellation, LoopAsync(change.Resource, change.ResourceId, cancellation.Token));
            }
            else if (!runs && _loops.Remove(change.ResourceId, out var loop))
            {
                await loop.Cancellation.CancelAsync();
                await loop.Loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                loop.Cancellation.Dispose();
            }
        }
    }

    private async Task LoopAsync(IResource resource, string id, CancellationToken cancellationToken)
    {
        await Task.Yield(); // The watch goes on.
        var keys = resource.HealthKeys();
        var wasReady = false;
        for (var failures = 0; ;)
        {
            var reports = await AskAsync(keys, cancellationToken);
            var healthy = reports.All(report => report.Status == HealthStatus.Healthy);
            if (healthy && !wasReady && id == resource.InstanceIds()[0])
            {
                // Whoever waits for this resource waits for these subscribers too.
                await eventing.PublishAsync(new ResourceReadyEvent(resource, services), cancellationToken);
            }

            wasReady |= healthy;
            failures = healthy ? 0 : failures + 1;
            await notifications.PublishUpdateAsync(resource, id, snapshot => snapshot.State?.Text == KnownResourceStates.Running
                ? snapshot with { HealthReports = reports, IsReady = healthy }
                : snapshot);
            if (keys.Count == 0)
            {
                return;
            }

            await Task.Delay(healthy ? s_whileHealthy : Backoff(failures), time, cancellationToken);
        }
    }

    private static TimeSpan Backoff(int failures) =>
        TimeSpan.FromTicks(Math.Min(s_longestRetry.Ticks, s_firstRetry.Ticks << Math.Min(failures - 1, 10)));

    private async Task<ImmutableArray<HealthReportSnapshot>> AskAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        if (keys.Count == 0)
        {
            return [];
        }

        var report = await checks.CheckHealthAsync(registration => keys.Contains(registration.Name, StringComparer.Ordinal), cancellationToken);
        return [.. report.Entries.Select(entry =>
            new HealthReportSnapshot(entry.Key, entry.Value.Status, entry.Value.Description, entry.Value.Exception?.ToString()))];
    }
}
