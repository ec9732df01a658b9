using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Fluster.Backends;

namespace Fluster.Tests;

/// <summary>The clients of Google's APIs against the emulator, over real connections.</summary>
public class GcpClientTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private static ComputeInstance Machine(string name) => new()
    {
        Name = name,
        MachineType = $"zones/{EmulatorHost.Zone}/machineTypes/n2-standard-4",
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["team"] = "blue" },
        Disks = [new ComputeAttachedDisk { Boot = true, AutoDelete = true, InitializeParams = new ComputeDiskParameters { SourceImage = "projects/debian-cloud/global/images/family/debian-12", DiskSizeGb = "50" } }],
        NetworkInterfaces = [new ComputeNetworkInterface { Network = "global/networks/default" }],
    };

    private static async Task MakeAsync(ComputeClient compute, string name, string zone = EmulatorHost.Zone)
    {
        var machine = Machine(name) with { MachineType = $"zones/{zone}/machineTypes/n2-standard-4" };
        var operation = await compute.InsertAsync(zone, machine, Guid.NewGuid(), CancellationToken.None);
        await compute.CompleteAsync(zone, operation, s_patience, CancellationToken.None);
    }

    [Fact]
    public async Task Instance_MadeReadAndDeleted_GoesThroughItsStates()
    {
        await using var host = await EmulatorHost.StartAsync("--operation-ms", "600000");
        var compute = host.Compute();
        var requestId = Guid.NewGuid();

        var operation = await compute.InsertAsync(EmulatorHost.Zone, Machine("vm-1"), requestId, CancellationToken.None);

        Assert.Equal(("insert", requestId.ToString("D"), 0), (operation.OperationType, operation.ClientOperationId, operation.Progress));
        Assert.Contains(operation.Status, (string[])["PENDING", "RUNNING"]);
        Assert.Equal("PROVISIONING", (await compute.FindAsync(EmulatorHost.Zone, "vm-1", CancellationToken.None))!.Status);

        await host.ControlAsync("finish", new { });
        var done = await compute.CompleteAsync(EmulatorHost.Zone, operation, s_patience, CancellationToken.None);
        var made = await compute.FindAsync(EmulatorHost.Zone, "vm-1", CancellationToken.None);

        Assert.Equal((ComputeOperation.Done, 100), (done.Status, done.Progress));
        Assert.Equal(("RUNNING", done.TargetId), (made!.Status, made.Id));
        Assert.StartsWith("10.128.", made.NetworkInterfaces![0].NetworkIP, StringComparison.Ordinal);
        Assert.Equal(made.Id, (await compute.FindAsync(EmulatorHost.Zone, made.Id!, CancellationToken.None))!.Id);

        var deletion = await compute.DeleteAsync(EmulatorHost.Zone, "vm-1", Guid.NewGuid(), CancellationToken.None);
        Assert.Equal("STOPPING", (await compute.FindAsync(EmulatorHost.Zone, "vm-1", CancellationToken.None))!.Status);
        await host.ControlAsync("finish", new { });
        await compute.CompleteAsync(EmulatorHost.Zone, deletion, s_patience, CancellationToken.None);

        Assert.Null(await compute.FindAsync(EmulatorHost.Zone, "vm-1", CancellationToken.None));
        Assert.Equal(ComputeOperation.Done, (await compute.GetOperationAsync(EmulatorHost.Zone, deletion.Name!, CancellationToken.None)).Status);
    }

    /// <summary>The request was done and its answer lost, or it was answered with an error although it was done: the next try, with the same id, finds what it began.</summary>
    [Theory]
    [InlineData("drop")]
    [InlineData("drop-after")]
    [InlineData("status")]
    [InlineData("status-after")]
    public async Task Insert_WhoseAnswerIsLost_IsTriedAgain_AndMakesOneMachine(string mode)
    {
        await using var host = await EmulatorHost.StartAsync();
        var compute = host.Compute();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/instances", mode });

        await MakeAsync(compute, "vm-1");

        Assert.Equal(["instances/vm-1"], await host.NamesAsync());
        Assert.Equal(2, host.Requests.Count(request => request.StartsWith("POST", StringComparison.Ordinal) && request.Contains("/instances?", StringComparison.Ordinal)));
    }

    /// <summary>Without a request id, a second try could do it twice.</summary>
    [Theory]
    [InlineData("drop", 1)]
    [InlineData("status", 1)]
    public async Task Post_WithoutRequestId_IsNotTriedAgain(string mode, int expected)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { method = "POST", path = "/nodes", mode });

        var error = await Assert.ThrowsAsync<GcpApiException>(() => host.Tpu().CreateNodeAsync(EmulatorHost.Zone, "slice", new TpuNode { AcceleratorType = "v5litepod-4", RuntimeVersion = "v" }, CancellationToken.None));

        Assert.True(error.IsTransient);
        Assert.Equal(expected, host.Requests.Count);
    }

    /// <summary>Too many requests were refused unread: any may be sent again.</summary>
    [Theory]
    [InlineData(403)]
    [InlineData(429)]
    public async Task Request_OneTooMany_IsSentAgain_Always(int status)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("ratelimit", new { count = 2, status });

        await host.Tpu().CreateNodeAsync(EmulatorHost.Zone, "slice", new TpuNode { AcceleratorType = "v5litepod-4", RuntimeVersion = "v" }, CancellationToken.None);

        Assert.Equal(3, host.Requests.Count);
    }

    [Fact]
    public async Task RetryAfter_IsHeeded()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("ratelimit", new { count = 1, status = 429, retryAfterSeconds = 1 });
        var start = TimeProvider.System.GetTimestamp();

        await host.Compute().ListAllAsync("", CancellationToken.None);

        Assert.True(TimeProvider.System.GetElapsedTime(start) >= TimeSpan.FromSeconds(0.99));
    }

    [Fact]
    public async Task Failure_ThatLasts_IsToldAfterTheLastTry()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { path = "/aggregated", count = 10, status = 503 });

        var error = await Assert.ThrowsAsync<GcpApiException>(() => host.Compute().ListAllAsync("", CancellationToken.None));

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "backendError", 4), (error.Status, error.Code, host.Requests.Count));
    }

    /// <summary>A quota and a lack of machines do not go away by asking again, whatever status they come with.</summary>
    [Theory]
    [InlineData(403, "quotaExceeded", "Quota 'CPUS' exceeded.")]
    [InlineData(503, "backendError", "The zone does not have enough resources available to fulfill the request.")]
    [InlineData(400, "invalid", "Invalid value")]
    [InlineData(403, "forbidden", "Required permission")]
    public async Task Refusal_ThatLasts_IsNotTriedAgain(int status, string reason, string message)
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("fail-next", new { path = "/instances", count = 10, status, reason, message });

        var error = await Assert.ThrowsAsync<GcpApiException>(() => host.Compute().InsertAsync(EmulatorHost.Zone, Machine("vm-1"), Guid.NewGuid(), CancellationToken.None));

        Assert.Equal((reason, 1), (error.Code, host.Requests.Count));
    }

    [Fact]
    public async Task Token_ThatIsRefused_IsReplacedOnce()
    {
        await using var host = await EmulatorHost.StartAsync();
        await host.ControlAsync("refuse-token", new { token = "old" });

        await host.Compute(new AgingToken("old", "new")).ListAllAsync("", CancellationToken.None);
        var error = await Assert.ThrowsAsync<GcpApiException>(() => host.Compute(new AgingToken("old", "old")).ListAllAsync("", CancellationToken.None));

        Assert.True(error.IsPermission);
        Assert.Equal(4, host.Requests.Count);
    }

    [Fact]
    public async Task Lists_OfManyPages_AreComplete()
    {
        await using var host = await EmulatorHost.StartAsync();
        var compute = host.Compute();
        var names = Enumerable.Range(0, 5).Select(index => $"vm-{index}").ToList();
        await Task.WhenAll(names.Select((name, index) => MakeAsync(compute, name, index % 2 == 0 ? EmulatorHost.Zone : EmulatorHost.OtherZone)));
        await host.ControlAsync("page-size", new { most = 2 });

        var all = await compute.ListAllAsync("labels.team = \"blue\"", CancellationToken.None);
        var zone = await compute.ListAsync(EmulatorHost.Zone, "", CancellationToken.None);
        var types = await compute.ListMachineTypesAsync(EmulatorHost.Zone, CancellationToken.None);

        Assert.Equal(names, all.Items.Select(item => item.Name!).Order(StringComparer.Ordinal));
        Assert.True(all.IsComplete && zone.IsComplete);
        Assert.Equal(["vm-0", "vm-2", "vm-4"], zone.Items.Select(item => item.Name));
        Assert.Equal(MachineTypes.All.Select(type => (type.Name, type.Cpus, type.MemoryMiB)), types.Select(type => (type.Name!, type.GuestCpus!.Value, type.MemoryMb!.Value)));
    }

    [Fact]
    public async Task Lists_WithoutAZone_SayThatTheyAreNotComplete()
    {
        await using var host = await EmulatorHost.StartAsync();
        var (compute, tpu) = (host.Compute(), host.Tpu());
        await MakeAsync(compute, "vm-a");
        await MakeAsync(compute, "vm-b", EmulatorHost.OtherZone);
        await host.ControlAsync("unreachable", new { zones = new[] { EmulatorHost.OtherZone } });

        var all = await compute.ListAllAsync("", CancellationToken.None);

        Assert.Equal(["vm-a"], all.Items.Select(item => item.Name));
        Assert.False(all.IsComplete);
        Assert.False((await compute.ListAsync(EmulatorHost.OtherZone, "", CancellationToken.None)).IsComplete);
        Assert.True((await compute.ListAsync(EmulatorHost.Zone, "", CancellationToken.None)).IsComplete);
        Assert.False((await tpu.ListNodesAsync(TpuClient.AllZones, CancellationToken.None)).IsComplete);
        Assert.False((await tpu.ListQueuedResourcesAsync(TpuClient.AllZones, CancellationToken.None)).IsComplete);
    }

    [Theory]
    [InlineData("labels.team = blue", 1)]
    [InlineData("(labels.team = \"blue\") AND (NOT labels.tpu_cores:*)", 1)]
    [InlineData("labels.team = red", 0)]
    [InlineData("labels.team:*", 1)]
    [InlineData("NOT labels.team:*", 0)]
    [InlineData("(labels.team = red) OR (status = RUNNING)", 1)]
    [InlineData("status = RUNNING AND labels.team != blue", 0)]
    [InlineData("name = vm-1 labels.team = blue", 1)]
    public async Task Filter_OfAList_PicksWhatItSays(string filter, int expected)
    {
        await using var host = await EmulatorHost.StartAsync();
        var compute = host.Compute();
        await MakeAsync(compute, "vm-1");

        Assert.Equal(expected, (await compute.ListAllAsync(filter, CancellationToken.None)).Items.Count);
    }

    [Theory]
    [InlineData("(labels.team = blue")]
    [InlineData("shape = x")]
    [InlineData("name ~ x")]
    [InlineData("name = \"x")]
    public async Task Filter_ThatCannotBeRead_IsRefused(string filter)
    {
        await using var host = await EmulatorHost.StartAsync();
        var compute = host.Compute();
        await MakeAsync(compute, "vm-1");

        Assert.True((await Assert.ThrowsAsync<GcpApiException>(() => compute.ListAllAsync(filter, CancellationToken.None))).IsInvalid);
    }

    /// <summary>Labels and metadata are replaced as a whole: who was overtaken reads again and keeps what the other wrote.</summary>
    [Fact]
    public async Task Labels_ChangedByTwo_KeepBothChanges()
    {
        await using var host = await EmulatorHost.StartAsync();
        var compute = host.Compute();
        await MakeAsync(compute, "vm-1");
        var isFirst = true;

        await compute.SetLabelsAsync(EmulatorHost.Zone, "vm-1", labels =>
        {
            if (isFirst)
            {
                isFirst = false;
                compute.SetLabelsAsync(EmulatorHost.Zone, "vm-1", mine => new(mine, StringComparer.Ordinal) { ["other"] = "1" }, CancellationToken.None).GetAwaiter().GetResult();
            }

            return new(labels, StringComparer.Ordinal) { ["mine"] = "2" };
        }, CancellationToken.None);
        await compute.SetMetadataAsync(EmulatorHost.Zone, "vm-1", "note", "a", CancellationToken.None);
        await compute.SetMetadataAsync(EmulatorHost.Zone, "vm-1", "note", "b", CancellationToken.None);

        var machine = await compute.FindAsync(EmulatorHost.Zone, "vm-1", CancellationToken.None);
        Assert.Equal(("blue", "1", "2"), (machine!.Labels!["team"], machine.Labels["other"], machine.Labels["mine"]));
        Assert.Equal("b", machine.Metadata!.Find("note"));
        Assert.Equal("b", await host.MetadataTextAsync("vm-1", "instance/attributes/note"));
    }

    [Fact]
    public async Task RequestId_UsedAgain_AnswersWithTheOperationThatItBegan()
    {
        await using var host = await EmulatorHost.StartAsync();
        var compute = host.Compute();
        var requestId = Guid.NewGuid();

        var first = await compute.InsertAsync(EmulatorHost.Zone, Machine("vm-1"), requestId, CancellationToken.None);
        var second = await compute.InsertAsync(EmulatorHost.Zone, Machine("vm-1"), requestId, CancellationToken.None);
        var other = await Assert.ThrowsAsync<GcpApiException>(() => compute.InsertAsync(EmulatorHost.Zone, Machine("vm-1"), Guid.NewGuid(), CancellationToken.None));
        var zero = await Assert.ThrowsAsync<GcpApiException>(() => compute.InsertAsync(EmulatorHost.Zone, Machine("vm-2"), Guid.Empty, CancellationToken.None));

        Assert.Equal(first.Name, second.Name);
        Assert.True(other.IsAlreadyExists && zero.IsInvalid);
    }

    [Theory]
    [InlineData("VM_1")]
    [InlineData("1vm")]
    [InlineData("vm-")]
    [InlineData("a23456789a23456789a23456789a23456789a23456789a23456789a234567890")]
    public async Task Name_ThatGoogleDoesNotTake_IsRefused(string name)
    {
        await using var host = await EmulatorHost.StartAsync();

        var error = await Assert.ThrowsAsync<GcpApiException>(() => host.Compute().InsertAsync(EmulatorHost.Zone, Machine(name), Guid.NewGuid(), CancellationToken.None));

        Assert.Equal((HttpStatusCode.BadRequest, "invalid"), (error.Status, error.Code));
    }

    /// <summary>What the schema does not ask for and Google does.</summary>
    [Fact]
    public async Task Machine_ThatGoogleWouldNotMake_IsRefused()
    {
        await using var host = await EmulatorHost.StartAsync();
        var compute = host.Compute();

        foreach (var wrong in (ComputeInstance[])
        [
            Machine("vm") with { Disks = null },
            Machine("vm") with { NetworkInterfaces = null },
            Machine("vm") with { MachineType = "zones/us-central1-b/machineTypes/n2-standard-4" },
            Machine("vm") with { MachineType = "zones/us-central1-a/machineTypes/n2-standard-5" },
            Machine("vm") with { Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["Team"] = "x" } },
            Machine("vm") with { Scheduling = new ComputeScheduling { ProvisioningModel = "SPOT" } },
            Machine("vm") with { GuestAccelerators = [new ComputeAccelerator("zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4", 1)] },
            Machine("vm") with { Metadata = new ComputeMetadata { Items = [new ComputeMetadataItem("a b", "x")] } },
            Machine("vm") with { Metadata = new ComputeMetadata { Items = [new ComputeMetadataItem("a", new string('x', (256 * 1024) + 1))] } },
        ])
        {
            Assert.True((await Assert.ThrowsAsync<GcpApiException>(() => compute.InsertAsync(EmulatorHost.Zone, wrong, Guid.NewGuid(), CancellationToken.None))).IsInvalid);
        }

        Assert.Empty(await host.NamesAsync());
    }

    [Fact]
    public async Task Body_ThatIsPacked_IsRead_AndOneThatIsNoJson_IsRefused()
    {
        await using var host = await EmulatorHost.StartAsync();
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "emulated");
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionMode.Compress, leaveOpen: true))
        {
            await gzip.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(Machine("vm-1"), GcpJson.Default.ComputeInstance));
        }

        using var content = new ByteArrayContent(packed.ToArray()) { Headers = { ContentEncoding = { "gzip" }, ContentType = new MediaTypeHeaderValue("application/json") } };
        var uri = new Uri(host.Options.ComputeBaseUri, $"projects/{EmulatorHost.Project}/zones/{EmulatorHost.Zone}/instances");
        using var taken = await http.PostAsync(uri, content);
        using var broken = await http.PostAsync(uri, new StringContent("{\"name\":", Encoding.UTF8, "application/json"));
        http.DefaultRequestHeaders.Authorization = null;
        using var anonymous = await http.GetAsync(uri);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadRequest, HttpStatusCode.Unauthorized), (taken.StatusCode, broken.StatusCode, anonymous.StatusCode));
    }

    [Fact]
    public async Task Answer_ThatIsNotJson_LeavesOpenWhatWasDone()
    {
        using var connection = new GcpConnection(new FixedAccessToken("t"), new GcpRetry { Tries = 1 }, transport: new SayingHandler("<html>"));

        var error = await Assert.ThrowsAsync<GcpApiException>(() => new ComputeClient(connection, new Uri("http://localhost/"), "p").InsertAsync("z", Machine("vm"), Guid.NewGuid(), CancellationToken.None));

        Assert.True(error.IsUnanswered && error.IsTransient);
    }

    [Fact]
    public async Task List_WhosePagesComeAround_Ends()
    {
        using var connection = new GcpConnection(new FixedAccessToken("t"), new GcpRetry { Tries = 1 }, transport: new SayingHandler("{\"nextPageToken\":\"again\"}"));

        await Assert.ThrowsAsync<GcpApiException>(() => new ComputeClient(connection, new Uri("http://localhost/"), "p").ListAllAsync("", CancellationToken.None));
    }

    private sealed class AgingToken(string first, string later) : IAccessTokenSource
    {
        public ValueTask<string> GetAsync(bool isRefused, CancellationToken cancellationToken) => ValueTask.FromResult(isRefused ? later : first);
    }

    private sealed class SayingHandler(string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(body) });
    }
}
