namespace Fluster.Controller;

/// <summary>What one pass of the planner decided.</summary>
internal sealed class VmPlan
{
    /// <summary>Machines to be asked for.</summary>
    public List<VmWish> Wishes { get; } = [];

    /// <summary>Machines that have had nothing to do for long enough.</summary>
    public List<long> Idle { get; } = [];

    /// <summary>Cluster time at which there may be something to decide; none: <see cref="long.MaxValue"/>.</summary>
    public long NextDue { get; set; } = long.MaxValue;

    public IEnumerable<ClusterInput> Inputs()
    {
        if (Wishes.Count > 0)
        {
            yield return new ClusterInput.RequestVms([.. Wishes]);
        }

        if (Idle.Count > 0)
        {
            yield return new ClusterInput.ReleaseIdleVms([.. Idle]);
        }
    }
}

/// <summary>
/// Decides which machines are asked for and which are not needed any more. Fills the room that there is with the jobs that wait, then the machines that are coming,
/// and asks for more when that is not enough. Works on a published state and only proposes: the machine checks each wish again. Synchronous; belongs to one thread.
/// </summary>
internal sealed class VmPlanner
{
    private readonly WaitingJobs _waiting = new();
    private readonly VmOffers _offers;
    private readonly Func<VmSource, VmId> _newId;
    private readonly Func<Guid> _newRequest;

    /// <param name="state">The state to begin with.</param>
    /// <param name="offers">The backends, the first to be asked first.</param>
    /// <param name="newId">Makes names.</param>
    /// <param name="newRequest">Makes request ids.</param>
    public VmPlanner(ClusterState state, VmOffers offers, Func<VmSource, VmId> newId, Func<Guid> newRequest)
    {
        (_offers, _newId, _newRequest) = (offers, newId, newRequest);
        foreach (var job in state.Jobs.Ascending())
        {
            _waiting.Update(job.Uid, job);
        }
    }

    /// <summary>Takes in the jobs that changed.</summary>
    public void Update(ClusterState state, IEnumerable<long> jobs)
    {
        foreach (var uid in jobs)
        {
            _waiting.Update(uid, state.Jobs.Find(uid));
        }
    }

    /// <param name="state">The state; nothing that an earlier pass decided may still be under way.</param>
    /// <param name="now">Cluster time.</param>
    /// <param name="refuses">Whether a worker says that it takes no work. One that is just not connected will be back.</param>
    public VmPlan Plan(ClusterState state, long now, Func<long, bool> refuses)
    {
        var capacity = new Capacity(state, now, uid => !refuses(uid));
        var pass = new VmPlanningPass(state, now, capacity, _offers, _newId, _newRequest);
        pass.KeepLeast();
        _waiting.Walk(uid => state.Jobs.Find(uid) is not { IsLive: true, Stopping: false } job || pass.Place(job), () => true);
        pass.FindIdle();
        return pass.Plan;
    }
}
