namespace Fluster.Controller;

/// <summary>How much was in use at one moment, in thousandths of what there is.</summary>
internal readonly record struct WorkerSample(ushort Cpu, ushort Memory, ushort Attempts);

/// <summary>The cluster at one moment.</summary>
/// <param name="Cpu">In use, in thousandths of all workers'.</param>
/// <param name="Running">Attempts that are placed or run.</param>
/// <param name="Pending">Jobs that wait.</param>
/// <param name="Submitted">Jobs that were submitted since the moment before.</param>
/// <param name="Succeeded">Jobs that succeeded since then.</param>
/// <param name="Failed">Jobs that ended otherwise since then.</param>
internal readonly record struct ClusterSample(ushort Cpu, int Running, int Pending, int Submitted, int Succeeded, int Failed);

/// <summary>The last so many of something.</summary>
internal sealed class Ring<T>(int capacity)
{
    private readonly T[] _items = new T[capacity];
    private long _count;

    public void Add(T item) => _items[_count++ % capacity] = item;

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<T> Read()
    {
        var first = Math.Max(0, _count - capacity);
        var items = new T[_count - first];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = _items[(first + i) % capacity];
        }

        return items;
    }
}

/// <summary>
/// What was in use during the last hour, for the charts of the pages: a sample every five seconds, in memory only. So many workers and no more are kept; a worker
/// that is not known any more goes with its samples.
/// </summary>
internal sealed class UtilisationSeries : ICommitListener
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>An hour.</summary>
    public const int Kept = 720;

    private const int MostWorkers = 2_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, Ring<WorkerSample>> _workers = [];
    private readonly Ring<ClusterSample> _cluster = new(Kept);
    private int _submitted;
    private int _succeeded;
    private int _failed;

    public void OnCommitted(ClusterState state, Batch batch)
    {
        foreach (var action in batch.Actions)
        {
            switch (action.Kind)
            {
                case ActionKinds.JobSubmitted:
                    Interlocked.Increment(ref _submitted);
                    break;
                case "job_succeeded":
                    Interlocked.Increment(ref _succeeded);
                    break;
                case "job_failed" or "job_killed" or "job_worker_failed" or "job_unschedulable":
                    Interlocked.Increment(ref _failed);
                    break;
            }
        }
    }

    /// <summary>Adds a sample of everything.</summary>
    public void Take(ClusterState state)
    {
        var (used, capacity, running) = (0L, 0L, 0);
        lock (_gate)
        {
            foreach (var worker in state.Workers.Ascending())
            {
                if (!_workers.TryGetValue(worker.Uid, out var samples) && _workers.Count < MostWorkers)
                {
                    _workers[worker.Uid] = samples = new Ring<WorkerSample>(Kept);
                }

                var shape = worker.Traits.Capacity;
                samples?.Add(new WorkerSample(Share(worker.Used.CpuMillis, shape.CpuMillis), Share(worker.Used.MemoryBytes, shape.MemoryBytes), (ushort)Math.Min(worker.Held.Length, ushort.MaxValue)));
                running += worker.Held.Length;
                if (worker.State != WorkerState.Lost)
                {
                    used += worker.Used.CpuMillis;
                    capacity += shape.CpuMillis;
                }
            }

            foreach (var gone in _workers.Keys.Where(uid => state.Workers.Find(uid) is null).ToList())
            {
                _workers.Remove(gone);
            }

            _cluster.Add(new ClusterSample(
                Share(used, capacity),
                running,
                state.Jobs.Ascending().Count(job => job.State == JobState.Pending),
                Interlocked.Exchange(ref _submitted, 0),
                Interlocked.Exchange(ref _succeeded, 0),
                Interlocked.Exchange(ref _failed, 0)));
        }
    }

    /// <summary>The samples of a worker, oldest first.</summary>
    public IReadOnlyList<WorkerSample> Of(long workerUid)
    {
        lock (_gate)
        {
            return _workers.TryGetValue(workerUid, out var samples) ? samples.Read() : [];
        }
    }

    /// <summary>The samples of the cluster, oldest first.</summary>
    public IReadOnlyList<ClusterSample> OfCluster()
    {
        lock (_gate)
        {
            return _cluster.Read();
        }
    }

    private static ushort Share(long used, long capacity) => capacity <= 0 ? (ushort)0 : (ushort)Math.Clamp(used * 1000 / capacity, 0, 1000);
}

/// <summary>Takes the samples.</summary>
internal sealed class UtilisationSampler(ClusterLoop loop, UtilisationSeries series, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield(); // what is read first can be large: the start does not wait for it
        using var timer = new PeriodicTimer(UtilisationSeries.Interval, time);
        do
        {
            series.Take(loop.Current);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
