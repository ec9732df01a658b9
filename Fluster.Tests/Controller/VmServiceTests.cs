using Fluster.Cluster;
using Fluster.Controller;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Fluster.Tests;

/// <summary>What the state asks for is done at the backend: in order for one machine, side by side for many, and never waited for by the loop.</summary>
public sealed class VmServiceTests : IDisposable
{
    private readonly LoopLab _loop = new();
    private readonly ScriptedBackend _cloud = new();
    private readonly ClusterKey _key = ClusterKey.Create();
    private readonly VmSources _sources;
    private readonly VmService _service;

    public VmServiceTests()
    {
        _sources = new VmSources([new VmSource(_cloud)]);
        _service = NewService();
        _loop.Loop.Start(Start);
    }

    public void Dispose()
    {
        _service.Dispose();
        _loop.Dispose();
        _key.Dispose();
    }

    [Fact]
    public async Task Machine_IsMadeWithWhatItsWorkerNeeds_AndRemoved()
    {
        await RequestAsync("vm-1");
        await Eventually.True(() => Vm(1)?.State == VmState.Booting, "it is made");

        var request = Assert.Single(_cloud.Requests);
        Assert.Equal((_loop.Loop.Current.Meta.ClusterId, Vm(1)!.RequestId, "plain"), (request.ClusterId, request.RequestId, request.Offer.Shape));
        Assert.Equal(("vm-1", "http://controller:7071", "2", "00:30:00"), (Worker(request, "Id"), Worker(request, "ControllerAddress"), Worker(request, "Cpu"), Worker(request, "OrphanTimeout")));
        var claims = TokenClaims.ReadUnchecked(Worker(request, "Token"))!;
        Assert.Equal(("worker", "vm-1", 1L, true, null), (claims.Role, claims.Vm, claims.VmUid, claims.IsFirst, claims.Worker));
        Assert.Equal(60 + 300, claims.ExpiresAt - claims.IssuedAt); // until it has booted, and a margin

        await ApplyAsync(new ClusterInput.CondemnVm(1, "enough"));
        await Eventually.True(() => _loop.Loop.Current.Vms.Count == 0, "it is removed");
        Assert.Empty(_cloud.Vms);
    }

    [Fact]
    public async Task Create_ThatFails_IsFollowedByADelete_AndBlocksItsScope()
    {
        _cloud.OnAllocate = request => throw new VmException(VmFailureKind.Stockout, "none left") { Scope = request.Offer.Zone, MayExist = true, RetryAfter = TimeSpan.FromMinutes(7) };
        await RequestAsync("vm-1");
        await Eventually.True(() => _loop.Loop.Current.Vms.Count == 0, "it is removed");

        Assert.Equal(["vm-1"], _cloud.Releases.Select(id => id.ToString()));
        var block = Assert.Single(_loop.Loop.Current.VmBlocks.Ascending());
        Assert.Equal(("zone-1-a", VmFailureKind.Stockout, "none left"), (block.Scope, block.Kind, block.Message));
        Assert.InRange(block.Until - _loop.Loop.Now().Time, 6 * 60_000, 7 * 60_000);
    }

    [Fact]
    public async Task Release_WaitsForTheCreateOfItsMachine_AndTheLoopForNeither()
    {
        var made = new TaskCompletionSource();
        _cloud.OnAllocate = _ => made.Task;
        await RequestAsync("vm-1");
        await Eventually.True(() => _cloud.Requests.Count == 1, "it is asked for");
        await ApplyAsync(new ClusterInput.CondemnVm(1, "enough")).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(VmState.Releasing, Vm(1)!.State);
        Assert.Empty(_cloud.Releases);

        made.SetResult();
        await Eventually.True(() => _loop.Loop.Current.Vms.Count == 0, "it is removed");
        Assert.Equal((1, 0), (_cloud.Releases.Count, _cloud.Vms.Count));
    }

    [Fact]
    public async Task Backend_IsAskedForSixteenAtATime()
    {
        var made = new TaskCompletionSource();
        var (gate, most, now) = (new Lock(), 0, 0);
        _cloud.OnAllocate = async _ =>
        {
            Count(+1);
            await made.Task;
            Count(-1);
        };
        await RequestAsync([.. Enumerable.Range(1, 40).Select(i => $"vm-{i}")]);
        await Eventually.True(() => Count(0) == VmService.MostAtOnce, "sixteen are under way");
        made.SetResult();
        await Eventually.True(() => _loop.Loop.Current.Vms.Ascending().All(vm => vm.State == VmState.Booting), "all are made");

        Assert.Equal((40, VmService.MostAtOnce), (_cloud.Requests.Count, most));

        int Count(int change)
        {
            lock (gate)
            {
                now += change;
                most = Math.Max(most, now);
                return now;
            }
        }
    }

    [Fact]
    public async Task Delete_ThatFails_IsTriedAgain()
    {
        var tries = 0;
        _cloud.OnRelease = _ => ++tries < 3 ? throw new VmException(VmFailureKind.Transient, "not now") : Task.CompletedTask;
        await RequestAsync("vm-1");
        await Eventually.True(() => Vm(1)?.State == VmState.Booting, "it is made");
        await ApplyAsync(new ClusterInput.CondemnVm(1, "enough"));

        await Eventually.True(() => _loop.Loop.Current.Vms.Count == 0, "it is removed");
        Assert.Equal(3, _cloud.Releases.Count);
    }

    [Fact]
    public async Task Create_WhoseAnswerIsLostWithTheController_IsAskedForAgainAsTheSame()
    {
        _cloud.OnAllocate = _ => new TaskCompletionSource().Task; // for ever
        await RequestAsync("vm-1");
        await Eventually.True(() => _cloud.Requests.Count == 1, "it is asked for");
        _service.Dispose();
        _loop.Reopen();
        _cloud.OnAllocate = _ => Task.CompletedTask;
        using var again = NewService();
        _loop.Loop.Start(effect => Look(again, effect));
        foreach (var effect in OwedEffects.Of(_loop.Loop.Current))
        {
            Look(again, effect);
        }

        await Eventually.True(() => Vm(1)?.State == VmState.Booting, "it is made");
        Assert.Single(_cloud.Requests.Select(request => (request.Id, request.RequestId)).Distinct());
    }

    [Fact]
    public async Task Watch_CondemnsWhatIsGoneOrTaken_AndRemovesWhatNobodyRemembers()
    {
        await RequestAsync("vm-1", "vm-2", "vm-3");
        await Eventually.True(() => _loop.Loop.Current.Vms.Ascending().All(vm => vm.State == VmState.Booting), "all are made");
        _cloud.OnRelease = _ => new TaskCompletionSource().Task; // what is released is seen
        _cloud.Remove(VmId.Parse("vm-1"));
        _cloud.Put(new VmInfo(VmId.Parse("vm-2"), VmStatus.Stopping) { IsPreempted = true });
        _cloud.Put(new VmInfo(VmId.Parse("fluster-forgotten"), VmStatus.Running));
        _cloud.ListsAreComplete = false;
        var watch = new VmWatch(_loop.Loop, _sources, new WorkerAdmission(_loop.Loop), Microsoft.Extensions.Options.Options.Create(new ControllerOptions()), TimeProvider.System, NullLogger<VmWatch>.Instance);
        var orphans = new OrphanRule();

        await watch.RoundAsync(_sources.All[0], orphans, always: false, CancellationToken.None);
        Assert.Equal([VmState.Booting, VmState.Releasing, VmState.Booting], _loop.Loop.Current.Vms.Ascending().Select(vm => vm.State)); // a list may lag behind
        Assert.Equal("the cloud took it away", Vm(2)!.Reason);
        await watch.RoundAsync(_sources.All[0], orphans, always: false, CancellationToken.None);
        Assert.Equal([VmState.Releasing, VmState.Releasing, VmState.Booting], _loop.Loop.Current.Vms.Ascending().Select(vm => vm.State));
        Assert.DoesNotContain(VmId.Parse("fluster-forgotten"), _cloud.Releases);
    }

    private VmService NewService()
    {
        var options = Options.Create(new ControllerOptions { AdvertiseAddress = "http://controller:7071" });
        var addresses = ServedAddressesTests.Addresses(listens: new CancellationToken(canceled: true));
        var requests = new VmRequests(_loop.Loop, new TokenIssuer(_key, TimeProvider.System, options), addresses, new WorkerArchive(options, opened: null!, addresses), options);
        return new VmService(_loop.Loop, _sources, requests, new HurriedTime(), NullLogger<VmService>.Instance);
    }

    private void Start(ClusterEffect effect) => Look(_service, effect);

    private static void Look(VmService service, ClusterEffect effect)
    {
        switch (effect)
        {
            case ClusterEffect.CreateVm create:
                service.LookAt(create.VmUid);
                break;
            case ClusterEffect.ReleaseVm release:
                service.LookAt(release.VmUid);
                break;
        }
    }

    private static string Worker(VmRequest request, string setting) => request.WorkerEnvironment[$"Fluster__Worker__{setting}"];

    private VmRecord? Vm(long uid) => _loop.Loop.Current.Vms.Find(uid);

    private Task RequestAsync(params string[] ids) => ApplyAsync(new ClusterInput.RequestVms(
        [.. ids.Select(id => RandomVmMoves.Wish(id) with { Traits = new VmTraits { Shape = "plain", Zone = "zone-1-a", Capacity = RandomVmMoves.Traits.Capacity, Scopes = ["zone-1-a/plain", "zone-1-a"] } })]));

    private Task ApplyAsync(ClusterInput input) => _loop.Loop.ApplyAsync(input, CancellationToken.None);

    /// <summary>Pauses are a thousandth of what they are elsewhere.</summary>
    private sealed class HurriedTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, dueTime == TimeSpan.FromSeconds(60) ? dueTime : dueTime / 1000, period);
    }
}
