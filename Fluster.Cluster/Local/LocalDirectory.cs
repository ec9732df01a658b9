namespace Fluster.Cluster;

/// <summary>The jobs of a <see cref="LocalClient"/> by their ids, and their attempts by their fences. Not safe by itself: under the lock of <see cref="LocalJobs"/>.</summary>
internal sealed class LocalDirectory
{
    /// <summary>Ended jobs that are remembered; past it the oldest are forgotten.</summary>
    private const int MostEnded = 10_000;

    private readonly Dictionary<JobId, LocalJob> _jobs = [];
    private readonly Dictionary<JobId, LocalJob> _newest = []; // by the plain id
    private readonly Dictionary<Fence, LocalAttempt> _attempts = [];
    private readonly Queue<LocalJob> _ended = new();
    private long _roots;
    private long _fences;

    public IEnumerable<LocalJob> Jobs => _jobs.Values;

    /// <summary>The job of this id; the plain one finds the newest.</summary>
    /// <exception cref="ClusterException">There is none that the caller may see.</exception>
    public LocalJob Find(JobId id, LocalAttempt? caller) =>
        (_newest.GetValueOrDefault(id) ?? _jobs.GetValueOrDefault(id)) is { } job && (caller is null || caller.Job.Namespace == job.Namespace)
            ? job
            : throw new ClusterException(ClusterError.NotFound, $"There is no job '{id}'.");

    public LocalAttempt? FindAttempt(Fence fence) => _attempts.GetValueOrDefault(fence);

    /// <summary>The ids of a new job: never given before, and the plain one.</summary>
    /// <exception cref="ClusterException">The parent has a live child of that name.</exception>
    public (JobId Id, JobId Plain) NewId(LocalAttempt? parent, string name)
    {
        if (parent is null)
        {
            var root = JobId.Parse($"local-{_roots + 1}");
            return (root, root);
        }

        var plain = parent.Job.Id.Child(name);
        if (!_newest.TryGetValue(plain, out var previous))
        {
            return (plain, plain);
        }

        if (previous.IsLive)
        {
            throw new ClusterException(ClusterError.AlreadyExists, $"Job '{previous.Id}' is live, and a job has one live child of a name at a time.");
        }

        var generation = previous.Id == plain ? 1 : int.Parse(previous.Id.LastPart.Split('~')[^1]);
        return (JobId.Parse($"{plain}~{generation + 1}"), plain);
    }

    public void Add(LocalJob job)
    {
        _jobs.Add(job.Id, job);
        _newest[job.PlainId] = job;
        _roots += job.Parent is null ? 1 : 0;
    }

    public Fence NewFence() => Fence.Of(1, ++_fences);

    public void Add(LocalAttempt attempt) => _attempts.Add(attempt.Fence, attempt);

    /// <summary>The job has ended, and one that ended long ago is forgotten.</summary>
    public void Ended(LocalJob job)
    {
        _ended.Enqueue(job);
        if (_ended.Count <= MostEnded)
        {
            return;
        }

        var oldest = _ended.Dequeue();
        _jobs.Remove(oldest.Id);
        if (_newest.GetValueOrDefault(oldest.PlainId) == oldest)
        {
            _newest.Remove(oldest.PlainId);
        }

        foreach (var attempt in oldest.Tasks.SelectMany(task => task.Attempts))
        {
            _attempts.Remove(attempt.Fence);
        }
    }
}
