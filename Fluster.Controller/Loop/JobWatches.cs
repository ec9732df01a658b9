namespace Fluster.Controller;

/// <summary>Wakes whoever watches a job, right after a commit that changed it.</summary>
internal sealed class JobWatches : ICommitListener
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, Entry> _watched = [];

    /// <summary>Fires when a job's last watcher is gone.</summary>
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

    /// <summary>Watches a job until the result is disposed.</summary>
    public Watch Open(long jobUid)
    {
        lock (_gate)
        {
            if (!_watched.TryGetValue(jobUid, out var entry))
            {
                _watched[jobUid] = entry = new Entry();
            }

            entry.Watchers++;
            return new Watch(this, jobUid, entry.Changed);
        }
    }

    private void Fire(long uid)
    {
        if (_watched.TryGetValue(uid, out var entry))
        {
            entry.Changed.Fire();
        }
    }

    private void Close(long jobUid)
    {
        lock (_gate)
        {
            if (_watched.TryGetValue(jobUid, out var entry) && --entry.Watchers == 0)
            {
                _watched.Remove(jobUid);
                Closed.Fire();
            }
        }
    }

    internal sealed class Watch(JobWatches watches, long jobUid, Pulse changed) : IDisposable
    {
        private bool _closed;

        /// <summary>Fires at every change of the job.</summary>
        public Pulse Changed => changed;

        public void Dispose()
        {
            if (!_closed)
            {
                _closed = true;
                watches.Close(jobUid);
            }
        }
    }

    private sealed class Entry
    {
        public Pulse Changed { get; } = new();

        public int Watchers { get; set; }
    }
}
