namespace Fluster.Controller;

/// <summary>
/// Room that tasks made for themselves by preempting others. It is theirs until they have a place: nobody else gets in between the end of
/// what was preempted and their turn. Known to the scheduler only: one that starts anew preempts anew. Belongs to the scheduler's thread.
/// </summary>
internal sealed class Claims
{
    private readonly SortedDictionary<(long JobUid, int TaskIndex), long> _workers = [];

    public long WorkerOf(JobRecord job, int index) => _workers.GetValueOrDefault((job.Uid, index));

    public void Add(JobRecord job, int index, WorkerSlot slot) => _workers[(job.Uid, index)] = slot.Worker.Uid;

    public void Remove(JobRecord job, int index) => _workers.Remove((job.Uid, index));

    /// <summary>Takes what is claimed out of a pass's capacity. A claim ends with the task's wait, or when its worker is out of reach.</summary>
    public void Hold(ClusterState state, Capacity capacity)
    {
        foreach (var ((jobUid, index), workerUid) in _workers.ToArray())
        {
            if (state.Jobs.Find(jobUid) is { IsLive: true, Stopping: false } job
                && (state.TaskOf(job, index)?.State ?? JobState.Pending) == JobState.Pending
                && capacity.Find(workerUid) is { } slot)
            {
                capacity.Take(slot, job.Terms.Shape);
            }
            else
            {
                _workers.Remove((jobUid, index));
            }
        }
    }
}
