using Fluster.Cluster;
using Fluster.Controller;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>
/// Records of machines do not slow the loop down. What a step takes is the benchmark's (<c>vm-steps</c>): here it is what a step allocates, which no other program on
/// the machine changes, and which grows with whatever the step copies or lists.
/// </summary>
public class VmStepCostTests(ITestOutputHelper output)
{
    private const int Lives = 500;

    [Fact]
    public void ThousandMachines_AllocateAtMostTwiceWhatTenDo()
    {
        BytesPerLife(10);
        var (few, many) = (BytesPerLife(10), BytesPerLife(1_000));

        output.WriteLine($"{few:0} B a life among 10 machines, {many:0} B among 1,000");
        Assert.True(many <= 2 * few, $"A job's life allocates {many:0} B among 1,000 machines, and {few:0} B among 10.");
    }

    private static double BytesPerLife(int machines)
    {
        var now = new ClusterNow(1_000, 1_000);
        var core = new LoopCore(new ClusterState { Meta = new ClusterMeta { ClusterId = "lab", Epoch = 1 } }, new JobDirectory(), new LeaseSettings(), ClusterMachine.Step);
        var workers = new List<long>();
        for (var i = 0; i < machines; i++)
        {
            core.Apply(new ClusterInput.RequestVms([RandomVmMoves.Wish($"vm-{i}")]), now);
            switch (i % 6)
            {
                case 0:
                    core.Apply(new ClusterInput.VmCreateEnded(i + 1, null), now);
                    break;
                case 1:
                    core.Apply(new ClusterInput.CondemnVm(i + 1, "enough"), now);
                    break;
                case > 2:
                    workers.Add(core.Apply(new ClusterInput.Hello(WorkerId.Parse($"vm-{i}"), 1, RandomVmMoves.Traits, [], 1, new VmPass(VmId.Parse($"vm-{i}"), IsFirst: false)), now).Subject);
                    break;
            }
        }

        core.Keep(out _);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Lives; i++)
        {
            var worker = workers[i % workers.Count];
            var job = Apply(LoopLab.Submit());
            Apply(new ClusterInput.Place([new Placement(job, 0, worker)]));
            var fence = core.Published.TaskOf(core.Published.Jobs.Find(job)!, 0)!.Current;
            Apply(new ClusterInput.Observe(worker, 1, MachineLab.Seen(fence, AttemptPhase.Ended, MachineLab.Success), []));
            if (i % 10 == 0)
            {
                var vm = core.Published.Meta.NextVm;
                Apply(new ClusterInput.RequestVms([RandomVmMoves.Wish($"vm-{machines + i}")]));
                Apply(new ClusterInput.CondemnVm(vm, "enough"));
                Apply(new ClusterInput.VmReleaseEnded(vm));
            }
        }

        return (double)(GC.GetAllocatedBytesForCurrentThread() - before) / Lives;

        long Apply(ClusterInput input)
        {
            var result = core.Apply(input, now);
            core.Keep(out _);
            return result.Subject;
        }
    }
}
