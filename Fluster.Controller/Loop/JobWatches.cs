namespace Fluster.Controller;

/// <summary>Wakes whoever watches a job, right after a commit that changed it.</summary>
internal sealed class JobWatches : ICommitListener
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, List<Watch>> _watched = [];

    /// <summary>Fires when a watcher is gone.</summary>
    public Pulse Closed { get; } = new();

    /// <summary>Whether anybody watches any job.</summary>
    public bool Any
    {
        get
        {
            lock (_gate)
            {
                return _watched.Count > 0;
            }
        }
    }

    public void OnCommitted(ClusterState state, Batch batch)
    {
        lock (_gate)
        {
            if (_watched.Count == 0)
            {
                return;
            }

            foreach (var uid in batch.Jobs.Keys)
            {
                Fire(uid);
            }

            foreach (var task in batch.Tasks.Values)
            {
                Fire(task.JobUid);
            }

            foreach (var attempt in batch.Attempts.Values)
            {
                Fire(attempt.JobUid);
            }
        }
    }

    /// <summary>Watches jobs until the result is disposed.</summary>
    public Watch Open(params ReadOnlySpan<long> jobs)
    {
        var watch = new Watch(this, jobs.ToArray());
        lock (_gate)
        {
            foreach (var uid in jobs)
            {
                if (!_watched.TryGetValue(uid, out var watchers))
                {
                    _watched[uid] = watchers = [];
                }

                watchers.Add(watch);
            }
        }

        return watch;
    }

    private void Fire(long uid)
    {
        if (_watched.TryGetValue(uid, out var watchers))
        {
            foreach (var watch in watchers)
            {
                watch.Note(uid);
            }
        }
    }

    private void Close(Watch watch)
    {
        lock (_gate)
        {
            foreach (var uid in watch.Jobs)
            {
                if (_watched.TryGetValue(uid, out var watchers) && watchers.Remove(watch) && watchers.Count == 0)
                {
                    _watched.Remove(uid);
                }
            }

            Closed.Fire();
        }
    }

    internal sealed class Watch(JobWatches watches, long[] jobs) : IDisposable
    {
        private readonly Lock _gate = new();
        private HashSet<long> _seen = [];
        private bool _closed;

        public IReadOnlyList<long> Jobs => jobs;

        /// <summary>Fires at every change of one of the jobs.</summary>
        public Pulse Changed { get; } = new();

        /// <summary>The jobs that changed since this was called last.</summary>
        public IReadOnlyCollection<long> TakeChanged()
        {
            lock (_gate)
            {
                var seen = _seen;
                _seen = [];
                return seen;
            }
        }

        public void Note(long uid)
        {
            lock (_gate)
            {
                _seen.Add(uid);
            }

            Changed.Fire();
        }

        public void Dispose()
        {
            if (!_closed)
            {
                _closed = true;
                watches.Close(this);
            }
        }
    }
}
