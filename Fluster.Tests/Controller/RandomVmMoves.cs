using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Machines in random lives of a cluster: asked for, answered late or twice, with workers that come, come again and fall silent.</summary>
internal static class RandomVmMoves
{
    private const string Backend = "cloud";

    public static void Make(MachineLab lab, Func<int, int> roll)
    {
        var vms = lab.State.Vms.Ascending().ToList();
        var vm = vms.Count == 0 ? null : vms[roll(vms.Count)];
        switch (vm is null ? 0 : roll(12))
        {
            case 0 or 1:
                var waiting = lab.State.Jobs.Descending().Take(8).ToList();
                var job = waiting.Count == 0 || roll(3) == 0 ? 0 : waiting[roll(waiting.Count)].Uid;
                lab.Apply(new ClusterInput.RequestVms([.. Enumerable.Range(0, 1 + roll(2)).Select(_ => Wish($"vm-{roll(1000)}", $"zone-{roll(3)}", 1 + roll(2)) with { ForJob = job, Most = 4 })]));
                break;
            case 2:
                lab.Apply(new ClusterInput.VmCreateEnded(vm!.Uid, null));
                break;
            case 3:
                lab.Apply(new ClusterInput.VmCreateEnded(vm!.Uid, new VmFailure((VmFailureKind)roll(9), "no", vm.Traits.Scopes[roll(2)], roll(2) * 5_000)));
                break;
            case 4 when vm!.State == VmState.Releasing:
                lab.Apply(new ClusterInput.VmReleaseEnded(vm.Uid));
                break;
            case 5 when roll(3) == 0:
                lab.Apply(new ClusterInput.CondemnVm(vm!.Uid, "gone", VmFailureKind.Preempted));
                break;
            case 6:
                lab.Apply(new ClusterInput.ReleaseIdleVms([.. vms.Select(vm => vm.Uid)]));
                break;
            case 7:
                lab.Now += roll(60_000);
                break;
            default:
                Worker(lab, vm!, roll);
                break;
        }
    }

    public static VmWish Wish(string id, string zone = "zone-1", int workers = 1) => new(
        VmId.Parse(id),
        Guid.CreateVersion7(DateTimeOffset.UnixEpoch),
        Backend,
        new VmTraits { Shape = "large", Zone = zone, Capacity = Traits.Capacity, Scopes = [$"{zone}/large", zone] })
    {
        Workers = workers,
        BootTimeout = 60_000,
        IdleFor = 60_000,
    };

    public static WorkerTraits Traits { get; } = new() { Capacity = new ResourceShape { CpuMillis = 2_000, MemoryBytes = 1L << 30 }, MaxConcurrentJobs = 4 };

    private static void Worker(MachineLab lab, VmRecord vm, Func<int, int> roll)
    {
        var index = roll(vm.Workers.Length);
        var known = vm.Workers[index] == 0 ? null : lab.State.Workers.Find(vm.Workers[index]);
        if (known is not null && roll(4) == 0)
        {
            lab.Apply(new ClusterInput.Silence(known.Uid, known.Incarnation, roll(2) == 0 ? WorkerEvent.Silent : WorkerEvent.SilentForLong));
            return;
        }

        var holdings = (known?.Held ?? []).Where(_ => roll(3) > 0).Select(fence => new Observation(fence, roll(2) == 0 ? AttemptPhase.Running : AttemptPhase.Ended));
        lab.Apply(new ClusterInput.Hello(
            WorkerId.Parse(VmRules.WorkerIdOf(vm, index)), (known?.Incarnation ?? 1) + (ulong)roll(2), Traits, [.. holdings], 0, new VmPass(vm.Id, IsFirst: roll(2) == 0)));
    }
}
