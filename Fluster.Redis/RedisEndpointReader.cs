using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fluster.Cluster;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Fluster.Redis;

/// <summary>
/// Reads the endpoints of a cluster from the copy that its controller keeps in Redis, so that they are found also while the controller
/// is away. Answers from memory: it follows the changes that are published, reads everything again when it has missed one or the
/// connection was lost, and goes on with what it knows while Redis is away. <see cref="EndpointList.AsOf"/> says how old that is.
/// </summary>
public sealed partial class RedisEndpointReader : IEndpointReader, IAsyncDisposable
{
    /// <summary>How often the version is looked at, to find out about changes that nobody told.</summary>
    private static readonly TimeSpan s_checkInterval = TimeSpan.FromSeconds(2);

    /// <summary>Changes that wait to be read. More than these, and everything is read again.</summary>
    private const int MostWaiting = 1_000;

    private readonly ProjectionReader _reader;
    private readonly IConnectionMultiplexer _redis;
    private readonly RedisChannel _channel;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<ProjectionChange?> _told = Channel.CreateBounded<ProjectionChange?>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });
    private volatile ProjectionView _view = ProjectionView.Empty;
    private TaskCompletionSource _changed = NewSignal();
    private Task _running = Task.CompletedTask;
    private bool _disposed;

    private RedisEndpointReader(IConnectionMultiplexer redis, string clusterId, TimeProvider time, ILogger logger)
    {
        var keys = new ProjectionKeys(clusterId);
        _redis = redis;
        _reader = new ProjectionReader(redis, keys);
        _channel = keys.Changes;
        _time = time;
        _logger = logger;
    }

    /// <summary>A reader that has read everything once.</summary>
    /// <param name="redis">The connection to Redis. It is not disposed with the reader.</param>
    /// <param name="clusterId">The cluster's id, as <c>fluster cluster status</c> shows it: several clusters can share a Redis.</param>
    /// <param name="time">The clock. Default: the system's.</param>
    /// <param name="logger">Where outages are reported. Default: nowhere.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InvalidOperationException">This Redis shows nothing of the cluster.</exception>
    /// <exception cref="RedisException">Redis cannot be reached.</exception>
    public static async Task<RedisEndpointReader> ConnectAsync(
        IConnectionMultiplexer redis, string clusterId, TimeProvider? time = null, ILogger? logger = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        var reader = new RedisEndpointReader(redis, clusterId, time ?? TimeProvider.System, logger ?? NullLogger.Instance);
        try
        {
            // Before the first look: what changes after it is told.
            await redis.GetSubscriber().SubscribeAsync(reader._channel, reader.Told).ConfigureAwait(false);
            redis.ConnectionRestored += reader.Restored;
            if (!await reader.ReloadAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new InvalidOperationException($"Redis shows no endpoints of cluster '{clusterId}': its controller has not written there, or the id is another one.");
            }

            reader._running = Task.Run(reader.FollowAsync, CancellationToken.None);
            return reader;
        }
        catch
        {
            await reader.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The last time at which what this reader knows is known to have been all there was.</summary>
    public DateTimeOffset AsOf => _view.AsOf;

    /// <inheritdoc/>
    public Task<EndpointList> LookupAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
    {
        var view = _view;
        return Task.FromResult(new EndpointList(view.Named(new EndpointName(@namespace, name)), view.AsOf));
    }

    /// <inheritdoc/>
    public Task<EndpointList> ListAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default)
    {
        var view = _view;
        return Task.FromResult(new EndpointList([.. view.WithPrefix(@namespace, prefix)], view.AsOf));
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<EndpointUpdate> WatchAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return WatchAsync(view => view.Named(new EndpointName(@namespace, name)), cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<EndpointUpdate> WatchPrefixAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default) =>
        WatchAsync(view => view.WithPrefix(@namespace, prefix), cancellationToken);

    /// <summary>Stops reading. Watches end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _redis.ConnectionRestored -= Restored;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        try
        {
            await _redis.GetSubscriber().UnsubscribeAsync(_channel, Told).WaitAsync(s_checkInterval, _time).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // Nobody is there who could tell anything.
        }

        _stop.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether it is still the same: an id may be registered again after it was gone.</summary>
    private static bool IsSame(RegisteredEndpoint left, RegisteredEndpoint right) =>
        (left.Name, left.Address, left.OwnerFence, left.OwnerRegistration, left.RegisteredAt) == (right.Name, right.Address, right.OwnerFence, right.OwnerRegistration, right.RegisteredAt);

    private void Told(RedisChannel channel, RedisValue message) => _told.Writer.TryWrite(ProjectionChange.TryParse(message));

    private void Restored(object? sender, ConnectionFailedEventArgs e) => _told.Writer.TryWrite(null);

    private async IAsyncEnumerable<EndpointUpdate> WatchAsync(Func<ProjectionView, IEnumerable<RegisteredEndpoint>> select, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        Dictionary<EndpointId, RegisteredEndpoint>? known = null;
        while (true)
        {
            // Taken before looking: a change after the look ends the wait.
            var changed = Volatile.Read(ref _changed).Task;
            var view = _view;
            var now = select(view).ToDictionary(endpoint => endpoint.Id);
            var update = new EndpointUpdate
            {
                IsReset = known is null,
                Registered = [.. now.Values.Where(endpoint => known is null || !known.TryGetValue(endpoint.Id, out var before) || !IsSame(before, endpoint))],
                Removed = known is null ? [] : [.. known.Keys.Where(id => !now.ContainsKey(id))],
                AsOf = view.AsOf,
            };
            if (update.IsReset || update.Registered.Count > 0 || update.Removed.Count > 0)
            {
                yield return update;
            }

            known = now;
            await changed.WaitAsync(either.Token).ConfigureAwait(false);
        }
    }

    private async Task FollowAsync()
    {
        var reachable = true;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (await NextAsync().ConfigureAwait(false) is var (told, change) && told)
                {
                    await TakeInAsync(change).ConfigureAwait(false);
                }
                else
                {
                    await CheckAsync().ConfigureAwait(false);
                }

                if (!reachable)
                {
                    Log.BackAgain(_logger);
                    reachable = true;
                }
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException or OperationCanceledException or ObjectDisposedException)
            {
                if (reachable && !_stop.IsCancellationRequested)
                {
                    Log.Unreachable(_logger, exception.Message, AsOf);
                    reachable = false;
                }

                _told.Writer.TryWrite(null);
                await Task.Delay(s_checkInterval, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>The next change that is told, within the time after which nobody telling anything is looked into.</summary>
    private async Task<(bool Told, ProjectionChange? Change)> NextAsync()
    {
        if (_told.Reader.TryRead(out var waiting))
        {
            return (true, waiting);
        }

        using var wait = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        wait.CancelAfter(s_checkInterval);
        try
        {
            return (true, await _told.Reader.ReadAsync(wait.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            return (false, null);
        }
    }

    private async Task TakeInAsync(ProjectionChange? change)
    {
        var view = _view;
        if (change is { } known && (known.Epoch, known.Version).CompareTo((view.Epoch, view.Version)) <= 0)
        {
            return; // It was read already.
        }

        if (change is not { Names: { } names } || change.Epoch != view.Epoch || change.From != view.Version)
        {
            await ReloadAsync(_stop.Token).ConfigureAwait(false); // something was missed
            return;
        }

        var members = names.Distinct(StringComparer.Ordinal).ToList();
        var read = await _reader.ReadAsync(members, _stop.Token).ConfigureAwait(false);
        Publish(view.With(members, read) with { Version = change.Version, AsOf = change.At });
    }

    private async Task CheckAsync()
    {
        var view = _view;
        if (await _reader.ReadStampAsync(_stop.Token).ConfigureAwait(false) is not { } there)
        {
            return; // Wiped: what is known stays until the controller has written it again.
        }

        if ((there.Epoch, there.Version) != (view.Epoch, view.Version))
        {
            await ReloadAsync(_stop.Token).ConfigureAwait(false);
        }
        else if (there.At > view.AsOf)
        {
            _view = view with { AsOf = there.At };
        }
    }

    /// <summary>Reads everything. False, and what is known stays, when Redis shows nothing.</summary>
    private async Task<bool> ReloadAsync(CancellationToken cancellationToken)
    {
        // What changes while it is read is told afterwards, as following the version that was there before.
        if (await _reader.ReadStampAsync(cancellationToken).ConfigureAwait(false) is not { } stamp)
        {
            return false;
        }

        var members = await _reader.ReadMembersAsync(cancellationToken).ConfigureAwait(false);
        var read = await _reader.ReadAsync(members, cancellationToken).ConfigureAwait(false);
        Publish(ProjectionView.Empty.With(members, read) with { Epoch = stamp.Epoch, Version = stamp.Version, AsOf = stamp.At });
        return true;
    }

    private void Publish(ProjectionView view)
    {
        _view = view;
        Interlocked.Exchange(ref _changed, NewSignal()).TrySetResult();
    }

    private static partial class Log
    {
        [LoggerMessage(520, LogLevel.Warning, "Redis cannot be reached ({Reason}); endpoints are found as they were at {AsOf}.")]
        public static partial void Unreachable(ILogger logger, string reason, DateTimeOffset asOf);

        [LoggerMessage(521, LogLevel.Information, "Redis is back; the endpoints were read again.")]
        public static partial void BackAgain(ILogger logger);
    }
}
