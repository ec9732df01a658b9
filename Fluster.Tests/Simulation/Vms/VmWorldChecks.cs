using Fluster.Cluster;
using Fluster.Controller;
using WorkerState = Fluster.Controller.WorkerState;

namespace Fluster.Tests;

/// <summary>What must hold between the state, and the machines and programs that there really are.</summary>
internal sealed class VmWorldChecks(VmWorld world)
{
    private readonly HashSet<Fence> _started = [];
    private ClusterState? _published;

    public bool IsQuiet =>
        world.Controller.IsUp
        && world.Cloud.Machines.Count == 0
        && world.Controller.State is { Vms.Count: 0, Workers.Count: 0 } state
        && state.Jobs.Ascending().All(job => !job.IsLive);

    public string WhyNotQuiet()
    {
        var state = world.Controller.State;
        var jobs = state.Jobs.Ascending().Where(job => job.IsLive).Select(job => $"{job.Id} is {job.State}");
        var vms = state.Vms.Ascending().Select(vm => $"{vm.Id} is {vm.State} ({vm.Reason}), idle since {vm.IdleSince}");
        var workers = state.Workers.Ascending().Select(worker => $"{worker.Id} is {worker.State} and holds {worker.Held.Length}");
        return $"Nothing is broken any more, and the cluster does not come to rest. {string.Join("; ", [.. jobs, .. vms, .. workers, .. world.Cloud.Machines.Select(machine => $"there is {machine.Id}")])}";
    }

    /// <summary>The same rules, watched.</summary>
    public StepRule Around(StepRule rule) => (view, input, now) =>
    {
        var result = rule(view, input, now);
        foreach (var (uid, vm) in result.Rejection is null ? result.Changes.Vms.Records.ToArray() : [])
        {
            if (view.Vm(uid)?.State != vm.State)
            {
                Count(input, vm);
            }
        }

        if (result.Changes.VmBlocks.Count > 0)
        {
            world.Count(VmOccasion.Blocked);
        }

        if (input is ClusterInput.PlaceGang gang && result.Changes.Attempts.Count > 0)
        {
            Placed(view, gang);
        }

        if (input is ClusterInput.VmReleaseEnded && result.Changes.Attempts.Count > 0)
        {
            world.Count(VmOccasion.AttemptLostWithItsMachine);
        }

        return result;
    };

    public void Started(Fence fence) => Require(_started.Add(fence), $"Fence {fence} is started twice.");

    /// <summary>A machine is about to be condemned for what the cloud said.</summary>
    public void Condemned(VmRecord vm, ClusterInput.CondemnVm condemned) => Require(
        !condemned.Reason.Contains("gone", StringComparison.Ordinal) || world.Cloud.Find(vm.Id) is not { } there || there.IsBeingRemoved || there.IsLate,
        $"{vm.Id} is condemned because it is gone, and it is there.");

    /// <summary>A machine is about to be removed because nobody remembers it.</summary>
    public void Orphan(VmId id) => Require(
        world.Controller.State.Vms.Ascending().All(vm => vm.Id != id) && world.Cloud.Find(id) is not { IsLate: false },
        $"{id} is removed as an orphan, and it is none.");

    /// <summary>The controller goes on with what is on the disk: perhaps several steps after what it had published.</summary>
    public void Restarted(ClusterState state) => _published = state;

    public void AfterCommit(ClusterState state, long now)
    {
        var before = _published!;
        ClusterInvariants.Check(before, state, settled: true, now);
        foreach (var vm in before.Vms.Ascending().Where(vm => state.Vms.Find(vm.Uid) is null))
        {
            Require(world.Cloud.Find(vm.Id) is null or { IsLate: true }, $"{vm.Id} is forgotten, and it is there.");
        }

        Require(state.Vms.Count <= VmWorldController.Source.Max, $"There are {state.Vms.Count} machines.");
        foreach (var worker in world.Cloud.Machines.SelectMany(machine => machine.Workers))
        {
            foreach (var fence in worker.Programs)
            {
                Require(state.Attempt(fence) is { Dead: false }, $"The program of {fence} runs on {worker.Id}, and the state holds it for dead.");
            }
        }

        _published = state;
    }

    public void AtTheEnd()
    {
        var state = world.Controller.State;
        foreach (var uid in world.Jobs.Acknowledged)
        {
            Require(state.Jobs.Find(uid) is { State: JobState.Succeeded }, $"Job {uid} was acknowledged and is {state.Jobs.Find(uid)?.State} ({state.Jobs.Find(uid)?.Failure?.Message}).");
        }
    }

    private void Count(ClusterInput input, VmRecord vm)
    {
        world.Trace.Note($"{vm.Id} is {vm.State} {vm.Reason}");
        if (vm.State == VmState.Ready)
        {
            world.Count(VmOccasion.MachineReady);
        }
        else if (vm.State == VmState.Releasing)
        {
            world.Count(input switch
            {
                ClusterInput.ReleaseIdleVms => VmOccasion.MachineReleasedIdle,
                ClusterInput.Tick => VmOccasion.BootTimedOut,
                _ => VmOccasion.MachineCondemned,
            });
            if (vm.Workers.Length > 1 && input is ClusterInput.Silence)
            {
                world.Count(VmOccasion.SliceLost);
            }
        }
    }

    private void Placed(ClusterView view, ClusterInput.PlaceGang gang)
    {
        var slice = view.Job(gang.JobUid)!.Terms.SliceSize > 1;
        world.Count(slice ? VmOccasion.SlicePlaced : VmOccasion.GangPlaced);
        var workers = gang.Workers.Select(uid => view.Worker(uid)!).ToList();
        Require(!slice || workers.TrueForAll(worker => worker.VmUid == workers[0].VmUid) && workers.Select(worker => worker.VmIndex).SequenceEqual([0, 1, 2, 3]), "A slice's tasks are on several machines, or in another order than its workers.");
        Require(workers.TrueForAll(worker => worker.State == WorkerState.Alive), "A gang was placed on a worker that is not there.");
    }

    private static void Require(bool condition, string why)
    {
        if (!condition)
        {
            throw new InvariantViolatedException(why);
        }
    }
}
