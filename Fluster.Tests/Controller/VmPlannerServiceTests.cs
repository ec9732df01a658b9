using Fluster.Cluster;
using Fluster.Controller;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The planner of machines beside a real loop.</summary>
public sealed class VmPlannerServiceTests : IDisposable
{
    private readonly LoopLab _loop = new();
    private readonly CancellationTokenSource _stop = new();

    public void Dispose()
    {
        _stop.Cancel();
        _loop.Dispose();
        _stop.Dispose();
    }

    /// <summary>A machine that was taken away said so and fell silent: nobody waits until its workers count as lost before another is asked for.</summary>
    [Fact]
    public void Worker_ThatTookNoWork_AndWentAway_IsNoRoom()
    {
        var links = new WorkerLinks(TimeProvider.System);
        links.Heard(1, new V1.WorkerHealth { AcceptsWork = false });
        links.Heard(2, new V1.WorkerHealth { AcceptsWork = true });

        Assert.Equal((true, false, false), (links.Refuses(1), links.Refuses(2), links.Refuses(3)));
    }

    [Fact]
    public async Task Machine_IsAskedForWithinASecondOfTheNeed()
    {
        var sources = new VmSources([new VmSource(new ScriptedBackend { Each = new ResourceSpec { Cpu = 0.1, Memory = ByteSize.FromGiB(1) } })]);
        var planner = new VmPlannerService(_loop.Loop, new WorkerLinks(TimeProvider.System), sources, TimeProvider.System, NullLogger<VmPlannerService>.Instance);
        _loop.Start(planner);
        var running = planner.RunAsync(_stop.Token);

        for (var i = 1; i <= 5; i++)
        {
            await _loop.Loop.SubmitAsync(LoopLab.Submit(), CancellationToken.None);
            await Eventually.True(() => _loop.Loop.Current.Vms.Count == i, "a machine is asked for");
        }

        // The processor may be somebody else's for a while, but not every time.
        var state = _loop.Loop.Current;
        var waits = state.Vms.Ascending().Select(vm => vm.RequestedTime - state.Jobs.Find(vm.ForJob)!.QueuedAt).ToList();
        Assert.True(waits.Min() <= 1_000, $"Machines were asked for after {string.Join(", ", waits)} ms.");
        Assert.All(state.Vms.Ascending(), vm => Assert.Matches("^fluster-[0-9a-f]{8}$", vm.Id.ToString()));
        Assert.Equal(5, state.Vms.Ascending().Select(vm => vm.RequestId).Distinct().Count());
        Assert.False(running.IsCompleted);
    }

    [Fact]
    public async Task WithoutBackends_ItDoesNothing()
    {
        var planner = new VmPlannerService(_loop.Loop, new WorkerLinks(TimeProvider.System), new VmSources([]), TimeProvider.System, NullLogger<VmPlannerService>.Instance);
        _loop.Start(planner);
        await planner.RunAsync(_stop.Token);
        await _loop.Loop.SubmitAsync(LoopLab.Submit(), CancellationToken.None);

        Assert.Equal(0, _loop.Loop.Current.Vms.Count);
    }
}
