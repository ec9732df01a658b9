using System.Collections.Concurrent;

namespace Fluster.Controller;

/// <summary>
/// Finds jobs by id. The writer's index, which readers may use at the same time: it may be ahead of the state that they read, so each answer
/// is looked up there.
/// </summary>
internal sealed class JobDirectory
{
    private readonly ConcurrentDictionary<JobId, Entry> _jobs = new();

    public void Add(JobRecord job)
    {
        _jobs[job.Id] = new Entry(job.Uid, job.PreviousUid);
        if (job.Generation > 1)
        {
            _jobs[PlainId(job)] = new Entry(job.Uid, job.PreviousUid); // the plain name finds the newest
        }
    }

    /// <summary>The newest job of this id, as the writer sees it; 0: none.</summary>
    public long Newest(JobId id) => _jobs.TryGetValue(id, out var entry) ? entry.Newest : 0;

    /// <summary>The newest job of this id in a published state; null: none.</summary>
    public JobRecord? Find(JobId id, ClusterState state) =>
        !_jobs.TryGetValue(id, out var entry) ? null
        : state.Jobs.Find(entry.Newest) ?? state.Jobs.Find(entry.Previous);

    /// <summary>The job is in the archive now.</summary>
    public void Remove(JobRecord job)
    {
        foreach (var id in (JobId[])[job.Id, PlainId(job)])
        {
            if (_jobs.TryGetValue(id, out var entry) && entry.Newest == job.Uid)
            {
                _jobs.TryRemove(id, out _);
            }
        }
    }

    public void Clear() => _jobs.Clear();

    /// <summary>The id without the number that tells children of one name apart: what the client asked for.</summary>
    public static JobId PlainId(JobRecord job) =>
        job.Generation == 1 ? job.Id : JobId.Parse(job.Id.ToString()[..job.Id.ToString().LastIndexOf('~')]);

    private readonly record struct Entry(long Newest, long Previous);
}
