using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Leads to whatever endpoint a resolver finds, and to another one when that is gone.</summary>
internal sealed class ResolvedRoute(string name, IActorResolver resolver, Namespace? @namespace, ActorConnections connections, TimeProvider time) : ActorRoute(name)
{
    private static readonly TimeSpan s_firstBackOff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestBackOff = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<(string Id, Guid Handle)> _doubted = [];
    private readonly Namespace _namespace = @namespace ?? resolver.DefaultNamespace; // that of whoever makes the client: the watch belongs to no job
    private readonly Func<string?> _token = CallerToken.Of(resolver);
    private TaskCompletionSource _changed = NewSignal();
    private IReadOnlyList<ResolvedEndpoint>? _known;
    private ResolvedEndpoint? _used;
    private EndpointFollower<ResolveResult>? _follower;
    private bool _disposed;

    public override bool CanMove => true;

    public override async Task<ActorConnection> ConnectAsync(PendingCall call, CancellationToken cancellationToken)
    {
        var backOff = s_firstBackOff;
        while (true)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Watch();
            var changed = Volatile.Read(ref _changed).Task;
            if (TryUse(call) is { } connection)
            {
                return connection;
            }

            // Woken by a change; asked again anyway, for a watch may be behind.
            var wait = backOff;
            if (call.Deadline != 0)
            {
                var left = CallScope.Left(call.Deadline);
                if (left <= TimeSpan.Zero)
                {
                    throw new TimeoutException(Nobody(call));
                }

                wait = left < wait ? left : wait;
            }

            try
            {
                await changed.WaitAsync(wait, time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                backOff = backOff * 2 < s_longestBackOff ? backOff * 2 : s_longestBackOff;
                await AskAsync(call, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public override void Doubt(ActorConnection connection, ActorTarget target)
    {
        base.Doubt(connection, target);
        lock (_lock)
        {
            // Not this one again at once: the next look-up says whether it is really there.
            if (_used is { } used && used.Handle == target.Handle)
            {
                _doubted.Add((used.Id, used.Handle));
                _used = null;
                connections.Release(connection, OpenCalls.EndFirst);
            }
        }
    }

    public override void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            if (Current is { } hop && _used is not null)
            {
                connections.Release(hop.Connection, OpenCalls.EndNow);
            }

            Current = null;
            _used = null;
        }

        _stop.Cancel();
        _follower?.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ActorConnection? TryUse(PendingCall call)
    {
        lock (_lock)
        {
            if (Current is { Connection.IsUsable: true } there)
            {
                call.Target = there.Target;
                return there.Connection;
            }

            if (_used is not null && Current is { } broken)
            {
                connections.Release(broken.Connection, OpenCalls.EndFirst);
                _used = null;
            }

            if (_known?.FirstOrDefault(endpoint => !_doubted.Contains((endpoint.Id, endpoint.Handle))) is not { } endpoint)
            {
                return null;
            }

            var connection = connections.Acquire(endpoint, _token);
            _used = endpoint;
            var hop = new Hop(new ActorTarget(Name, endpoint.Handle), endpoint.Address, connection);
            Current = hop;
            call.Target = hop.Target;
            return connection;
        }
    }

    private async Task AskAsync(PendingCall call, CancellationToken cancellationToken)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
            if (call.Deadline != 0)
            {
                limit.CancelAfter(CallScope.Left(call.Deadline));
            }

            var result = await resolver.ResolveAsync(Name, _namespace, limit.Token).ConfigureAwait(false);
            TakeIn(result, isAnswer: true);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested && !_stop.IsCancellationRequested)
        {
            throw new TimeoutException(Nobody(call), exception);
        }
        catch (Exception exception) when (exception is ClusterException { Error: ClusterError.Unavailable } or TimeoutException)
        {
            // The cluster cannot be asked now; it may be before the time is over.
        }
    }

    private void TakeIn(ResolveResult result, bool isAnswer)
    {
        Hop? gone = null;
        TaskCompletionSource changed;
        lock (_lock)
        {
            _known = result.Endpoints;
            if (isAnswer)
            {
                _doubted.Clear(); // they were asked for after the doubt arose, and are there
            }
            else
            {
                _doubted.RemoveWhere(doubted => !result.Endpoints.Any(endpoint => (endpoint.Id, endpoint.Handle) == doubted));
            }

            if (_used is { } used && !result.Endpoints.Any(endpoint => endpoint.Id == used.Id && endpoint.Handle == used.Handle) && Current is { } hop)
            {
                gone = hop;
                Current = null;
                _used = null;
            }

            (changed, _changed) = (_changed, NewSignal());
        }

        if (gone is not null)
        {
            gone.Connection.FailTarget(gone.Target);
            connections.Release(gone.Connection, OpenCalls.EndFirst);
        }

        changed.SetResult();
    }

    private void Watch()
    {
        lock (_lock)
        {
            _follower ??= EndpointFollower<ResolveResult>.Start(
                token => resolver.WatchAsync(Name, _namespace, token), result => TakeIn(result, isAnswer: false), static _ => { }, time); // calls ask themselves, and show what is wrong
        }
    }

    private string Nobody(PendingCall call) =>
        $"{Name}.{call.Method.Name} was not sent in time: nobody serves '{Name}' in the namespace {_namespace}{(call.Failure is { } failure ? $" ({failure.Message})" : "")}.";
}
