using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>The workers of a pool: their jobs, and the connections to those that are there. Works in the context of the job that made the pool.</summary>
internal sealed class PoolWorkers : IAsyncDisposable
{
    private readonly string _pool;
    private readonly IReadOnlyList<PoolSlot> _slots;
    private readonly PoolDispatcher _dispatcher;
    private readonly TimeProvider _time;
    private readonly ClusterResolver _resolver;
    private readonly Func<string?> _token;
    private readonly FlusterContext? _context = FlusterContext.CurrentOrNull;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly OrderedDictionary<EndpointId, RegisteredEndpoint> _endpoints = [];
    private readonly Dictionary<PoolSlot, PoolLink> _links = [];
    private Task _running = Task.CompletedTask;
    private Task? _end;
    private Task _letGo = Task.CompletedTask;
    private int _dead;

    private PoolWorkers(IClusterController client, string pool, IReadOnlyList<PoolSlot> slots, PoolDispatcher dispatcher, TimeProvider time)
    {
        _pool = pool;
        _slots = slots;
        _dispatcher = dispatcher;
        _time = time;
        _resolver = new ClusterResolver(client, _context?.Namespace);
        _token = CallerToken.Of(_resolver);
    }

    /// <summary>How many there are to be.</summary>
    public int Count => _slots.Count;

    /// <summary>Those that were given up.</summary>
    public int Dead => Volatile.Read(ref _dead);

    /// <summary>The jobs that there are now.</summary>
    public IReadOnlyList<JobId> Jobs => [.. _slots.Select(slot => slot.Job).OfType<JobHandle>().Select(job => job.Id)];

    /// <param name="client">The cluster.</param>
    /// <param name="pool">What their endpoints begin with.</param>
    /// <param name="slots">A place for each.</param>
    /// <param name="dispatcher">Gets those that are there, and is closed when there will be none any more.</param>
    /// <param name="time">The clock.</param>
    public static PoolWorkers Start(IClusterController client, string pool, IReadOnlyList<PoolSlot> slots, PoolDispatcher dispatcher, TimeProvider time)
    {
        var workers = new PoolWorkers(client, pool, slots, dispatcher, time);
        workers._running = workers.InContextAsync(workers.RunAsync);
        return workers;
    }

    /// <summary>Terminates the jobs; waits for their end if asked to.</summary>
    public Task EndAsync(bool wait, CancellationToken cancellationToken)
    {
        Task end;
        lock (_lock)
        {
            end = _end ??= InContextAsync(EndAsync);
        }

        return wait ? WaitAsync() : end.WaitAsync(cancellationToken);

        async Task WaitAsync()
        {
            await end.WaitAsync(cancellationToken).ConfigureAwait(false);
            await _letGo.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public ValueTask DisposeAsync() => new(EndAsync(wait: true, CancellationToken.None));

    /// <summary>What keeps one of those that are not there, as a sentence; empty when nothing is known.</summary>
    public async Task<string> WhyNotAsync(CancellationToken cancellationToken)
    {
        foreach (var slot in _slots.Where(slot => !IsLinked(slot)))
        {
            try
            {
                if (slot.Job is { } job && await job.GetStatusAsync(cancellationToken).ConfigureAwait(false) is { State.IsTerminal: false } status)
                {
                    return $" {job.Id} is {status.State}{(status.PendingReason is { } why ? $": {why}" : ".")}";
                }
            }
            catch (ClusterException)
            {
                // What is known already has to do.
            }

            if (slot.Problem is { } problem)
            {
                return $" {problem}";
            }
        }

        return "";
    }

    private async Task RunAsync()
    {
        // One watch for all.
        using var follower = EndpointFollower<EndpointUpdate>.Start(token => _resolver.WatchPrefixAsync($"{_pool}:", token), Follow, static _ => { }, _time);
        try
        {
            var reasons = await Task.WhenAll(_slots.Select(RunAsync)).ConfigureAwait(false);
            _dispatcher.Close(new WorkerPoolException($"All workers of {_pool} are dead: {reasons[^1].Message}", reasons[^1]));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Shut down.
        }
    }

    private async Task<Exception> RunAsync(PoolSlot slot)
    {
        var reason = await slot.RunAsync(_stop.Token).ConfigureAwait(false);
        Interlocked.Increment(ref _dead);
        return reason;
    }

    /// <summary>Connects to the workers that are there now, and lets go of those that are not.</summary>
    private void Follow(EndpointUpdate update)
    {
        lock (_lock)
        {
            if (update.IsReset)
            {
                _endpoints.Clear();
            }

            foreach (var gone in update.Removed)
            {
                _endpoints.Remove(gone);
            }

            foreach (var endpoint in update.Registered)
            {
                _endpoints.Remove(endpoint.Id);
                _endpoints.Add(endpoint.Id, endpoint);
            }

            var newest = new Dictionary<string, RegisteredEndpoint>(StringComparer.Ordinal);
            foreach (var endpoint in _endpoints.Values)
            {
                newest[endpoint.Name] = endpoint;
            }

            foreach (var slot in _slots)
            {
                Link(slot, newest.TryGetValue(slot.Name, out var endpoint) ? ClusterResolver.Resolved(endpoint) : null);
            }
        }
    }

    private void Link(PoolSlot slot, ResolvedEndpoint? endpoint)
    {
        if (_links.TryGetValue(slot, out var known))
        {
            if (endpoint is not null && endpoint.Id == known.Endpoint.Id && endpoint.Handle == known.Endpoint.Handle)
            {
                return;
            }

            _links.Remove(slot);
            known.Dispose();
        }

        if (endpoint is not null && _end is null)
        {
            slot.WasThere();
            var link = new PoolLink(_dispatcher, slot.Name, endpoint, _token, _time);
            _links.Add(slot, link);
            _ = InContextAsync(link.RunAsync);
        }
    }

    private bool IsLinked(PoolSlot slot)
    {
        lock (_lock)
        {
            return _links.ContainsKey(slot);
        }
    }

    private async Task EndAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        await Task.WhenAll(_slots.Select(slot => slot.TerminateAsync(wait: false))).ConfigureAwait(false);
        _letGo = InContextAsync(LetGoAsync);
    }

    /// <summary>Listens to the workers until their jobs have ended: one that is heard to the end ends sooner.</summary>
    private async Task LetGoAsync()
    {
        try
        {
            await Task.WhenAll(_slots.Select(slot => slot.TerminateAsync(wait: true))).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock)
            {
                foreach (var link in _links.Values)
                {
                    link.Dispose();
                }

                _links.Clear();
            }

            _dispatcher.Dispose();
        }
    }

    // In the context of the job that made the pool, captured once, and in nothing else of whoever asks: not in its call's deadline or its trace.
    private Task InContextAsync(Func<Task> work) => Detached.Run(async () =>
    {
        using var scope = _context?.Enter();
        await work().ConfigureAwait(false);
    });
}
