using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A machine that nobody remembers is removed, and never one that somebody does.</summary>
public class OrphanRuleTests
{
    private const long Minute = 60_000;

    private readonly OrphanRule _rule = new();

    [Fact]
    public void Machine_ThatTwoCompleteListsShow_TenMinutesApart_IsAnOrphan()
    {
        Assert.Empty(Find(0));
        Assert.Empty(Find(9 * Minute));
        Assert.Equal(["vm-1"], Find(10 * Minute));
    }

    [Fact]
    public void Machine_ThatHadARecordInBetween_BeginsAnew()
    {
        Find(0);
        Assert.Empty(Find(5 * Minute, known: true));
        Assert.Empty(Find(10 * Minute));
        Assert.Equal(["vm-1"], Find(20 * Minute));
    }

    [Fact]
    public void IncompleteList_SaysNothing()
    {
        Assert.Empty(Find(0, complete: false));
        Assert.Empty(Find(10 * Minute));
        Assert.Empty(Find(20 * Minute, complete: false));
        Assert.Equal(["vm-1"], Find(20 * Minute));
    }

    [Fact]
    public void Machine_ThatIsBeingRemovedAlready_IsLeftAlone()
    {
        Find(0, status: VmStatus.Stopping);
        Assert.Empty(Find(10 * Minute, status: VmStatus.Stopping));
        Assert.Equal(["vm-1"], Find(11 * Minute, status: VmStatus.Stopped));
    }

    [Theory]
    [InlineData("Ready", null, false, "it is gone")]
    [InlineData("Booting", null, false, null)]
    [InlineData("Booting", null, true, "it is gone")]
    [InlineData("Ready", VmStatus.Stopped, false, "it was stopped: why")]
    [InlineData("Booting", VmStatus.Creating, true, null)]
    [InlineData("Ready", VmStatus.Running, true, null)]
    [InlineData("Ready", VmStatus.Unknown, true, null)]
    public void Finding_SaysWhatAMachineIsCondemnedFor(string state, VmStatus? status, bool missedBefore, string? reason)
    {
        var vm = new VmRecord { Uid = 1, Id = VmId.Parse("vm-1"), RequestId = Guid.Empty, Backend = "b", Traits = new VmTraits { Shape = "s" }, Workers = [1], State = Enum.Parse<VmState>(state) };

        var finding = VmFindings.Of(vm, status is { } known ? new VmInfo(vm.Id, known) { Detail = "why" } : null, missedBefore);

        Assert.Equal(reason, finding?.Reason);
        Assert.Equal(VmFailureKind.Preempted, VmFindings.Of(vm, new VmInfo(vm.Id, VmStatus.Running) { IsPreempted = true }, false)!.Failure);
    }

    private IEnumerable<string> Find(long now, bool known = false, bool complete = true, VmStatus status = VmStatus.Running) =>
        _rule.Find(new VmListing([new VmInfo(VmId.Parse("vm-1"), status)], complete), _ => known, now).Select(vm => vm.Id.ToString());
}
