namespace Fluster.Controller;

/// <summary>
/// Decides which tasks go where: first come, first served among what fits, so that a job for which there is no room holds up nobody; spread
/// over the workers, plain ones before those with devices that it did not ask for. Works on a published state and only proposes: the machine checks each placement again. Synchronous; belongs to one thread.
/// </summary>
internal sealed class Scheduler
{
    private readonly WaitingJobs _waiting = new();

    public Scheduler(ClusterState state)
    {
        foreach (var job in state.Jobs.Ascending())
        {
            _waiting.Update(job.Uid, job);
        }
    }

    /// <summary>Cluster time at which a task's back-off ends; none: <see cref="long.MaxValue"/>. As of the last pass.</summary>
    public long NextDue { get; private set; } = long.MaxValue;

    public int Waiting => _waiting.Count;

    /// <summary>Takes in the jobs that changed.</summary>
    public void Update(ClusterState state, IEnumerable<long> jobs)
    {
        foreach (var uid in jobs)
        {
            _waiting.Update(uid, state.Jobs.Find(uid));
        }
    }

    /// <summary>One pass over everything that waits.</summary>
    /// <param name="state">The state; nothing that an earlier pass decided may still be under way.</param>
    /// <param name="now">Cluster time.</param>
    /// <param name="usable">Whether a worker can be reached and takes work.</param>
    public IReadOnlyList<Placement> Plan(ClusterState state, long now, Func<long, bool> usable)
    {
        NextDue = long.MaxValue;
        var placements = new List<Placement>();
        if (_waiting.Count == 0)
        {
            return placements;
        }

        var capacity = new Capacity(state, usable);

        // One line per shape, merged by the place of the first in each: a shape without room leaves the race at once, however many wait with it.
        var lines = new PriorityQueue<IEnumerator<WaitingJobs.Place>, WaitingJobs.Place>();
        foreach (var line in _waiting.ByShape.Values)
        {
            Enter(line.GetEnumerator());
        }

        while (!capacity.IsFull && lines.TryDequeue(out var line, out var place))
        {
            if (PlaceTasks(state, state.Jobs.Find(place.Uid), now, capacity, placements))
            {
                Enter(line);
            }
        }

        return placements;

        void Enter(IEnumerator<WaitingJobs.Place> line)
        {
            if (line.MoveNext())
            {
                lines.Enqueue(line, line.Current);
            }
        }
    }

    /// <returns>Whether there may be room for another job of this shape.</returns>
    private bool PlaceTasks(ClusterState state, JobRecord? job, long now, Capacity capacity, List<Placement> placements)
    {
        if (job is not { IsLive: true, Stopping: false })
        {
            return true; // changed since; its update is on the way
        }

        var left = job.Waiting;
        for (var index = 0; index < job.Terms.Replicas && left > 0; index++)
        {
            var task = state.TaskOf(job, index);
            if (task is { State: not JobState.Pending })
            {
                continue;
            }

            left--;
            if (task is { LiveChildren: > 0 })
            {
                continue; // the end of the last of them is a change of the task
            }

            if (task is not null && task.NotBefore > now)
            {
                NextDue = Math.Min(NextDue, task.NotBefore);
                continue;
            }

            var last = task is { Attempts.IsEmpty: false } ? state.Attempt(task.Attempts[^1])?.WorkerUid ?? 0 : 0;
            if (capacity.Take(job.Terms.Shape, last) is not { } slot)
            {
                return false;
            }

            placements.Add(new Placement(job.Uid, index, slot.Worker.Uid));
        }

        return true;
    }
}
