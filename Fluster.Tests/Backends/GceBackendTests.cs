using Fluster.Backends;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Machines of Compute Engine, against the emulator (seed 003, stage 10).</summary>
public class GceBackendTests
{
    [Fact]
    public void Offers_OfAPlainTask_AreTheUsualMachineInEveryZone_InOrder()
    {
        var offers = Backend(GcpOptionsTests.Valid()).Offers(ResourceSpec.WithCpu());

        Assert.Equal([("n2-standard-4", "us-central1-a"), ("n2-standard-4", "us-central1-b"), ("n2-standard-4", "europe-west4-a")], offers.Select(offer => (offer.Shape, offer.Zone)));
        var first = offers[0];
        Assert.Equal((4000L, 1, false), (first.Resources.CpuMillis, first.Workers, first.Resources.Preemptible));
        Assert.Equal(["us-central1"], first.Resources.Regions);
        Assert.Equal(ByteSize.FromGiB(35), first.Resources.Disk); // 50, of which 15 are the system's
        Assert.Equal(["us-central1-a/n2-standard-4", "us-central1-a", "us-central1", "gce"], first.Scopes);
    }

    [Fact]
    public void Offers_AreWhatFits()
    {
        var options = GcpOptionsTests.Valid();
        var backend = Backend(options);

        Assert.Equal(["n2-standard-8"], backend.Offers(ResourceSpec.WithCpu(cpu: 6, memory: "20g")).Select(offer => offer.Shape).Distinct());
        Assert.Equal(["europe-west4-a"], backend.Offers(new ResourceSpec { Regions = ["europe-west4"] }).Select(offer => offer.Zone));
        Assert.Empty(backend.Offers(new ResourceSpec { Regions = ["mars-north1"] }));
        Assert.Empty(backend.Offers(ResourceSpec.WithCpu(cpu: 500)));
        Assert.Empty(backend.Offers(ResourceSpec.WithTpu("v5litepod-16")));
        Assert.All(backend.Offers(new ResourceSpec { Disk = "200g" }), offer => Assert.True(offer.Resources.Disk >= ByteSize.FromGiB(200)));
        Assert.Empty(backend.Offers(ResourceSpec.WithGpu("l4"))); // no image with a driver was named
    }

    [Fact]
    public void Offers_OfGpus_NameTheModelAsTheJobDoes()
    {
        var options = GcpOptionsTests.Valid();
        options.GpuImage = "projects/p/global/images/family/with-driver";
        var backend = Backend(options);

        var a100 = backend.Offers(ResourceSpec.WithGpu("a100", count: 2));
        var any = backend.Offers(ResourceSpec.WithGpu());

        Assert.Equal(("a2-highgpu-2g", new Device.Gpu("a100", 2)), (a100[0].Shape, a100[0].Resources.Device));
        Assert.Equal(("n1-standard-1+nvidia-tesla-t4x1", new Device.Gpu("t4", 1)), (any[0].Shape, any[0].Resources.Device));
        Assert.Contains(any, offer => offer.Shape == "a3-highgpu-1g"); // when there are none of the cheaper ones
        Assert.Empty(backend.Offers(ResourceSpec.WithGpu("voodoo2")));
    }

    /// <summary>Only jobs that allow it get machines that can be taken away, and only where the settings say so.</summary>
    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public void Offers_AreSpot_WhenJobAndSettingsSaySo(bool setting, bool job, bool expected)
    {
        var options = GcpOptionsTests.Valid();
        options.Spot = setting;

        var offer = Backend(options).Offers(new ResourceSpec { Preemptible = job })[0];

        Assert.Equal(expected, offer.Resources.Preemptible);
        Assert.Equal(expected ? "us-central1-a/n2-standard-4/spot" : "us-central1-a/n2-standard-4", offer.Scopes[0]);
    }

    [Fact]
    public async Task Machine_AllocatedListedAndReleased_LeavesNothing()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001");

        Assert.Null(await backend.GetAsync(request.Id, request.Offer.Zone));
        await backend.AllocateAsync(request);
        var info = await backend.GetAsync(request.Id, request.Offer.Zone);
        var list = await backend.ListAsync();

        Assert.Equal((VmStatus.Running, EmulatorHost.Zone, "n2-standard-4"), (info!.Status, info.Zone, info.Shape));
        Assert.Single(info.Addresses);
        Assert.NotNull(info.CreatedAt);
        Assert.True(list.IsComplete);
        Assert.Equal(request.Id, Assert.Single(list.Vms).Id);

        await backend.ReleaseAsync(request.Id, request.Offer.Zone);
        await backend.ReleaseAsync(request.Id, request.Offer.Zone); // what is gone is no error

        Assert.Null(await backend.GetAsync(request.Id, request.Offer.Zone));
        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Allocate_CarriesTheSettings()
    {
        await using var host = await EmulatorHost.StartAsync();
        host.Options.Spot = true;
        host.Options.ExternalAddress = true;
        host.Options.Subnetwork = "workers";
        host.Options.ServiceAccount = "worker@my-project-1.iam.gserviceaccount.com";
        host.Options.Labels["team"] = "blue";
        host.Options.Tags = ["mine"];
        host.Options.GpuImage = "projects/p/global/images/family/with-driver";
        var backend = host.Gce();
        var needs = ResourceSpec.WithGpu("t4", count: 2) with { Preemptible = true, Disk = "100g" };

        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001", needs));

        var made = (await host.Compute().FindAsync(EmulatorHost.Zone, "fluster-00000001", CancellationToken.None))!;
        Assert.Equal(("SPOT", "DELETE", "TERMINATE", false), (made.Scheduling!.ProvisioningModel, made.Scheduling.InstanceTerminationAction, made.Scheduling.OnHostMaintenance, made.Scheduling.AutomaticRestart));
        Assert.Equal(("blue", "true", EmulatorHost.ClusterId), (made.Labels!["team"], made.Labels[GcpLabels.Managed], made.Labels[GcpLabels.Cluster]));
        Assert.Equal(("115", true), (made.Disks![0].DiskSizeGb, made.Disks[0].AutoDelete));
        Assert.Equal("regions/us-central1/subnetworks/workers", made.NetworkInterfaces![0].Subnetwork);
        Assert.Null(made.NetworkInterfaces[0].Network);
        Assert.StartsWith("203.0.113.", made.NetworkInterfaces[0].AccessConfigs![0].NatIP, StringComparison.Ordinal);
        Assert.Equal("worker@my-project-1.iam.gserviceaccount.com", made.ServiceAccounts![0].Email);
        Assert.Equal(["mine"], made.Tags!.Items);
        Assert.Equal(("nvidia-tesla-t4", 2), (GcpNames.LastPart(made.GuestAccelerators![0].AcceleratorType), made.GuestAccelerators[0].AcceleratorCount));
        Assert.StartsWith("#!/usr/bin/env bash\n", made.Metadata!.Find("startup-script"), StringComparison.Ordinal);
        Assert.Equal("n1-standard-1+nvidia-tesla-t4x2", (await backend.GetAsync(VmId.Parse("fluster-00000001"), EmulatorHost.Zone))!.Shape);
    }

    /// <summary>A zone without machines: the answer says which, nothing is left there, and the next zone has one.</summary>
    [Fact]
    public async Task Stockout_InOneZone_IsTold_AndTheNextZoneWorks()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("stockout", new { zone = EmulatorHost.Zone });
        var backend = host.Gce();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001")));

        Assert.Equal((VmFailureKind.Stockout, "us-central1-a/n2-standard-4", false), (failure.Kind, failure.Scope, failure.MayExist));
        Assert.Empty(await host.NamesAsync());

        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000002", offer: 1));

        Assert.Equal(["instances/fluster-00000002"], await host.NamesAsync());
    }

    [Theory]
    [InlineData("QUOTA_EXCEEDED", VmFailureKind.Quota, "us-central1")]
    [InlineData("UNSUPPORTED_OPERATION", VmFailureKind.Preempted, "us-central1-a/n2-standard-4")]
    [InlineData("RESOURCE_OPERATION_RATE_EXCEEDED", VmFailureKind.RateLimited, "gce")]
    [InlineData("SOMETHING_NEW", VmFailureKind.Unknown, "us-central1-a")]
    public async Task Create_WhoseOperationFails_IsClassified_AndLeavesNothing(string code, VmFailureKind kind, string scope)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/instances", mode = "operation", code, message = "It was not to be." });
        var backend = host.Gce();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001")));

        Assert.Equal((kind, scope, false), (failure.Kind, failure.Scope, failure.MayExist));
        Assert.Empty(await host.NamesAsync());
    }

    /// <summary>Creates have been seen to end in "not found" with the machine alive: it would be paid for, and nobody would know of it.</summary>
    [Theory]
    [InlineData("RESOURCE_NOT_FOUND", VmFailureKind.Stockout, false)]
    [InlineData("INTERNAL_ERROR", VmFailureKind.Transient, false)]
    public async Task Create_ThatFailsAndLeavesAMachine_RemovesIt(string code, VmFailureKind kind, bool mayExist)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/instances", mode = "operation-leave", code });
        var backend = host.Gce();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001")));

        Assert.Equal((kind, mayExist), (failure.Kind, failure.MayExist));
        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Create_WhoseRemainsCannotBeRemoved_SaysThatTheyMayBeThere()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/instances", mode = "operation-leave", code = "RESOURCE_NOT_FOUND" });
        await host.ControlAsync("fail-next", new { method = "DELETE", path = "/instances", count = 10, status = 503 });
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001");

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(request));
        Assert.True(failure.MayExist);
        Assert.Equal(["instances/fluster-00000001"], await host.NamesAsync());

        await Eventually.True(async () => await TryAsync(() => backend.ReleaseAsync(request.Id, request.Offer.Zone)), () => "It is not released.");
        Assert.Empty(await host.NamesAsync());
    }

    /// <summary>Every try is cut off, and one of them was done.</summary>
    [Fact]
    public async Task Create_WithoutAnyAnswer_IsTransient_AndRemovesWhatItMade()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/instances", count = 4, mode = "drop-after" });
        var backend = host.Gce();

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001")));

        Assert.Equal((VmFailureKind.Transient, "us-central1-a", true), (failure.Kind, failure.Scope, failure.MayExist));
        Assert.Empty(await host.NamesAsync());
    }

    [Theory]
    [InlineData("drop-after")]
    [InlineData("status-after")]
    public async Task Create_WhoseAnswerIsLost_MakesOneMachine(string mode)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/instances", mode });
        var backend = host.Gce();

        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001"));

        Assert.Equal(["instances/fluster-00000001"], await host.NamesAsync());
    }

    [Fact]
    public async Task Create_OfTheSameRequest_ByAnotherStartOfTheController_MakesNoSecondMachine()
    {
        await using var host = await EmulatorHost.StartAsync();
        var (first, second) = (host.Gce(), host.Gce());
        var request = EmulatorHost.Request(first, "fluster-00000001");

        await Task.WhenAll(first.AllocateAsync(request), second.AllocateAsync(request));
        await second.AllocateAsync(request with { RequestId = Guid.NewGuid() }); // Google forgets request ids after a while; the name remains

        Assert.Equal(["instances/fluster-00000001"], await host.NamesAsync());
    }

    [Fact]
    public async Task Quota_ThatIsFull_BlocksTheRegion()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("quota", new { metric = "CPUS", where = "us-central1", limit = 4 });
        var backend = host.Gce();
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001"));

        var failure = await Assert.ThrowsAsync<VmException>(() => backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000002")));
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000003", offer: 2)); // another region

        Assert.Equal((VmFailureKind.Quota, "us-central1"), (failure.Kind, failure.Scope));
        Assert.Contains("Quota 'CPUS' exceeded", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>A list with a zone missing says so: what is not in it is not gone.</summary>
    [Fact]
    public async Task List_WithoutAZone_IsNotComplete()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001"));
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000002", offer: 1));
        await host.ControlAsync("unreachable", new { zones = new[] { EmulatorHost.OtherZone } });

        var list = await backend.ListAsync();

        Assert.False(list.IsComplete);
        Assert.Equal(["fluster-00000001"], list.Vms.Select(vm => vm.Id.ToString()));
    }

    [Fact]
    public async Task List_DoesNotShowTheHostsOfSlices()
    {
        await using var host = await EmulatorHost.StartAsync();
        var (machines, slices) = (host.Gce(), host.TpuBackend());
        await slices.AllocateAsync(EmulatorHost.Request(slices, "fluster-tpu-00000001", ResourceSpec.WithTpu("v5litepod-16")));
        await Eventually.True(async () => (await host.Compute().ListAllAsync("", CancellationToken.None)).Items.Count == 4, () => "The hosts are not among the machines.");

        Assert.Empty((await machines.ListAsync()).Vms);
    }

    [Fact]
    public async Task Spot_TakenAway_IsToldInside_AndGoneOutside()
    {
        await using var host = await EmulatorHost.StartAsync();
        host.Options.Spot = true;
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001", new ResourceSpec { Preemptible = true });
        await backend.AllocateAsync(request);
        Assert.Equal("FALSE", await host.MetadataTextAsync("fluster-00000001", "instance/preempted"));
        var waiting = host.MetadataTextAsync("fluster-00000001", "instance/preempted?wait_for_change=true&timeout_sec=20");

        await host.ControlAsync("preempt", new { name = "fluster-00000001", noticeMs = 8000 }); // time for the question to arrive, on a busy machine too

        Assert.Equal("TRUE", await waiting);
        await Eventually.True(async () => await backend.GetAsync(request.Id, request.Offer.Zone) is null, () => "It is still there.");
        await backend.ReleaseAsync(request.Id, request.Offer.Zone);
    }

    /// <summary>A machine that stopped still costs its disk and keeps its name: it is told as stopped, and is released as any other.</summary>
    [Fact]
    public async Task Machine_ThatStopped_IsToldSo_AndReleased()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001");
        await backend.AllocateAsync(request);
        await host.ControlAsync("preempt", new { name = "fluster-00000001", noticeMs = 0 });

        await Eventually.True(async () => (await backend.GetAsync(request.Id, request.Offer.Zone))!.Status == VmStatus.Stopped, () => "It has not stopped.");
        await backend.ReleaseAsync(request.Id, request.Offer.Zone);

        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Release_WhoseOperationFails_IsTriedAgain()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001");
        await backend.AllocateAsync(request);
        await host.ControlAsync("fail-next", new { method = "DELETE", path = "/instances", mode = "operation", code = "INTERNAL_ERROR" });

        await backend.ReleaseAsync(request.Id, request.Offer.Zone);

        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Cloud_ThatDoesNotAnswer_IsNotTakenForAnEmptyOne()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001");
        await backend.AllocateAsync(request);
        await host.ControlAsync("fail-next", new { method = "GET", count = 12, mode = "drop" });

        Assert.Equal(VmFailureKind.Transient, (await Assert.ThrowsAsync<VmException>(() => backend.GetAsync(request.Id, request.Offer.Zone))).Kind);
        Assert.Equal(VmFailureKind.Transient, (await Assert.ThrowsAsync<VmException>(() => backend.ListAsync())).Kind);
        Assert.True((await Assert.ThrowsAsync<VmException>(() => backend.ReleaseAsync(request.Id, request.Offer.Zone))).MayExist);
    }

    /// <summary>All of the above hold requests and answers against Google's descriptions where those are. This is the one that is skipped by name where they are not.</summary>
    [GcpSchemaFact]
    public async Task Requests_AndAnswers_AreAsGoogleDescribesThem()
    {
        await using var host = await EmulatorHost.StartAsync();
        var (machines, slices) = (host.Gce(), host.TpuBackend());
        await machines.AllocateAsync(EmulatorHost.Request(machines, "fluster-00000001"));
        await slices.AllocateAsync(EmulatorHost.Request(slices, "fluster-tpu-00000001", ResourceSpec.WithTpu("v4-16")));
        await machines.ListAsync();
        await slices.ListAsync();
        await machines.ReleaseAsync(VmId.Parse("fluster-00000001"), EmulatorHost.Zone);
        await slices.ReleaseAsync(VmId.Parse("fluster-tpu-00000001"), EmulatorHost.Zone);

        Assert.True(host.Requests.Count > 10);
    }

    /// <summary>The check itself finds what it is for.</summary>
    [GcpSchemaFact]
    public void Check_OfWrongMessages_FindsWhatIsWrong()
    {
        var schemas = GcpSchemas.Found!;

        Assert.Empty(schemas.Check(isTpu: false, "Instance", """{"name":"x","disks":[{"boot":true,"diskSizeGb":"10"}]}""", isRequest: true));
        Assert.Equal(
            ["Instance.disks[0].diskSizeGb: expected text, has 10", "Instance.nome: there is no such property", "Instance.status: only answers have it", "Instance.scheduling.provisioningModel: 'CHEAP' is not one of its values", "Instance.canIpForward: expected true or false, has \"x\""],
            schemas.Check(isTpu: false, "Instance", """{"disks":[{"diskSizeGb":10}],"nome":"x","status":"RUNNING","scheduling":{"provisioningModel":"CHEAP"},"canIpForward":"x"}""", isRequest: true));
        Assert.Equal(["Node.serviceAccounts: there is no such property"], schemas.Check(isTpu: true, "Node", """{"serviceAccounts":[],"labels":{"a":"b"}}""", isRequest: true));
        Assert.Single(schemas.Check("GET", new Uri("http://x/compute/v1/projects/p/zones/z/instances/i?fields=x"), null, 200, "{}"));
        Assert.Single(schemas.Check("POST", new Uri("http://x/compute/v1/projects/p/zones/z/instances/i/explode"), null, 200, "{}"));
    }

    private static GceBackend Backend(GcpOptions options) => GcpBackends.ComputeEngine("gce", options, EmulatorHost.ClusterId, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);

    private static async Task<bool> TryAsync(Func<Task> act)
    {
        try
        {
            await act();
            return true;
        }
        catch (VmException)
        {
            return false;
        }
    }
}
