namespace Fluster.Controller;

/// <summary>
/// Decides which tasks go where: first come, first served among what fits, so that a job for which there is no room holds up nobody, nor is
/// passed by for ever; spread over the workers, plain ones before those with devices that it did not ask for; gangs whole. Works on a
/// published state and only proposes: the machine checks each placement again. Synchronous; belongs to one thread.
/// </summary>
internal sealed class Scheduler
{
    private readonly WaitingJobs _waiting = new();
    private readonly Claims? _claims;

    /// <param name="state">The state to begin with.</param>
    /// <param name="preempts">Whether jobs may take the room of lower priorities.</param>
    public Scheduler(ClusterState state, bool preempts = false)
    {
        _claims = preempts ? new Claims() : null;
        foreach (var job in state.Jobs.Ascending())
        {
            _waiting.Update(job.Uid, job);
        }
    }

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
    public SchedulingPlan Plan(ClusterState state, long now, Func<long, bool> usable)
    {
        if (_waiting.Count == 0)
        {
            return new SchedulingPlan();
        }

        var capacity = new Capacity(state, now, usable);
        _claims?.Hold(state, capacity);
        var pass = new SchedulingPass(state, now, capacity, _claims);

        // A job that has changed since is dealt with when its update comes.
        _waiting.Walk(
            uid => state.Jobs.Find(uid) is not { IsLive: true, Stopping: false } job || pass.Place(job),
            () => _claims is not null || !capacity.IsFull);
        return pass.Plan;
    }
}
