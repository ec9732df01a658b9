namespace Fluster.Controller;

/// <summary>
/// The last changes of endpoints, for those who watch them: each reads on from the version that it knows. Nobody is waited for; who knows a
/// version that is too long ago reads everything again.
/// </summary>
internal sealed class EndpointFeed : ICommitListener
{
    /// <summary>Changes that are kept.</summary>
    private const int Kept = 10_000;

    private readonly EndpointChange[] _ring = new EndpointChange[Kept];
    private readonly Dictionary<EndpointKey, Entry> _names = [];
    private readonly Pulse _any = new();
    private readonly Lock _gate = new();
    private long _newest;
    private long _floor;

    public EndpointFeed(ClusterLoop loop)
        : this(loop.Current.Meta.EndpointVersion)
    {
    }

    /// <param name="version">Of the last change before the start: earlier ones cannot be read.</param>
    internal EndpointFeed(long version)
    {
        _newest = version;
        _floor = version;
    }

    public void OnCommitted(ClusterState state, Batch batch)
    {
        if (batch.EndpointChanges.Count == 0)
        {
            return;
        }

        lock (_gate)
        {
            foreach (var change in batch.EndpointChanges)
            {
                _ring[change.Version % Kept] = change;
                _newest = change.Version;
            }

            _floor = Math.Max(_floor, _newest - Kept);
            if (_names.Count > 0)
            {
                foreach (var key in batch.EndpointKeys)
                {
                    if (_names.TryGetValue(key, out var entry))
                    {
                        entry.Changed.Fire();
                    }
                }
            }
        }

        _any.Fire();
    }

    /// <summary>What changed after a version.</summary>
    /// <param name="after">The version that is known.</param>
    /// <param name="matches">Which endpoints are of interest.</param>
    /// <param name="version">The newest version.</param>
    /// <returns>The changes in their order; null when the version is too long ago.</returns>
    public IReadOnlyList<EndpointChange>? ReadAfter(long after, Func<EndpointRecord, bool> matches, out long version)
    {
        lock (_gate)
        {
            version = Math.Max(after, _newest); // a state is published a moment before its changes are here
            if (after < _floor)
            {
                return null;
            }

            List<EndpointChange>? found = null;
            for (var number = after + 1; number <= _newest; number++)
            {
                if (_ring[number % Kept] is var change && matches(change.Endpoint))
                {
                    (found ??= []).Add(change);
                }
            }

            return found ?? (IReadOnlyList<EndpointChange>)[];
        }
    }

    /// <summary>Watches one name, or with null all of them, until the result is disposed.</summary>
    public Watch Open(EndpointKey? key)
    {
        if (key is not { } name)
        {
            return new Watch(this, null, _any);
        }

        lock (_gate)
        {
            if (!_names.TryGetValue(name, out var entry))
            {
                _names[name] = entry = new Entry();
            }

            entry.Watchers++;
            return new Watch(this, name, entry.Changed);
        }
    }

    private void Close(EndpointKey key)
    {
        lock (_gate)
        {
            if (_names.TryGetValue(key, out var entry) && --entry.Watchers == 0)
            {
                _names.Remove(key);
            }
        }
    }

    internal sealed class Watch(EndpointFeed feed, EndpointKey? key, Pulse changed) : IDisposable
    {
        private bool _closed;

        /// <summary>Fires when there may be something to read.</summary>
        public Pulse Changed => changed;

        public void Dispose()
        {
            if (!_closed && key is { } name)
            {
                _closed = true;
                feed.Close(name);
            }
        }
    }

    private sealed class Entry
    {
        public Pulse Changed { get; } = new();

        public int Watchers { get; set; }
    }
}
