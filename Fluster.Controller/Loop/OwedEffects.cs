namespace Fluster.Controller;

/// <summary>
/// Every effect that a state still needs, whatever was started before. Run at the start and every 10 s: an effect that was lost costs time,
/// never correctness.
/// </summary>
internal static class OwedEffects
{
    public static IEnumerable<ClusterEffect> Of(ClusterState state)
    {
        foreach (var worker in state.Workers.Ascending())
        {
            yield return new ClusterEffect.UpdateWorker(worker.Uid);
            if (worker.State == WorkerState.Lost && worker.Held.Any(fence => state.Attempt(fence) is { IsLive: true }))
            {
                yield return new ClusterEffect.GoOn(new ClusterInput.GiveUpLost(worker.Uid));
            }
        }

        foreach (var vm in state.Vms.Ascending())
        {
            if (vm.State == VmState.Requested)
            {
                yield return new ClusterEffect.CreateVm(vm.Uid);
            }
            else if (vm.State == VmState.Releasing)
            {
                yield return new ClusterEffect.ReleaseVm(vm.Uid);
            }
        }

        // Parents come before their children: uids grow.
        var parents = new SortedSet<long>();
        foreach (var job in state.Jobs.Ascending())
        {
            if (job is { IsLive: true, Stopping: false, ParentUid: > 0 } && IsOrphan(state, job))
            {
                parents.Add(job.ParentUid);
            }
        }

        foreach (var parent in parents)
        {
            yield return new ClusterEffect.GoOn(new ClusterInput.StopChildren(parent));
        }

        yield return new ClusterEffect.GoOn(new ClusterInput.ArchiveJobs()); // the rule knows whether there is anything to do
    }

    // As JobRules has it; a job that is named here and is none is left alone there.
    private static bool IsOrphan(ClusterState state, JobRecord child) =>
        state.Jobs.Find(child.ParentUid) is { Stopping: true } || state.Attempt(child.ParentFence) is { IsLive: false };
}
