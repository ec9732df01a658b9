using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Which machines are asked for, and which are given up: over states that the machine has made.</summary>
public class VmPlannerTests
{
    private readonly SchedulerLab _lab = new();
    private readonly ScriptedBackend _cloud = new() { Tpus = ["v5litepod-16", "v5litepod-8"] };
    private VmSource _source;
    private int _named;

    public VmPlannerTests() => _source = new VmSource(_cloud) { Max = 5 };

    [Fact]
    public void Jobs_ThatFitNoWorker_ShareMachines_AndAreAskedForOnce()
    {
        _lab.Worker("w1", cpu: 2);
        for (var i = 0; i < 6; i++)
        {
            _lab.Submit($"job-{i}", cpu: 2);
        }

        Assert.Equal(["vm-1 plain in zone-1-a", "vm-2 plain in zone-1-a", "vm-3 plain in zone-1-a"], PlanAndApply()); // one is for the worker, five for machines of 4 cores
        Assert.Empty(PlanAndApply());
        _lab.Submit("job-6", cpu: 2); // there is room on the third
        Assert.Empty(PlanAndApply());
        _lab.Submit("job-7", cpu: 4);
        Assert.Equal(["vm-4 plain in zone-1-a"], PlanAndApply());
    }

    [Fact]
    public void WorkerThatIsJustNotConnected_CountsAsRoom_AndOneThatTakesNoWorkDoesNot()
    {
        _lab.Worker("w1");
        _lab.Submit("job-1");
        Assert.Empty(Planner().Plan(_lab.State, _lab.Machine.Now, _ => false).Wishes);
        Assert.Single(Planner().Plan(_lab.State, _lab.Machine.Now, _ => true).Wishes);
        var worker = _lab.Machine.Worker("w1")!;
        _lab.Machine.Apply(new ClusterInput.Silence(worker.Uid, 1, WorkerEvent.Silent));
        Assert.Single(PlanAndApply());
    }

    [Fact]
    public void Job_ThatNoShapeFits_AsksForNothing_AndSaysSo()
    {
        _lab.Submit("huge", cpu: 64);
        Assert.Empty(PlanAndApply());
        Assert.Contains("No machine is made for it: cloud has none with 64 cores", Reason("huge"), StringComparison.Ordinal);
    }

    [Fact]
    public void Max_IsKept_ThoughMachinesThatAreBeingRemovedCount_AndExplainSaysSo()
    {
        for (var i = 0; i < 8; i++)
        {
            _lab.Submit($"job-{i}", cpu: 4);
        }

        Assert.Equal(5, PlanAndApply().Count);
        Assert.Contains("5 machines that could hold it are being made: vm-1 (plain in zone-1-a), vm-2", Reason("job-7"), StringComparison.Ordinal);
        foreach (var vm in _lab.State.Vms.Ascending().ToList())
        {
            _lab.Machine.Apply(new ClusterInput.CondemnVm(vm.Uid, "no"));
        }

        Assert.Empty(PlanAndApply());
        Assert.EndsWith("No machine is made for it: cloud has the 5 machines that it may have.", Reason("job-7"), StringComparison.Ordinal);
    }

    [Fact]
    public void Min_IsThereWithoutJobs_AndIsNotReleased()
    {
        _source = _source with { Min = 2, Idle = TimeSpan.FromMinutes(1) };
        Assert.Equal(2, PlanAndApply().Count);
        _lab.Submit("job-1", cpu: 3);
        _lab.Submit("job-2", cpu: 3);
        _lab.Submit("job-3", cpu: 3);
        Assert.Single(PlanAndApply());
        Come("vm-1", "vm-2", "vm-3");
        foreach (var job in (string[])["job-1", "job-2", "job-3"])
        {
            _lab.Machine.Apply(new ClusterInput.TerminateJob(_lab.Job(job).Uid, KillCause.User));
        }

        _lab.Machine.Now += 30_000;
        var early = Planner().Plan(_lab.State, _lab.Machine.Now, _ => false);
        Assert.Empty(early.Idle);
        Assert.Equal(_lab.Machine.Now + 30_000, early.NextDue);
        _lab.Machine.Now += 30_000;
        Assert.Single(Planner().Plan(_lab.State, _lab.Machine.Now, _ => false).Idle);
    }

    [Fact]
    public void IdleMachine_ForWhichAJobIsJustComing_Stays()
    {
        _lab.Submit("job-1");
        PlanAndApply();
        Come("vm-1");
        _lab.Machine.Now += 600_000;
        Assert.Empty(Planner().Plan(_lab.State, _lab.Machine.Now, _ => false).Idle);
        _lab.PlanAndPlace();
        _lab.End("job-1", MachineLab.Success);
        _lab.Machine.Now += 300_000;
        Assert.Single(Planner().Plan(_lab.State, _lab.Machine.Now, _ => false).Idle);
    }

    [Fact]
    public void Stockout_FallsThroughToTheNextZone_ThenWaits_AndExplainSaysUntilWhen()
    {
        _lab.Submit("job-1", cpu: 4);
        Assert.Equal(["vm-1 plain in zone-1-a"], PlanAndApply());
        Fail(1, "zone-1-a");
        Assert.Equal(["vm-2 plain in zone-1-b"], PlanAndApply());
        Fail(2, "zone-1-b");
        Assert.Empty(PlanAndApply());
        Assert.Contains("No machine is made for it: stock-out in zone-1-a until 00:01:01 UTC and stock-out in zone-1-b until", Reason("job-1"), StringComparison.Ordinal);
        Assert.Equal(61_000, Planner().Plan(_lab.State, _lab.Machine.Now, _ => false).NextDue);
        _lab.Machine.Now = 61_000;
        Assert.Equal(["vm-3 plain in zone-1-a"], PlanAndApply());
    }

    [Fact]
    public void Backends_AreAskedInTheirOrder()
    {
        var other = new VmSource(new ScriptedBackend("other") { Each = new ResourceSpec { Cpu = 16, Memory = ByteSize.FromGiB(4) } }) { Max = 1 };
        _source = _source with { Max = 1 };
        _lab.Submit("job-1", cpu: 4);
        _lab.Submit("job-2", cpu: 4);
        _lab.Submit("job-3", cpu: 16);
        PlanAndApply(_source, other);

        Assert.Equal([("cloud", 1L), ("other", 2L)], _lab.State.Vms.Ascending().Select(vm => (vm.Backend, vm.ForJob)));
    }

    [Fact]
    public void Gang_IsAskedForAsAWhole_OrNotAtAll()
    {
        _lab.Worker("w1");
        _lab.Submit("gang", cpu: 4, terms => terms with { Replicas = 4, Coscheduled = true });
        Assert.Equal(3, PlanAndApply().Count); // one member fits the worker
        Assert.Empty(PlanAndApply());

        _lab.Submit("large", cpu: 4, terms => terms with { Replicas = 4, Coscheduled = true });
        Assert.Empty(PlanAndApply()); // of the two that there may be, it could do nothing
        _lab.Submit("small", cpu: 4);
        Assert.Single(PlanAndApply());
    }

    [Fact]
    public void Slice_IsOneMachine_AndItsGangGoesToItsWorkersInTheirOrder()
    {
        var shape = new ResourceShape { CpuMillis = 1_000, TpuVariant = "v5litepod-16" };
        _lab.Submit("slices", shape, terms => terms with { Replicas = 8, SliceSize = 4 });
        Assert.Equal(["vm-1 v5litepod-16 in zone-1-a", "vm-2 v5litepod-16 in zone-1-a"], PlanAndApply());
        Assert.Equal(4, _lab.State.Vms.Find(1)!.Workers.Length);

        // As they come: mixed, and half of one is worth nothing.
        Come("vm-2-3", "vm-1-2", "vm-2-0", "vm-1-0", "vm-2-1", "vm-1-3", "vm-1-1");
        Assert.Equal(["slices#0 on vm-1-0", "slices#1 on vm-1-1", "slices#2 on vm-1-2", "slices#3 on vm-1-3"], _lab.PlanAndPlace());
        Assert.Empty(_lab.Plan());
        Come("vm-2-2");
        Assert.Equal(["slices#4 on vm-2-0", "slices#5 on vm-2-1", "slices#6 on vm-2-2", "slices#7 on vm-2-3"], _lab.PlanAndPlace());
        Assert.Empty(PlanAndApply());
    }

    [Fact]
    public void Slice_WithWorkersOfTwoMachines_IsRefusedByTheRules()
    {
        var shape = new ResourceShape { CpuMillis = 1_000, TpuVariant = "v5litepod-16" };
        var job = _lab.Submit("slices", shape, terms => terms with { Replicas = 8, SliceSize = 4 });
        PlanAndApply();
        Come([.. Enumerable.Range(0, 8).Select(i => $"vm-{1 + i / 4}-{i % 4}")]);
        long Uid(string id) => _lab.Machine.Worker(id)!.Uid;

        _lab.Machine.Apply(new ClusterInput.PlaceGang(job.Uid, 0, [Uid("vm-1-0"), Uid("vm-1-1"), Uid("vm-2-2"), Uid("vm-1-3")]));
        _lab.Machine.Apply(new ClusterInput.PlaceGang(job.Uid, 0, [Uid("vm-1-1"), Uid("vm-1-0"), Uid("vm-1-2"), Uid("vm-1-3")]));
        Assert.Null(_lab.Machine.Attempt(_lab.Job("slices"), 0));
        _lab.Machine.Apply(new ClusterInput.PlaceGang(job.Uid, 0, [Uid("vm-1-0"), Uid("vm-1-1"), Uid("vm-1-2"), Uid("vm-1-3")]));
        Assert.NotNull(_lab.Machine.Attempt(_lab.Job("slices"), 0));
    }

    [Fact]
    public void Slice_ThatLosesAWorker_IsReplacedAsAWhole()
    {
        var shape = new ResourceShape { CpuMillis = 1_000, TpuVariant = "v5litepod-16" };
        _lab.Submit("slices", shape, terms => terms with { Replicas = 4, SliceSize = 4, LossRetries = 10 });
        PlanAndApply();
        Come([.. Enumerable.Range(0, 4).Select(i => $"vm-1-{i}")]);
        _lab.PlanAndPlace();
        var lost = _lab.Machine.Worker("vm-1-2")!;
        _lab.Machine.Apply(new ClusterInput.Silence(lost.Uid, 1, WorkerEvent.SilentForLong));
        Assert.Equal(VmState.Releasing, _lab.State.Vms.Find(1)!.State);

        _lab.Machine.Apply(new ClusterInput.VmReleaseEnded(1));
        _lab.Machine.GoOnToTheEnd();
        Assert.Equal(["vm-2 v5litepod-16 in zone-1-a"], PlanAndApply());
        Come([.. Enumerable.Range(0, 4).Select(i => $"vm-2-{i}")]);
        Assert.Equal(4, _lab.PlanAndPlace().Count);
        Assert.All(Enumerable.Range(0, 4), i => Assert.Equal((1, 0), (_lab.State.TaskOf(_lab.Job("slices"), i)!.Losses, _lab.State.TaskOf(_lab.Job("slices"), i)!.Failures)));
    }

    [Fact]
    public void Job_WithAnImage_AsksOnlyForMachinesWithAnEngine()
    {
        _lab.Submit("image", new ResourceShape { CpuMillis = 1_000, Container = true });
        Assert.Empty(PlanAndApply());
        Assert.Contains("machines of cloud have no container engine", Reason("image"), StringComparison.Ordinal);
        _source = _source with { Containers = true };
        Assert.Single(PlanAndApply());
    }

    [Fact]
    public void Job_ThatAllowsOneRegion_OrNoPreemption_GetsItsKind()
    {
        _cloud.Zones = ["us-east1-b", "us-west1-a"];
        _lab.Submit("west", new ResourceShape { CpuMillis = 1_000, Regions = "us-west1" });
        _lab.Submit("east", new ResourceShape { CpuMillis = 1_000, Regions = "us-east1", Preemptible = true });
        _lab.Submit("any", new ResourceShape { CpuMillis = 1_000 });
        Assert.Equal(["vm-1 plain in us-west1-a", "vm-2 plain in us-east1-b"], PlanAndApply());
        Assert.Equal([("us-west1", false), ("us-east1", true)], _lab.State.Vms.Ascending().Select(vm => (vm.Traits.Region, vm.Traits.Capacity.Preemptible)));
    }

    private VmPlanner Planner(params VmSource[] sources) =>
        new(_lab.State, new VmOffers(sources.Length == 0 ? [_source] : sources), _ => VmId.Parse($"vm-{++_named}"), () => Guid.CreateVersion7(DateTimeOffset.UnixEpoch));

    private IReadOnlyList<string> PlanAndApply(params VmSource[] sources)
    {
        var named = _named;
        _named = (int)_lab.State.Meta.NextVm - 1;
        var plan = Planner(sources).Plan(_lab.State, _lab.Machine.Now, _ => false);
        var before = _lab.State.Vms.Count;
        foreach (var input in plan.Inputs())
        {
            _lab.Machine.Apply(input);
        }

        Assert.Equal(plan.Wishes.Count, _lab.State.Vms.Count - before); // the machine accepts what was planned
        _named = named;
        return [.. plan.Wishes.Select(wish => $"{wish.Id} {wish.Traits.Text}")];
    }

    private string Reason(string job) => new Explainer(_lab.State, _lab.Machine.Now, _ => null, _ => 0)
    {
        MachinesFor = record => new VmNotes(new VmOffers([_source])).Of(_lab.State, record, _lab.Machine.Now),
    }.ReasonOf(_lab.Job(job));

    private void Fail(long uid, string scope)
    {
        _lab.Machine.Apply(new ClusterInput.VmCreateEnded(uid, new VmFailure(VmFailureKind.Stockout, "none left", scope)));
        _lab.Machine.Apply(new ClusterInput.VmReleaseEnded(uid));
    }

    private void Come(params string[] workers)
    {
        foreach (var worker in workers)
        {
            var vm = _lab.State.Vms.Ascending().First(vm => worker == vm.Id.ToString() || worker.StartsWith($"{vm.Id}-", StringComparison.Ordinal));
            var hello = new ClusterInput.Hello(WorkerId.Parse(worker), 1, _source.TraitsOf(vm.Traits), [], 1, new VmPass(vm.Id, IsFirst: false));
            Assert.Null(_lab.Machine.Apply(hello).Rejection);
        }
    }
}
