using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>The life of a machine, from a request to its backend's word that it is gone.</summary>
public class VmRulesTests
{
    private readonly MachineLab _lab = new();

    [Theory]
    [InlineData(VmState.Requested, "accepted", VmState.Booting)]
    [InlineData(VmState.Requested, "failed", VmState.Releasing)]
    [InlineData(VmState.Requested, "complete", VmState.Ready)]
    [InlineData(VmState.Requested, "condemned", VmState.Releasing)]
    [InlineData(VmState.Booting, "accepted", VmState.Booting)]
    [InlineData(VmState.Booting, "failed", VmState.Releasing)]
    [InlineData(VmState.Booting, "complete", VmState.Ready)]
    [InlineData(VmState.Booting, "condemned", VmState.Releasing)]
    [InlineData(VmState.Ready, "accepted", VmState.Ready)]
    [InlineData(VmState.Ready, "failed", VmState.Ready)]
    [InlineData(VmState.Ready, "complete", VmState.Ready)]
    [InlineData(VmState.Ready, "condemned", VmState.Releasing)]
    [InlineData(VmState.Releasing, "accepted", VmState.Releasing)]
    [InlineData(VmState.Releasing, "failed", VmState.Releasing)]
    [InlineData(VmState.Releasing, "complete", VmState.Releasing)]
    [InlineData(VmState.Releasing, "condemned", VmState.Releasing)]
    internal void Machine_AfterAnEvent_IsInThisState(VmState before, string happened, VmState after)
    {
        var vm = new VmRecord { Uid = 1, Id = VmId.Parse("vm-1"), RequestId = Guid.Empty, Backend = "b", Traits = new VmTraits { Shape = "s" }, Workers = [0], State = before };
        VmEvent vmEvent = happened switch
        {
            "accepted" => new VmEvent.Accepted(),
            "failed" => new VmEvent.Failed("no"),
            "complete" => new VmEvent.Complete(),
            _ => new VmEvent.Condemned("enough"),
        };

        Assert.Equal(after, vm.After(vmEvent, new ClusterNow(1, 1)).State);
    }

    [Fact]
    public void Machine_FromRequestToItsEnd_OwesWhatItsStateSays()
    {
        var asked = Request("vm-1");
        Assert.Contains(new ClusterEffect.CreateVm(1), asked.Effects);
        Assert.Contains(new ClusterEffect.CreateVm(1), OwedEffects.Of(_lab.State));

        _lab.Apply(new ClusterInput.VmCreateEnded(1, null));
        Assert.Equal(VmState.Booting, Vm(1).State);
        Assert.DoesNotContain(OwedEffects.Of(_lab.State), effect => effect is ClusterEffect.CreateVm or ClusterEffect.ReleaseVm);

        Hello("vm-1");
        Assert.Equal((VmState.Ready, 0L, _lab.Now), (Vm(1).State, Vm(1).BootDue, Vm(1).IdleSince));

        _lab.Now += 60_000;
        var release = _lab.Apply(new ClusterInput.ReleaseIdleVms([1]));
        Assert.Contains(new ClusterEffect.ReleaseVm(1), release.Effects);
        Assert.Contains(new ClusterEffect.ReleaseVm(1), OwedEffects.Of(_lab.State));
        Assert.True(_lab.Worker("vm-1")!.Draining);

        _lab.Apply(new ClusterInput.VmReleaseEnded(1));
        Assert.Equal((0, 0), (_lab.State.Vms.Count, _lab.State.Workers.Count));
        _lab.Apply(new ClusterInput.VmReleaseEnded(1));
        _lab.Apply(new ClusterInput.VmCreateEnded(1, null)); // both may come again
        Assert.Equal(0, _lab.State.Vms.Count);
    }

    [Fact]
    public void Request_ThatIsStale_IsDropped()
    {
        Request("vm-1", wish => wish with { Most = 2 });
        Request("vm-1", wish => wish with { Most = 2 });
        Assert.Equal(1, _lab.State.Vms.Count);

        var job = Submit();
        _lab.Apply(new ClusterInput.TerminateJob(job, KillCause.User));
        Request("vm-2", wish => wish with { ForJob = job });
        Assert.Equal(1, _lab.State.Vms.Count);

        _lab.Apply(new ClusterInput.RequestVms([RandomVmMoves.Wish("vm-3") with { Most = 2 }, RandomVmMoves.Wish("vm-4") with { Most = 2 }]));
        Assert.Equal(["vm-1", "vm-3"], _lab.State.Vms.Ascending().Select(vm => vm.Id.ToString()));
    }

    [Fact]
    public void FailedCreate_IsFollowedByADelete_AndBlocksItsScope_TwiceAsLongEachTime()
    {
        for (var time = 1; time <= 3; time++)
        {
            Request($"vm-{time}");
            var failed = _lab.Apply(new ClusterInput.VmCreateEnded(time, new VmFailure(VmFailureKind.Stockout, "no more there", "zone-1")));
            Assert.Contains(new ClusterEffect.ReleaseVm(time), failed.Effects);
            var block = Assert.Single(_lab.State.VmBlocks.Ascending());
            Assert.Equal(("zone-1", time, _lab.Now + (60_000L << (time - 1))), (block.Scope, block.Failures, block.Until));

            Request($"vm-{time}0"); // the same zone
            Assert.Equal(time, _lab.State.Vms.Count);
            _lab.Now = block.Until;
        }

        Request("vm-9", wish => wish with { Traits = wish.Traits with { Zone = "zone-2", Scopes = ["zone-2/large", "zone-2"] } });
        Assert.Equal(4, _lab.State.Vms.Count);
    }

    [Fact]
    public void FailuresOfRequestsThatWereUnderWayTogether_CountOnce_AndTheBackendsOwnWaitCounts()
    {
        _lab.Apply(new ClusterInput.RequestVms([.. Enumerable.Range(1, 5).Select(i => RandomVmMoves.Wish($"vm-{i}"))]));
        for (var uid = 1; uid <= 4; uid++)
        {
            _lab.Apply(new ClusterInput.VmCreateEnded(uid, new VmFailure(VmFailureKind.RateLimited, "slowly", "zone-1")));
        }

        var block = Assert.Single(_lab.State.VmBlocks.Ascending());
        Assert.Equal((1, _lab.Now + 15_000), (block.Failures, block.Until));
        _lab.Apply(new ClusterInput.VmCreateEnded(5, new VmFailure(VmFailureKind.RateLimited, "slowly", "zone-1", RetryAfter: 40_000)));
        Assert.Equal(_lab.Now + 40_000, Assert.Single(_lab.State.VmBlocks.Ascending()).Until);
    }

    [Fact]
    public void Block_IsForgottenAfterAnHour_OrWhenAMachineCameThere()
    {
        Request("vm-1");
        _lab.Apply(new ClusterInput.VmCreateEnded(1, new VmFailure(VmFailureKind.Stockout, "no", "zone-1")));
        _lab.Now += 60_000;
        Request("vm-2");
        Hello("vm-2");
        Assert.Equal(0, _lab.State.VmBlocks.Count);

        Request("vm-3");
        _lab.Apply(new ClusterInput.VmCreateEnded(3, new VmFailure(VmFailureKind.Stockout, "no", "elsewhere")));
        Assert.Equal("zone-1/large", Assert.Single(_lab.State.VmBlocks.Ascending()).Scope); // a scope that the offer has not: the narrowest
        _lab.Now += 61 * 60_000;
        _lab.Apply(new ClusterInput.Tick());
        Assert.Equal(0, _lab.State.VmBlocks.Count);
    }

    [Fact]
    public void Machine_ThatDoesNotComeInTime_IsCondemned_AndItsPlaceIsBlocked()
    {
        Request("vm-1", workers: 2);
        _lab.Apply(new ClusterInput.VmCreateEnded(1, null));
        Hello("vm-1-0");
        _lab.Now += 60_000;
        _lab.Apply(new ClusterInput.Tick());

        Assert.Equal((VmState.Releasing, "1 of its 2 workers came within 60 s"), (Vm(1).State, Vm(1).Reason));
        Assert.Equal("zone-1/large", Assert.Single(_lab.State.VmBlocks.Ascending()).Scope);
    }

    [Fact]
    public void Slice_IsReadyWhenAllItsWorkersAre_AndCondemnedWhenOneIsLost()
    {
        Request("vm-1", workers: 4);
        for (var index = 0; index < 4; index++)
        {
            Assert.Equal(VmState.Requested, Vm(1).State);
            Hello($"vm-1-{index}");
        }

        Assert.Equal(VmState.Ready, Vm(1).State);
        var lost = _lab.Worker("vm-1-2")!;
        var result = _lab.Apply(new ClusterInput.Silence(lost.Uid, 1, WorkerEvent.SilentForLong));

        Assert.Equal((VmState.Releasing, "its worker vm-1-2 is lost"), (Vm(1).State, Vm(1).Reason));
        Assert.Contains(new ClusterEffect.ReleaseVm(1), result.Effects);
        Assert.All(_lab.State.Workers.Ascending(), worker => Assert.True(worker.Draining));
    }

    [Fact]
    public void Release_WhenTheCloudSaysItIsGone_EndsWhatRanAsLost_GivesCapacityBack_AndForgetsTheWorkers()
    {
        Request("vm-1");
        Hello("vm-1");
        var job = Submit();
        _lab.Apply(new ClusterInput.Place([new Placement(job, 0, _lab.Worker("vm-1")!.Uid)]));
        Assert.Equal(0, Vm(1).IdleSince);
        _lab.Now += 600_000;
        _lab.Apply(new ClusterInput.ReleaseIdleVms([1]));
        Assert.Equal(VmState.Ready, Vm(1).State); // it has something to do

        _lab.Apply(new ClusterInput.CondemnVm(1, "the cloud took it away", VmFailureKind.Preempted));
        Assert.Equal(0, _lab.State.VmBlocks.Count); // it had been there: that says nothing of the place
        var attempt = _lab.Attempt(_lab.State.Jobs.Find(job)!, 0)!;
        Assert.True(attempt.IsLive);
        _lab.Apply(new ClusterInput.VmReleaseEnded(1));

        attempt = _lab.State.Attempt(attempt.Fence)!;
        Assert.Equal((JobState.WorkerFailed, true, "vm-1"), (attempt.State, attempt.Dead, attempt.Worker.ToString()));
        Assert.Equal(FailureKind.WorkerLost, attempt.Failure!.Kind);
        var task = _lab.State.TaskOf(_lab.State.Jobs.Find(job)!, 0)!;
        Assert.Equal((JobState.Pending, 1, 0), (task.State, task.Losses, task.Failures));
        Assert.Equal(0, _lab.State.Workers.Count);
    }

    [Fact]
    public void Release_OfAMachineWithMuchOnIt_IsCutIntoSteps()
    {
        Request("vm-1");
        Hello("vm-1", RandomVmMoves.Traits with { Capacity = new ResourceShape { CpuMillis = 1_000_000, MemoryBytes = 1L << 40 }, MaxConcurrentJobs = 1_000 });
        for (var i = 0; i < 300; i++)
        {
            _lab.Apply(new ClusterInput.Place([new Placement(Submit(), 0, _lab.Worker("vm-1")!.Uid)]));
        }

        _lab.Apply(new ClusterInput.CondemnVm(1, "gone"));
        _lab.Apply(new ClusterInput.VmReleaseEnded(1));
        Assert.True(_lab.HasFollowing);
        Assert.Equal(1, _lab.State.Vms.Count);
        _lab.GoOnToTheEnd();

        Assert.Equal((0, 0), (_lab.State.Vms.Count, _lab.State.Workers.Count));
        Assert.All(_lab.State.Attempts.Ascending(), attempt => Assert.True(attempt.Dead));
    }

    [Fact]
    public void IdleMachine_TakesNothingFromTheStepOnThatReleasesIt()
    {
        Request("vm-1");
        Hello("vm-1");
        var job = Submit();
        _lab.Now += 60_000;
        var worker = _lab.Worker("vm-1")!.Uid;
        _lab.Apply(new ClusterInput.ReleaseIdleVms([1]));
        _lab.Apply(new ClusterInput.Place([new Placement(job, 0, worker)]));

        Assert.Null(_lab.Attempt(_lab.State.Jobs.Find(job)!, 0));
    }

    [Fact]
    public void Token_LetsExactlyTheMachinesWorkersIn()
    {
        Request("vm-1");
        Request("vm-2", workers: 2);

        Assert.Equal(RejectionKind.PermissionDenied, Hello("vm-2", pass: "vm-1")!.Kind);
        Assert.Equal(RejectionKind.PermissionDenied, Hello("vm-1-0", pass: "vm-1")!.Kind);
        Assert.Equal(RejectionKind.PermissionDenied, Hello("vm-2-2", pass: "vm-2")!.Kind);
        Assert.Equal(RejectionKind.PermissionDenied, Hello("vm-2-01", pass: "vm-2")!.Kind);
        Assert.Equal(RejectionKind.PermissionDenied, Hello("vm-2", pass: "vm-2")!.Kind);
        Assert.Equal(RejectionKind.FailedPrecondition, Hello("vm-3", pass: "vm-3")!.Kind);
        Assert.Null(Hello("vm-2-1", pass: "vm-2"));
        Assert.Null(Hello("vm-1", pass: "vm-1"));
    }

    [Fact]
    public void Token_MayBeShownAgain_UntilTheCredentialWasSeen()
    {
        Request("vm-1");
        Assert.Null(Hello("vm-1", incarnation: 1));
        Assert.Null(Hello("vm-1", incarnation: 2)); // the answer to the first was lost
        Assert.Null(Hello("vm-1", incarnation: 2, first: false));
        var refused = Hello("vm-1", incarnation: 3);
        Assert.Equal(RejectionKind.PermissionDenied, refused!.Kind);
        Assert.Contains("it was used", refused.Message, StringComparison.Ordinal);
        Assert.Null(Hello("vm-1", incarnation: 3, first: false)); // after a reboot
    }

    [Fact]
    public void Machine_ThatIsSmallerThanWasOffered_BlocksItsKind()
    {
        Request("vm-1");
        Hello("vm-1", RandomVmMoves.Traits with { Capacity = new ResourceShape { CpuMillis = 500, MemoryBytes = 1L << 30 } });

        var block = Assert.Single(_lab.State.VmBlocks.Ascending());
        Assert.Equal(VmFailureKind.Invalid, block.Kind);
        Assert.Contains("0.5 cores", block.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Machines_OutliveARestart()
    {
        using var loop = new LoopLab();
        loop.Start();
        await loop.Loop.ApplyAsync(new ClusterInput.RequestVms([RandomVmMoves.Wish("vm-1"), RandomVmMoves.Wish("vm-2", "zone-2"), RandomVmMoves.Wish("vm-3")]), CancellationToken.None);
        await loop.Loop.ApplyAsync(new ClusterInput.Hello(WorkerId.Parse("vm-1"), 1, RandomVmMoves.Traits, [], 1, new VmPass(VmId.Parse("vm-1"), IsFirst: false)), CancellationToken.None);
        var job = (await loop.Loop.SubmitAsync(LoopLab.Submit("job-00000001"), CancellationToken.None)).Subject;
        await loop.Loop.ApplyAsync(new ClusterInput.Place([new Placement(job, 0, 1)]), CancellationToken.None);
        await loop.Loop.ApplyAsync(new ClusterInput.VmCreateEnded(2, new VmFailure(VmFailureKind.Quota, "too many", "zone-2", 7)), CancellationToken.None);
        await loop.Loop.ApplyAsync(new ClusterInput.CondemnVm(3, "gone"), CancellationToken.None);
        await loop.Loop.ApplyAsync(new ClusterInput.VmReleaseEnded(3), CancellationToken.None);
        var before = Text(loop.Loop.Current);

        loop.Reopen();
        loop.Start();

        Assert.Equal(before, Text(loop.Loop.Current));
        Assert.Equal(4, loop.Loop.Current.Meta.NextVm);
        await loop.Loop.ApplyAsync(new ClusterInput.CondemnVm(1, "gone"), CancellationToken.None);
        await loop.Loop.ApplyAsync(new ClusterInput.VmReleaseEnded(1), CancellationToken.None);
        loop.Reopen();
        Assert.Equal((1, 0), (loop.Loop.Current.Vms.Count, loop.Loop.Current.Workers.Count));
        Assert.Equal("vm-1", loop.Loop.Current.Attempts.Ascending().Single().Worker.ToString()); // its worker's record is gone, its name is not
    }

    private static string Text(ClusterState state) => string.Join('\n', [
        .. state.Vms.Ascending().Select(vm => $"{vm with { Workers = [], Traits = vm.Traits with { Scopes = [] } }} {string.Join(',', vm.Workers)} {string.Join(',', vm.Traits.Scopes)}"),
        .. state.VmBlocks.Ascending().Select(block => $"{block}"),
        .. state.Workers.Ascending().Select(worker => $"{worker.Id} {worker.VmUid} {worker.VmIndex} {worker.HasCredential} {worker.Draining}"),
        .. state.Attempts.Ascending().Select(attempt => $"{attempt.Fence} {attempt.Worker}")]);

    private VmRecord Vm(long uid) => _lab.State.Vms.Find(uid)!;

    private StepResult Request(string id, Func<VmWish, VmWish>? more = null, int workers = 1)
    {
        var wish = RandomVmMoves.Wish(id, workers: workers);
        return _lab.Apply(new ClusterInput.RequestVms([more?.Invoke(wish) ?? wish]));
    }

    private Rejection? Hello(string worker, WorkerTraits? traits = null, string? pass = null, ulong incarnation = 1, bool first = true)
    {
        var vm = pass ?? (worker.Count(c => c == '-') > 1 ? worker[..worker.LastIndexOf('-')] : worker);
        return _lab.Apply(new ClusterInput.Hello(WorkerId.Parse(worker), incarnation, traits ?? RandomVmMoves.Traits, [], 0, new VmPass(VmId.Parse(vm), first))).Rejection;
    }

    private long Submit() => _lab.Apply(LoopLab.Submit()).Subject;
}
