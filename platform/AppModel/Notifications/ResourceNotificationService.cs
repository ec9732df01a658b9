using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Aspire.Hosting.Running;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Knows what every resource looks like, and tells whoever watches.</summary>
public class ResourceNotificationService : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ResourceEvent> _latest = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Channel<ResourceEvent>> _watchers = [];
    private readonly CancellationTokenSource _disposed = new();
    private readonly TimeProvider _time;
    private readonly WaitBehavior _behavior;

    private readonly IServiceProvider _services;

    internal ResourceNotificationService(TimeProvider time, IServiceProvider services, WaitBehavior behavior) => (_time, _services, _behavior) = (time, services, behavior);

    /// <summary>Announces a change of a resource (of every process of it).</summary>
    public async Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        foreach (var id in resource.InstanceIds())
        {
            await PublishUpdateAsync(resource, id, stateFactory);
        }
    }

    /// <summary>Announces a change of one process of a resource.</summary>
    public Task PublishUpdateAsync(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        ArgumentNullException.ThrowIfNull(resource);
        ArgumentNullException.ThrowIfNull(stateFactory);
        // Under the lock, so that two changes of one resource are both kept, and watchers see them in this order.
        lock (_lock)
        {
            var now = _latest.TryGetValue(resourceId, out var latest)
                ? latest.Snapshot
                : resource.FirstSnapshot() with { CreationTimeStamp = _time.GetUtcNow().UtcDateTime };
            var next = stateFactory(now);
            var change = new ResourceEvent(resource, resourceId, next with { Commands = resource.CommandsIn(next, _services) });
            _latest[resourceId] = change;
            foreach (var watcher in _watchers)
            {
                watcher.Writer.TryWrite(change);
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>Every change from now on, after what every resource looks like now.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposed.Token);
        var channel = Channel.CreateUnbounded<ResourceEvent>(new UnboundedChannelOptions { SingleReader = true });
        lock (_lock)
        {
            foreach (var current in _latest.Values)
            {
                channel.Writer.TryWrite(current);
            }

            _watchers.Add(channel);
        }

        try
        {
            await foreach (var change in channel.Reader.ReadAllAsync(either.Token))
            {
                yield return change;
            }
        }
        finally
        {
            lock (_lock)
            {
                _watchers.Remove(channel);
            }
        }
    }

    /// <summary>What a resource looks like now, by the id of its process or, when it has only one, by its name.</summary>
    public bool TryGetCurrentState(string resourceId, [NotNullWhen(true)] out ResourceEvent? resourceEvent)
    {
        lock (_lock)
        {
            if (_latest.TryGetValue(resourceId, out resourceEvent))
            {
                return true;
            }

            ResourceEvent[] named = [.. _latest.Values.Where(latest => IsNamed(latest, resourceId)).Take(2)];
            resourceEvent = named.Length == 1 ? named[0] : null;
            return resourceEvent is not null;
        }
    }

    /// <summary>Waits until a resource is in a state. Default: running.</summary>
    public async Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        await WaitForResourceAsync(resourceName, [targetState ?? KnownResourceStates.Running], cancellationToken);

    /// <summary>Waits until a resource is in one of several states, and says in which.</summary>
    public async Task<string> WaitForResourceAsync(string resourceName, IEnumerable<string> targetStates, CancellationToken cancellationToken = default)
    {
        var states = targetStates.ToImmutableHashSet(StringComparer.OrdinalIgnoreCase);
        var reached = await WaitForResourceAsync(resourceName, change => change.Snapshot.State is { Text: var state } && states.Contains(state), cancellationToken);
        return reached.Snapshot.State!.Text;
    }

    /// <summary>Waits until a resource looks as wished.</summary>
    /// <exception cref="OperationCanceledException">The application is gone.</exception>
    public async Task<ResourceEvent> WaitForResourceAsync(string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default)
    {
        await foreach (var change in WatchAsync(cancellationToken))
        {
            if ((IsNamed(change, resourceName) || string.Equals(change.ResourceId, resourceName, StringComparison.OrdinalIgnoreCase)) && predicate(change))
            {
                return change;
            }
        }

        throw new OperationCanceledException($"The application ended before the resource '{resourceName}' looked as it was waited for.");
    }

    /// <summary>Waits until a resource runs and is healthy. If it ends or fails, waits on: it may be started again.</summary>
    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceHealthyAsync(resourceName, WaitBehavior.WaitOnResourceUnavailable, cancellationToken);

    /// <summary>Waits until a resource runs and is healthy.</summary>
    /// <exception cref="DistributedApplicationException">It ended or failed, and that was not to be waited out.</exception>
    public async Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, WaitBehavior waitBehavior, CancellationToken cancellationToken = default)
    {
        var reached = await WaitForResourceAsync(resourceName, change => change.Snapshot.IsReady || GivesUp(change), cancellationToken);
        return GivesUp(reached)
            ? throw new DistributedApplicationException($"Stopped waiting for resource '{resourceName}' to become healthy because it {How(reached.Snapshot)}.")
            : reached;

        bool GivesUp(ResourceEvent change) =>
            waitBehavior == WaitBehavior.StopOnResourceUnavailable && change.Snapshot.State is { Text: var state } && KnownResourceStates.TerminalStates.Contains(state);
    }

    /// <summary>Waits for everything that a resource was told to wait for.</summary>
    /// <exception cref="DistributedApplicationException">What is waited for failed, and that was not to be waited out.</exception>
    public async Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(resource);
        await Task.WhenAll(resource.Annotations.OfType<WaitAnnotation>().SelectMany(
            wait => wait.Resource.InstanceIds().Select(id => WaitForAsync(wait, id, cancellationToken))));
    }

    /// <summary>Ends every watch.</summary>
    public void Dispose()
    {
        if (!_disposed.IsCancellationRequested)
        {
            _disposed.Cancel();
        }

        GC.SuppressFinalize(this);
    }

    internal static string How(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text == KnownResourceStates.FailedToStart ? "failed to start"
        : snapshot.ExitCode is { } code ? $"ended with exit code {code}"
        : "ended";

    private async Task WaitForAsync(WaitAnnotation wait, string id, CancellationToken cancellationToken)
    {
        var change = await WaitForResourceAsync(id, Decides, cancellationToken);
        var dependency = wait.Resource.Name;
        var snapshot = change.Snapshot;
        if (Reached(snapshot))
        {
            return;
        }

        throw new DistributedApplicationException(wait.WaitType == WaitType.WaitForCompletion && snapshot.ExitCode is { } code
            ? $"'{dependency}' should have completed with exit code {wait.ExitCode}, but it ended with {code}."
            : $"'{dependency}', which must be there first, {How(snapshot)}.");

        bool Decides(ResourceEvent candidate) => Reached(candidate.Snapshot) || (Ended(candidate.Snapshot) && !WaitsOn(candidate.Snapshot));

        bool Reached(CustomResourceSnapshot candidate) => wait.WaitType switch
        {
            WaitType.WaitUntilHealthy => candidate.IsReady,
            WaitType.WaitUntilStarted => candidate.State?.Text == KnownResourceStates.Running,
            _ => Ended(candidate) && candidate.ExitCode == wait.ExitCode,
        };

        // A completion with the wrong exit code is an answer; a crash of something that should stay may be repaired.
        bool WaitsOn(CustomResourceSnapshot candidate) => wait.WaitType != WaitType.WaitForCompletion
            && (wait.WaitBehavior ?? _behavior) == WaitBehavior.WaitOnResourceUnavailable;

        static bool Ended(CustomResourceSnapshot candidate) => candidate.State is { Text: var state } && KnownResourceStates.TerminalStates.Contains(state);
    }

    private static bool IsNamed(ResourceEvent change, string name) => string.Equals(change.Resource.Name, name, StringComparison.OrdinalIgnoreCase);
}
