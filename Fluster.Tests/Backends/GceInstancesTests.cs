using Fluster.Actors;
using Fluster.Backends;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The instances of a project as a directory of actors, against the emulator over real connections.</summary>
public sealed class GceInstancesTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly string[] s_servers = ["head", "worker"];

    /// <summary>Actors on two machines, found and called by what their servers wrote there, with nothing between them but the cloud's API.</summary>
    [ToolFact("setsid")]
    public async Task Resolver_ActorsOnMachines_AreFoundAndCalled_UntilTheirMachineStops()
    {
        using var directory = new TemporaryDirectory();
        await using var host = await EmulatorHost.StartAsync("--run", directory.Path); // so that machines have addresses that lead somewhere
        await MakeAsync(host, "head", EmulatorHost.Zone, ("fluster-controller", "7410"));
        await MakeAsync(host, "worker", EmulatorHost.OtherZone);
        await MakeAsync(host, "bystander", EmulatorHost.Zone);
        using var instances = new GceInstances(EmulatorHost.Project, api: host.Options.ComputeBaseUri, accessToken: "any");
        var addresses = new Dictionary<string, string?>(StringComparer.Ordinal);
        await foreach (var instance in instances.ListAsync())
        {
            addresses[instance.Name] = instance.Address;
        }

        await using var first = await ServeAsync("head", 1);
        await using var second = await ServeAsync("worker", 2);
        var found = await new GceResolver(instances, Namespace.Parse("team")).ResolveAsync("counter/one");

        Assert.Equal(s_servers, found.Endpoints.Select(endpoint => endpoint.Metadata["instance"]));
        Assert.Equal([$"http://{addresses["head"]}:{first.Address.Port}", $"http://{addresses["worker"]}:{second.Address.Port}"], found.Endpoints.Select(endpoint => endpoint.Address));
        Assert.Equal((1, 2), (await CallAsync(first, "head"), await CallAsync(second, "worker")));
        Assert.True((await new GceResolver(instances).ResolveAsync("counter/one")).IsEmpty);
        Assert.Equal(new Uri($"http://{addresses["head"]}:7410"), await new GceResolver(instances).FindControllerAsync());

        await host.ControlAsync("preempt", new { name = "worker", noticeMs = 0 });

        await Eventually.True(async () => (await new GceResolver(instances, Namespace.Parse("team")).ResolveAsync("counter/one")).Endpoints is [{ Id: "gcs-head-counter/one" }], () => "The machine that stopped is still found.");

        async Task<ActorServer> ServeAsync(string machine, int value)
        {
            var server = new ActorServer(new ActorServerOptions { Host = addresses[machine], Announcements = TextWriter.Null });
            server.Register("counter/one", new ActorPoolTests.Counter(value));
            await server.StartAsync();
            await new GceResolver(instances, Namespace.Parse("team")).PublishAsync(machine, server);
            return server;
        }

        async Task<int> CallAsync(ActorServer server, string machine)
        {
            using var only = new GceInstances(host.Compute(), machine == "head" ? EmulatorHost.Zone : EmulatorHost.OtherZone);
            using var client = new ActorClient<ActorPoolTests.ICounter>(new GceResolver(only, Namespace.Parse("team"), server.Token), "counter/one");
            return await client.Actor.Get();
        }
    }

    [Fact]
    public async Task List_OfManyPagesAndZones_HasAllMachinesWithWhatTheyDo()
    {
        await using var host = await EmulatorHost.StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(index => MakeAsync(host, $"vm-{index}", index % 2 == 0 ? EmulatorHost.Zone : EmulatorHost.OtherZone, ("number", $"{index}"))));
        await host.ControlAsync("preempt", new { name = "vm-4", noticeMs = 0 });
        await Eventually.True(async () => (await host.Compute().FindAsync(EmulatorHost.Zone, "vm-4", CancellationToken.None))!.Status == "TERMINATED", () => "It does not stop.");
        await host.ControlAsync("page-size", new { most = 2 });

        var all = await ListAsync(new GceInstances(host.Compute()));
        var zone = await ListAsync(new GceInstances(host.Compute(), EmulatorHost.OtherZone));

        Assert.Equal(["vm-0 Running 0", "vm-1 Running 1", "vm-2 Running 2", "vm-3 Running 3", "vm-4 Stopped 4"], all.OrderBy(one => one.Name, StringComparer.Ordinal).Select(one => $"{one.Name} {one.Status} {one.Metadata["number"]}"));
        Assert.All(all, one => Assert.StartsWith("10.128.", one.Address, StringComparison.Ordinal));
        Assert.Equal(["vm-1", "vm-3"], zone.Select(one => one.Name));
    }

    /// <summary>An instance that a list leaves out may well be there: such a list is none. Who asks for one zone is not bothered by another.</summary>
    [Fact]
    public async Task List_WithoutAZone_IsAFailure_AndThatOfAnotherZoneIsNot()
    {
        await using var host = await EmulatorHost.StartAsync();
        await MakeAsync(host, "vm-a", EmulatorHost.Zone);
        await MakeAsync(host, "vm-b", EmulatorHost.OtherZone);
        await host.ControlAsync("unreachable", new { zones = new[] { EmulatorHost.OtherZone } });
        var all = new GceInstances(host.Compute());

        Assert.Equal(VmFailureKind.Transient, (await Assert.ThrowsAsync<VmException>(() => ListAsync(all))).Kind);
        Assert.Equal(VmFailureKind.Transient, (await Assert.ThrowsAsync<VmException>(() => all.SetMetadataAsync("vm-a", "note", "x"))).Kind); // another one of its name may be there
        Assert.Equal(VmFailureKind.Transient, (await Assert.ThrowsAsync<VmException>(() => ListAsync(new GceInstances(host.Compute(), EmulatorHost.OtherZone)))).Kind);
        var reached = new GceInstances(host.Compute(), EmulatorHost.Zone);
        await reached.SetMetadataAsync("vm-a", "note", "x");
        Assert.Equal("x", Assert.Single(await ListAsync(reached)).Metadata["note"]);
    }

    /// <summary>All metadata of a machine is written at once, and only if nobody wrote in between: eight that write at the same time lose nothing of each other's.</summary>
    [Fact]
    public async Task Metadata_WrittenByMany_KeepsWhatAllOfThemWrote()
    {
        await using var host = await EmulatorHost.StartAsync();
        await MakeAsync(host, "vm-1", EmulatorHost.Zone, ("first", "kept"), ("last", "gone"));
        var instances = new GceInstances(host.Compute());

        await Task.WhenAll(Enumerable.Range(0, 8).Select(index => instances.SetMetadataAsync("vm-1", $"key_{index}", $"value {index}")).Append(instances.SetMetadataAsync("vm-1", "last", value: null)));

        var metadata = Assert.Single(await ListAsync(instances)).Metadata;
        Assert.Equal(["first=kept", .. Enumerable.Range(0, 8).Select(index => $"key_{index}=value {index}")], metadata.OrderBy(item => item.Key, StringComparer.Ordinal).Select(item => $"{item.Key}={item.Value}"));
        Assert.Equal("value 3", await host.MetadataTextAsync("vm-1", "instance/attributes/key_3"));
    }

    [Fact]
    public async Task Metadata_OvertakenThreeTimes_IsReadAndWrittenAgain_AndGivenUpInTheEnd()
    {
        await using var host = await EmulatorHost.StartAsync();
        await MakeAsync(host, "vm-1", EmulatorHost.Zone);
        var instances = new GceInstances(host.Compute(), EmulatorHost.Zone);
        await host.ControlAsync("fail-next", new { method = "POST", path = "/setMetadata", count = 3, status = 412, reason = "conditionNotMet" });
        host.Requests.Clear();

        await instances.SetMetadataAsync("vm-1", "note", "x");

        Assert.Equal((4, 4), (host.Requests.Count(request => request.Contains("/setMetadata", StringComparison.Ordinal)), host.Requests.Count(request => request.EndsWith("/instances/vm-1", StringComparison.Ordinal))));
        Assert.Equal("x", Assert.Single(await ListAsync(instances)).Metadata["note"]);
        await host.ControlAsync("fail-next", new { method = "POST", path = "/setMetadata", count = 100, status = 412, reason = "conditionNotMet" });
        Assert.Equal(VmFailureKind.Transient, (await Assert.ThrowsAsync<VmException>(() => instances.SetMetadataAsync("vm-1", "note", "y"))).Kind);
    }

    [Fact]
    public async Task Metadata_WhoseAnswerIsLost_IsWrittenOnce()
    {
        await using var host = await EmulatorHost.StartAsync();
        await MakeAsync(host, "vm-1", EmulatorHost.Zone);
        var instances = new GceInstances(host.Compute());
        await host.ControlAsync("fail-next", new { method = "POST", path = "/setMetadata", mode = "drop-after" });
        host.Requests.Clear();

        await instances.SetMetadataAsync("vm-1", "note", "x");

        Assert.Single(host.Requests.Where(request => request.Contains("/setMetadata", StringComparison.Ordinal)).Distinct(StringComparer.Ordinal));
        Assert.Equal("x", Assert.Single(await ListAsync(instances)).Metadata["note"]);
    }

    [Fact]
    public async Task Metadata_OfNoMachineOrOfTwo_OrUnderNoKey_IsRefused()
    {
        await using var host = await EmulatorHost.StartAsync();
        await MakeAsync(host, "twin", EmulatorHost.Zone);
        await MakeAsync(host, "twin", EmulatorHost.OtherZone);
        var instances = new GceInstances(host.Compute());

        Assert.Contains("no instance 'nobody'", await RefusalAsync("nobody", "note"), StringComparison.Ordinal);
        Assert.Contains("'No \"name' is not the name", await RefusalAsync("No \"name", "note"), StringComparison.Ordinal);
        Assert.Contains("in us-central1-a and us-central1-b", await RefusalAsync("twin", "note"), StringComparison.Ordinal);
        instances = new GceInstances(host.Compute(), EmulatorHost.OtherZone);
        Assert.Contains("regex", await RefusalAsync("twin", "no key"), StringComparison.Ordinal);
        Assert.Contains("not found", await RefusalAsync("nobody", "note"), StringComparison.Ordinal);
        await instances.SetMetadataAsync("twin", "note", "x");
        Assert.Equal(["", "x"], (await ListAsync(new GceInstances(host.Compute()))).Select(one => one.Metadata.GetValueOrDefault("note", "")).Order(StringComparer.Ordinal));

        async Task<string> RefusalAsync(string name, string key)
        {
            var refused = await Assert.ThrowsAsync<VmException>(() => instances.SetMetadataAsync(name, key, "x"));
            Assert.Equal(VmFailureKind.Invalid, refused.Kind);
            return refused.Message;
        }
    }

    [Theory]
    [InlineData("My Project", null, null, "project")]
    [InlineData("my-project", "here", null, "zone")]
    [InlineData("my-project", null, "http://127.0.0.1:8085/compute/v1", "api")]
    public void Instances_OfNoProject_AreRefused(string project, string? zone, string? api, string parameter) =>
        Assert.Equal(parameter, Assert.Throws<ArgumentException>(() => new GceInstances(project, zone, api is null ? null : new Uri(api))).ParamName);

    private static async Task<List<InstanceInfo>> ListAsync(GceInstances instances)
    {
        var found = new List<InstanceInfo>();
        await foreach (var instance in instances.ListAsync())
        {
            found.Add(instance);
        }

        return found;
    }

    private static async Task MakeAsync(EmulatorHost host, string name, string zone, params (string Key, string Value)[] metadata)
    {
        var compute = host.Compute();
        var operation = await compute.InsertAsync(zone, new ComputeInstance
        {
            Name = name,
            MachineType = $"zones/{zone}/machineTypes/e2-standard-2",
            Disks = [new ComputeAttachedDisk { Boot = true, AutoDelete = true, InitializeParams = new ComputeDiskParameters { SourceImage = "projects/debian-cloud/global/images/family/debian-12" } }],
            NetworkInterfaces = [new ComputeNetworkInterface { Network = "global/networks/default" }],
            Metadata = new ComputeMetadata { Items = [.. metadata.Select(item => new ComputeMetadataItem(item.Key, item.Value))] },
        }, Guid.NewGuid(), CancellationToken.None);
        await compute.CompleteAsync(zone, operation, s_patience, CancellationToken.None);
    }
}
