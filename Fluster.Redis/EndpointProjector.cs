using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Fluster.Redis;

/// <summary>
/// Keeps a copy of the endpoints in Redis, for readers that go on while the controller restarts. The state is the truth: this follows its
/// commits, some milliseconds behind. While Redis is away nothing waits for it; when it is back, or is found wiped, everything is written
/// again. Nothing in Redis expires by itself.
/// </summary>
internal sealed partial class EndpointProjector
{
    /// <summary>How often Redis is looked at while nothing changes, to find out that it was wiped, restored or taken over.</summary>
    private static readonly TimeSpan s_checkInterval = TimeSpan.FromSeconds(2);

    /// <summary>How long to wait after a failure: soon at first, then as often as Redis is looked at anyway.</summary>
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromMilliseconds(200);

    private readonly ProjectionWriter _writer;
    private readonly long _epoch;
    private readonly Func<IEndpointView> _current;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();

    private HashSet<EndpointName> _dirty = [];
    private TaskCompletionSource _changed = NewSignal();
    private bool _needsEverything = true; // at the start Redis may show anything
    private long _writtenVersion;
    private volatile ProjectionState _state = ProjectionState.Behind;

    private EndpointProjector(IConnectionMultiplexer redis, string clusterId, long epoch, Func<IEndpointView> current, TimeProvider time, ILogger logger)
    {
        _writer = new ProjectionWriter(redis, new ProjectionKeys(clusterId), epoch);
        _epoch = epoch;
        _current = current;
        _time = time;
        _logger = logger;
    }

    /// <summary>Where the copy stands.</summary>
    public ProjectionState State
    {
        get => _state;
        private set => _state = value;
    }

    /// <summary>The version of the last commit that Redis is known to show; 0 while it may show anything.</summary>
    public long WrittenVersion => Interlocked.Read(ref _writtenVersion);

    /// <summary>A projector over the Redis client that is registered, or null when none is: then there is nothing to follow.</summary>
    /// <param name="services">Where the client of Redis (<see cref="IConnectionMultiplexer"/>) is registered.</param>
    /// <param name="clusterId">The cluster's id: part of every key.</param>
    /// <param name="epoch">Which start of the controller this is.</param>
    /// <param name="current">The endpoints after the last commit. Called by the projector at any time, and not under any lock.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where outages are reported, once each.</param>
    public static EndpointProjector? TryCreate(
        IServiceProvider services, string clusterId, long epoch, Func<IEndpointView> current, TimeProvider time, ILogger logger) =>
        services.GetService(typeof(IConnectionMultiplexer)) is IConnectionMultiplexer redis
            ? new EndpointProjector(redis, clusterId, epoch, current, time, logger)
            : null;

    /// <summary>Says that a commit changed the endpoints of these names. Never waits; called after the commit is published.</summary>
    public void Enqueue(IEnumerable<EndpointName> changed)
    {
        lock (_gate)
        {
            if (!_needsEverything) // all names are on their way anyway
            {
                _dirty.UnionWith(changed);
            }

            _changed.TrySetResult();
        }
    }

    /// <summary>Follows the commits until it is cancelled, or a later start of the controller has taken Redis over.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var retry = s_firstRetry;
        while (!cancellationToken.IsCancellationRequested && State != ProjectionState.TakenOver)
        {
            try
            {
                var next = await FollowAsync(cancellationToken).ConfigureAwait(false);
                if (State == ProjectionState.Unreachable)
                {
                    Log.BackAgain(_logger);
                }

                State = next;
                retry = s_firstRetry;
                await WaitAsync(NextChange(), s_checkInterval, cancellationToken).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Whatever goes wrong with Redis must not end the controller.
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                // What was under way may have been written or not: with the connection back, everything is written again.
                Forget();
                if (State != ProjectionState.Unreachable)
                {
                    Log.Unreachable(_logger, exception.Message);
                    State = ProjectionState.Unreachable;
                }

                await WaitAsync(Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken), retry, cancellationToken).ConfigureAwait(false);
                retry = retry * 2 < s_checkInterval ? retry * 2 : s_checkInterval;
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Writes what is due; when nothing is, looks whether Redis still shows what was written.</summary>
    private async Task<ProjectionState> FollowAsync(CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow(); // before the look: what is shown is at least as new
        var (everything, names) = TakeDue();
        if (!everything && names.Count == 0)
        {
            var there = await _writer.CheckAsync(WrittenVersion, now, cancellationToken).ConfigureAwait(false);
            if (there == (_epoch, WrittenVersion))
            {
                return ProjectionState.Current;
            }

            Log.Changed(_logger, there.Epoch, there.Version, _epoch);
            Forget();
            return ProjectionState.Behind;
        }

        // Taken after the names: a commit in between is in this view already, and its names come again. Writing twice does no harm.
        var view = _current();
        if (everything)
        {
            names = [.. view.Names().Concat(await _writer.ReadNamesAsync(cancellationToken).ConfigureAwait(false)).Distinct()];
        }

        switch (await _writer.WriteAsync(view, names, everything ? null : WrittenVersion, now, cancellationToken).ConfigureAwait(false))
        {
            case ProjectionAnswer.Written:
                Interlocked.Exchange(ref _writtenVersion, view.Version);
                return ProjectionState.Current;
            case ProjectionAnswer.LaterEpoch:
                Log.TakenOver(_logger, _epoch);
                return ProjectionState.TakenOver;
            default:
                // A write that was given up and arrived after all, or a Redis that was wiped: write the newest of everything.
                Forget();
                return ProjectionState.Behind;
        }
    }

    private (bool Everything, IReadOnlyList<EndpointName> Names) TakeDue()
    {
        lock (_gate)
        {
            var due = (_needsEverything, (IReadOnlyList<EndpointName>)[.. _dirty]);
            _needsEverything = false;
            _dirty = [];
            if (_changed.Task.IsCompleted)
            {
                _changed = NewSignal();
            }

            return due;
        }
    }

    private void Forget()
    {
        lock (_gate)
        {
            _needsEverything = true;
            _dirty = []; // bounded: while Redis is away nothing is remembered
            _changed.TrySetResult();
            Interlocked.Exchange(ref _writtenVersion, 0);
        }
    }

    private Task NextChange()
    {
        lock (_gate)
        {
            return _changed.Task;
        }
    }

    private async Task WaitAsync(Task signal, TimeSpan atMost, CancellationToken cancellationToken)
    {
        try
        {
            await signal.WaitAsync(atMost, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Time to look.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(510, LogLevel.Warning, "Redis cannot be reached ({Reason}); endpoints are registered without it and written when it is back.")]
        public static partial void Unreachable(ILogger logger, string reason);

        [LoggerMessage(511, LogLevel.Information, "Redis is back and shows the endpoints again.")]
        public static partial void BackAgain(ILogger logger);

        [LoggerMessage(512, LogLevel.Warning, "Redis shows epoch {ThereEpoch}, version {ThereVersion}, which is not what epoch {Epoch} wrote last; all endpoints are written again.")]
        public static partial void Changed(ILogger logger, long thereEpoch, long thereVersion, long epoch);

        [LoggerMessage(513, LogLevel.Error, "A later start of the controller than epoch {Epoch} writes the endpoints into Redis; this one stops.")]
        public static partial void TakenOver(ILogger logger, long epoch);
    }
}

/// <summary>Where the copy of the endpoints in Redis stands.</summary>
internal enum ProjectionState
{
    /// <summary>Not written yet.</summary>
    Behind,

    /// <summary>Shows the last commit, or will within moments.</summary>
    Current,

    /// <summary>Redis cannot be reached.</summary>
    Unreachable,

    /// <summary>A later start of the controller writes; this one does not any more.</summary>
    TakenOver,
}
