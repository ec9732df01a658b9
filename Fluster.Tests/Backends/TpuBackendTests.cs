using Fluster.Backends;
using Fluster.Cluster;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Tests;

/// <summary>Slices of Cloud TPU, against the emulator (seed 003, stage 11).</summary>
public class TpuBackendTests
{
    private static readonly ResourceSpec s_needs = ResourceSpec.WithTpu("v5litepod-16");

    [Fact]
    public void Offers_OfAllSlices_HaveAWorkerForEveryMachine()
    {
        var backend = GcpBackends.Tpu("tpu", GcpOptionsTests.Valid(), EmulatorHost.ClusterId, TimeProvider.System, NullLoggerFactory.Instance);

        Assert.Equal(TimeSpan.FromHours(1), backend.BootTimeout);
        Assert.All(TpuTopology.All, topology =>
        {
            var offers = backend.Offers(ResourceSpec.WithTpu(topology.Variant));
            Assert.Equal(["us-central1-a", "us-central1-b", "europe-west4-a"], offers.Select(offer => offer.Zone));
            Assert.Equal((topology.Variant, topology.Vms), (offers[0].Shape, offers[0].Workers));
            Assert.Equal([$"us-central1-a/{topology.Variant}", "us-central1-a", "us-central1", "tpu"], offers[0].Scopes);
        });
        Assert.Empty(backend.Offers(ResourceSpec.WithTpu("v5litepod-1", cpu: 25)));
        Assert.Empty(backend.Offers(ResourceSpec.WithTpu("v5litepod-1", memory: "47g")));
        Assert.Empty(backend.Offers(ResourceSpec.WithCpu()));
    }

    [Fact]
    public async Task Slice_AllocatedListedAndReleased_LeavesNeitherNodeNorQueuedResource()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs);

        Assert.Null(await backend.GetAsync(request.Id, request.Offer.Zone));
        await backend.AllocateAsync(request);
        await RunsAsync(backend, request);
        var info = (await backend.GetAsync(request.Id, request.Offer.Zone))!;
        var list = await backend.ListAsync();

        Assert.Equal((EmulatorHost.Zone, "v5litepod-16", 4, false), (info.Zone, info.Shape, info.Addresses.Count, info.IsPreempted));
        Assert.True(list.IsComplete);
        Assert.Equal((request.Id, EmulatorHost.Zone, VmStatus.Running), (Assert.Single(list.Vms).Id, list.Vms[0].Zone, list.Vms[0].Status));

        await backend.ReleaseAsync(request.Id, request.Offer.Zone);
        await backend.ReleaseAsync(request.Id, request.Offer.Zone);

        Assert.Empty(await host.NamesAsync());
        Assert.Empty((await backend.ListAsync()).Vms);
    }

    /// <summary>A slice that was taken away keeps its node, which counts for the quota, and its suspended queued resource: both go.</summary>
    [Fact]
    public async Task Slice_TakenAway_IsToldSo_AndBothPartsAreReaped()
    {
        await using var host = await EmulatorHost.StartAsync();
        host.Options.Spot = true;
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs with { Preemptible = true });
        await backend.AllocateAsync(request);
        await RunsAsync(backend, request);

        await host.ControlAsync("preempt", new { name = "fluster-tpu-00000001" });
        await Eventually.True(async () => await backend.GetAsync(request.Id, request.Offer.Zone) is { Status: VmStatus.Stopped, IsPreempted: true }, () => "It is not told as taken away.");
        Assert.Equal(2, (await host.NamesAsync()).Count);

        await backend.ReleaseAsync(request.Id, request.Offer.Zone);

        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Stockout_InOneZone_IsTold_AndTheNextZoneWorks()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("stockout", new { zone = EmulatorHost.Zone, shape = "v5litepod-16" });
        var backend = host.TpuBackend();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs)));

        Assert.Equal((VmFailureKind.Stockout, "us-central1-a/v5litepod-16", false), (failure.Kind, failure.Scope, failure.MayExist));
        Assert.Empty(await host.NamesAsync());

        var next = EmulatorHost.Request(backend, "fluster-tpu-00000002", s_needs, offer: 1);
        await backend.AllocateAsync(next);
        await RunsAsync(backend, next);
    }

    /// <summary>Where requests wait instead of failing, patience ends, and the next zone gets its turn.</summary>
    [Fact]
    public async Task Queue_ThatIsTooLong_IsAStockout_AndLeavesNothing()
    {
        await using var host = await EmulatorHost.StartAsync();
        host.Options.TpuQueueTimeout = TimeSpan.FromSeconds(1);
        await host.ControlAsync("stockout", new { zone = EmulatorHost.Zone, queue = true });
        var backend = host.TpuBackend();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs)));

        Assert.Equal((VmFailureKind.Stockout, "us-central1-a/v5litepod-16"), (failure.Kind, failure.Scope));
        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Queue_ThatMoves_EndsInASlice()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("stockout", new { zone = EmulatorHost.Zone, queue = true });
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs);

        var allocation = backend.AllocateAsync(request);
        await Eventually.True(async () => (await backend.GetAsync(request.Id, request.Offer.Zone))?.Status == VmStatus.Creating, () => "It does not wait.");
        await host.ControlAsync("stockout", new { zone = EmulatorHost.Zone, clear = true });
        await allocation;

        await RunsAsync(backend, request);
    }

    [Theory]
    [InlineData(3, "update is not supported while in state PREEMPTED [EID: 0x1]", VmFailureKind.Preempted)]
    [InlineData(9, "Insufficient reserved capacity", VmFailureKind.Stockout)]
    [InlineData(2, "Unknown", VmFailureKind.Unknown)]
    public async Task Slice_ThatFails_IsClassified_AndLeavesNothing(int rpcCode, string message, VmFailureKind kind)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/queuedResources", mode = "operation", rpcCode, message });
        var backend = host.TpuBackend();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs)));

        Assert.Equal((kind, false), (failure.Kind, failure.MayExist));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Quota_ThatIsFull_IsNotTakenForARate()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("quota", new { metric = "TPU_CHIPS", where = EmulatorHost.Zone, limit = 16 });
        var backend = host.TpuBackend();
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs));

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-tpu-00000002", s_needs)));

        Assert.Equal((VmFailureKind.Quota, EmulatorHost.Zone), (failure.Kind, failure.Scope));
    }

    [Fact]
    public async Task Shape_ThatGoogleDoesNotHave_IsInvalidThere()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.TpuBackend();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-tpu-00000001", ResourceSpec.WithTpu("v5litepod-2"))));

        Assert.Equal((VmFailureKind.Invalid, "us-central1-a/v5litepod-2"), (failure.Kind, failure.Scope));
    }

    [Theory]
    [InlineData("drop-after")]
    [InlineData("status-after")]
    public async Task Create_WhoseAnswerIsLost_MakesOneSlice(string mode)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/queuedResources", mode });
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs);

        await backend.AllocateAsync(request);
        await backend.AllocateAsync(request with { RequestId = Guid.NewGuid() }); // by another start of the controller

        Assert.Equal(["nodes/fluster-tpu-00000001", "queuedResources/fluster-tpu-00000001"], await host.NamesAsync());
    }

    /// <summary>A node without its queued resource is ours all the same.</summary>
    [Fact]
    public async Task Node_WithoutQueuedResource_IsListed_AndRemoved()
    {
        await using var host = await EmulatorHost.StartAsync();
        var (tpu, backend) = (host.Tpu(), host.TpuBackend());
        var labels = new Dictionary<string, string>(StringComparer.Ordinal) { [GcpLabels.Managed] = "true", [GcpLabels.Cluster] = EmulatorHost.ClusterId };
        var operation = await tpu.CreateNodeAsync(EmulatorHost.Zone, "fluster-tpu-00000001", new TpuNode { AcceleratorType = "v5litepod-4", RuntimeVersion = "v", Labels = labels }, CancellationToken.None);
        Assert.Null(operation.Done);
        await tpu.CompleteAsync(EmulatorHost.Zone, operation, TimeSpan.FromSeconds(20), CancellationToken.None);

        Assert.Equal(VmStatus.Running, Assert.Single((await backend.ListAsync()).Vms).Status);
        await backend.ReleaseAsync(VmId.Parse("fluster-tpu-00000001"), EmulatorHost.Zone);

        Assert.Empty(await host.NamesAsync());
    }

    /// <summary>Somebody deleted the node by hand: what is left is no slice, and is not left for long.</summary>
    [Fact]
    public async Task QueuedResource_WithoutNode_IsStopped_AndRemoved()
    {
        await using var host = await EmulatorHost.StartAsync();
        var (tpu, backend) = (host.Tpu(), host.TpuBackend());
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs);
        await backend.AllocateAsync(request);
        await RunsAsync(backend, request);
        await tpu.CompleteAsync(EmulatorHost.Zone, await tpu.DeleteNodeAsync(EmulatorHost.Zone, "fluster-tpu-00000001", CancellationToken.None), TimeSpan.FromSeconds(20), CancellationToken.None);

        Assert.Equal(VmStatus.Stopped, (await backend.GetAsync(request.Id, request.Offer.Zone))!.Status);
        await backend.ReleaseAsync(request.Id, request.Offer.Zone);

        Assert.Empty(await host.NamesAsync());
    }

    [Theory]
    [InlineData("drop-after")]
    [InlineData("operation")]
    public async Task Release_ThatGoesWrongOnce_IsTriedAgain(string mode)
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs);
        await backend.AllocateAsync(request);
        await host.ControlAsync("fail-next", new { method = "DELETE", path = "/queuedResources", mode });

        await backend.ReleaseAsync(request.Id, request.Offer.Zone);

        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Node_Client_StopsOneHost_AndNoSlice_AndChangesLabelsWhenReady()
    {
        await using var host = await EmulatorHost.StartAsync("--operation-ms", "600000");
        var tpu = host.Tpu();
        var single = await tpu.CreateNodeAsync(EmulatorHost.Zone, "one", new TpuNode { AcceleratorType = "v5litepod-4", RuntimeVersion = "v" }, CancellationToken.None);
        var early = await Assert.ThrowsAsync<GcpApiException>(() => tpu.SetNodeLabelsAsync(EmulatorHost.Zone, "one", new Dictionary<string, string>(StringComparer.Ordinal), CancellationToken.None));
        await host.ControlAsync("latency", new { operationMs = 30 });
        await host.ControlAsync("finish", new { });
        await tpu.CompleteAsync(EmulatorHost.Zone, single, TimeSpan.FromSeconds(20), CancellationToken.None);
        await tpu.CompleteAsync(EmulatorHost.Zone, await tpu.CreateNodeAsync(EmulatorHost.Zone, "many", new TpuNode { AcceleratorType = "v4-16", RuntimeVersion = "v" }, CancellationToken.None), TimeSpan.FromSeconds(20), CancellationToken.None);

        await tpu.SetNodeLabelsAsync(EmulatorHost.Zone, "one", new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" }, CancellationToken.None);
        await tpu.CompleteAsync(EmulatorHost.Zone, await tpu.StopNodeAsync(EmulatorHost.Zone, "one", CancellationToken.None), TimeSpan.FromSeconds(20), CancellationToken.None);

        Assert.True(early.IsNotReady);
        Assert.True((await Assert.ThrowsAsync<GcpApiException>(() => tpu.StopNodeAsync(EmulatorHost.Zone, "many", CancellationToken.None))).IsInvalid);
        var one = await tpu.FindNodeAsync(EmulatorHost.Zone, "one", CancellationToken.None);
        Assert.Equal(("STOPPED", "b"), (one!.State, one.Labels!["a"]));
        Assert.Equal(38, (await tpu.ListAcceleratorTypesAsync(EmulatorHost.Zone, CancellationToken.None)).Count); // all but v5litepod-2
    }

    /// <summary>What each host of a slice is told of itself.</summary>
    [Fact]
    public async Task Metadata_OfASlicesHosts_SaysWhichOneItIs_AndWhereTheOthersAre()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", s_needs);
        await backend.AllocateAsync(request);
        await RunsAsync(backend, request);
        var addresses = (await backend.GetAsync(request.Id, request.Offer.Zone))!.Addresses;

        for (var index = 0; index < 4; index++)
        {
            var name = $"fluster-tpu-00000001-w-{index}";
            Assert.Equal($"{index}", await host.MetadataTextAsync(name, "instance/attributes/agent-worker-number"));
            Assert.Equal("v5litepod-16", await host.MetadataTextAsync(name, "instance/attributes/accelerator-type"));
            Assert.Equal("fluster-tpu-00000001", await host.MetadataTextAsync(name, "instance/attributes/instance-id"));
            Assert.Equal(addresses[index], await host.MetadataTextAsync(name, "instance/network-interfaces/0/ip"));
            Assert.Equal(string.Join(',', addresses.Select(address => $"unknown:unknown:{address}")), await host.MetadataTextAsync(name, "instance/attributes/worker-network-endpoints"));
            Assert.Contains("CHIPS_PER_HOST_BOUNDS: '2,2,1'", await host.MetadataTextAsync(name, "instance/attributes/tpu-env"), StringComparison.Ordinal);
        }
    }

    private static Task RunsAsync(TpuBackend backend, VmRequest request) =>
        Eventually.True(async () => (await backend.GetAsync(request.Id, request.Offer.Zone))?.Status == VmStatus.Running, () => "The slice does not run.");
}
