using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Leads each call to one of the members of a pool, and keeps to what the resolver says who they are.</summary>
internal sealed class PoolRoute : ActorRoute
{
    private readonly Lock _lock = new();
    private readonly PoolRing<PoolMember> _ring = new();
    private readonly Func<string?> _token;
    private readonly Namespace _namespace;
    private readonly PoolBalancing _balancing;
    private readonly ActorConnections _connections;
    private readonly TimeProvider _time;
    private readonly EndpointFollower<ResolveResult> _follower;
    private TaskCompletionSource _changed = NewSignal();
    private Exception? _problem;
    private bool _isKnown;
    private bool _disposed;

    public PoolRoute(string name, IActorResolver resolver, Namespace? @namespace, PoolBalancing balancing, ActorConnections connections, TimeProvider time)
        : base(name)
    {
        _token = CallerToken.Of(resolver);
        _namespace = @namespace ?? resolver.DefaultNamespace; // that of whoever makes the pool: the watch belongs to no job
        _balancing = balancing;
        _connections = connections;
        _time = time;

        // A resolver that knows at once is believed at once.
        if (resolver.ResolveAsync(name, _namespace) is { IsCompletedSuccessfully: true, Result: var known })
        {
            TakeIn(known);
        }

        _follower = EndpointFollower<ResolveResult>.Start(token => resolver.WatchAsync(name, _namespace, token), TakeIn, Fail, time);
    }

    public override bool CanMove => false;

    public override string Display => $"actor '{Name}' of a pool";

    /// <summary>The members as they are known now, in the order in which they came.</summary>
    public IReadOnlyList<PoolMember> Members
    {
        get
        {
            lock (_lock)
            {
                return [.. _ring.Members];
            }
        }
    }

    public override string DisplayOf(PendingCall call)
    {
        lock (_lock)
        {
            return _ring.Members.FirstOrDefault(member => ReferenceEquals(member.Route.Target, call.Target))?.Route.Display ?? Display;
        }
    }

    public override async Task<ActorConnection> ConnectAsync(PendingCall call, CancellationToken cancellationToken)
    {
        var left = call.Deadline == 0 ? Timeout.InfiniteTimeSpan : CallScope.Left(call.Deadline);
        await KnownAsync(left, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            var member = Choose();
            try
            {
                var connection = await member.Route.ConnectAsync(call, cancellationToken).ConfigureAwait(false);
                if (_balancing == PoolBalancing.LeastOutstanding)
                {
                    return new CountedConnection(connection, member);
                }

                member.Ended();
                return connection;
            }
            catch (ObjectDisposedException) when (!_disposed)
            {
                member.Ended(); // it left in this moment: the next one
            }
            catch
            {
                member.Ended();
                throw;
            }
        }
    }

    /// <summary>Returns when the pool has so many members.</summary>
    public async Task WaitForSizeAsync(int size, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        while (true)
        {
            Task changed;
            int members;
            Exception? problem;
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                (changed, members, problem) = (_changed.Task, _ring.Members.Count, _problem);
            }

            if (members >= size)
            {
                return;
            }

            try
            {
                await WaitAsync(changed, timeout, start, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException exception)
            {
                throw new TimeoutException(
                    $"The pool of '{Name}' has {members} of {size} members after {timeout.TotalSeconds:0.###} s.{(problem is null ? "" : $" The last look-up failed: {problem.Message}")}", problem ?? exception);
            }
        }
    }

    public override void Dispose()
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            foreach (var member in _ring.Members)
            {
                member.Dispose();
            }

            changed = _changed;
        }

        _follower.Dispose();
        changed.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PoolMember Choose()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var member = (_balancing == PoolBalancing.RoundRobin ? _ring.Next() : _ring.NextWithLeast(static member => member.Outstanding)) ?? throw Nobody();
            member.Began(); // now: whoever chooses next is to see it
            return member;
        }
    }

    /// <summary>Returns when the resolver has said once who the members are.</summary>
    private async ValueTask KnownAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        while (true)
        {
            Task changed;
            Exception? problem;
            lock (_lock)
            {
                if (_isKnown || _disposed)
                {
                    return;
                }

                (changed, problem) = (_changed.Task, _problem);
            }

            try
            {
                await WaitAsync(changed, timeout, start, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException exception)
            {
                throw new TimeoutException($"It is not known who serves '{Name}'{(problem is null ? "" : $": {problem.Message}")}.", problem ?? exception);
            }
        }
    }

    private Task WaitAsync(Task changed, TimeSpan timeout, long start, CancellationToken cancellationToken)
    {
        if (timeout == Timeout.InfiniteTimeSpan)
        {
            return changed.WaitAsync(cancellationToken);
        }

        var left = timeout - _time.GetElapsedTime(start);
        return changed.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time, cancellationToken);
    }

    private void TakeIn(ResolveResult result)
    {
        List<PoolMember> gone;
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            // An endpoint that leads elsewhere now, or to another incarnation, is another member.
            gone = [.. _ring.Members.Where(member => !result.Endpoints.Any(endpoint => IsSame(endpoint, member.Endpoint)))];
            gone.ForEach(_ring.Remove);
            foreach (var endpoint in result.Endpoints)
            {
                if (!_ring.Members.Any(member => IsSame(endpoint, member.Endpoint)))
                {
                    _ring.Add(new PoolMember(new FixedRoute(Name, endpoint, _token, _connections), endpoint));
                }
            }

            (_isKnown, _problem) = (true, null);
            (changed, _changed) = (_changed, NewSignal());
        }

        gone.ForEach(member => member.Retire());
        changed.SetResult();
    }

    private void Fail(Exception exception)
    {
        lock (_lock)
        {
            _problem = exception;
        }
    }

    private ClusterException Nobody() => new(
        ClusterError.Unavailable,
        $"The pool of '{Name}' is empty: nobody serves that name in the namespace {_namespace}. WaitForSizeAsync waits for members.");

    private static bool IsSame(ResolvedEndpoint left, ResolvedEndpoint right) => left.Id == right.Id && left.Address == right.Address && left.Handle == right.Handle;

    /// <summary>A connection that says when its call has ended.</summary>
    private sealed class CountedConnection(ActorConnection inner, PoolMember member) : ActorConnection
    {
        public override bool IsUsable => inner.IsUsable;

        public override async ValueTask<CallEnd> SendAsync(PendingCall call)
        {
            try
            {
                return await inner.SendAsync(call).ConfigureAwait(false);
            }
            finally
            {
                member.Ended();
            }
        }

        public override Task<bool> IsThereAsync(CancellationToken cancellationToken) => inner.IsThereAsync(cancellationToken);

        public override void Cancel(PendingCall call, CallEnd end) => inner.Cancel(call, end);

        public override void GiveCredit(PendingCall call, int items, int bytes) => inner.GiveCredit(call, items, bytes);

        public override void FailTarget(ActorTarget target) => inner.FailTarget(target);

        public override void Retire()
        {
            // The member's route has the connection.
        }

        public override void Dispose()
        {
            // Likewise.
        }
    }
}
