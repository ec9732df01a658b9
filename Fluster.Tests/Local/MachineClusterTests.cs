using Fluster.Backends;
using Fluster.Local;

namespace Fluster.Tests;

/// <summary>The end of a cluster that takes its machines along, against an emulated cloud in which machines are records only.</summary>
public sealed class MachineClusterTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>Also those that nobody remembers: a create that was never answered makes such.</summary>
    [Fact]
    public async Task Release_OfMachinesThatAreBeingMadeOrForgotten_LeavesNone()
    {
        await using var host = await EmulatorHost.StartAsync("--operation-ms", "1000");
        await using var cluster = await StartAsync(host, least: 3);
        await Eventually.True(async () => (await host.NamesAsync()).Count == 3, () => "They are not asked for.");
        var forgotten = host.Gce(await ClusterIdAsync(host));
        await forgotten.AllocateAsync(EmulatorHost.Request(forgotten, "fluster-0f0f0f0f", clusterId: await ClusterIdAsync(host)));
        var others = host.Gce("another");
        await others.AllocateAsync(EmulatorHost.Request(others, "fluster-0e0e0e0e", clusterId: "another"));

        Assert.Empty(await cluster.ReleaseMachinesAsync(s_patience));

        Assert.Equal(["instances/fluster-0e0e0e0e"], await host.NamesAsync());
    }

    [Fact]
    public async Task Release_OfMachinesThatTheCloudKeeps_EndsInTime_AndNamesThem()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var cluster = await StartAsync(host, least: 1);
        await Eventually.True(async () => (await host.NamesAsync()).Count == 1, () => "It is not asked for.");
        await host.ControlAsync("fail-next", new { method = "DELETE", path = "/instances", count = 1000, status = 403, reason = "forbidden", message = "You may not." });

        var left = Assert.Single(await cluster.ReleaseMachinesAsync(TimeSpan.FromSeconds(2)).WaitAsync(s_patience));

        Assert.Equal([$"instances/{left.Name}"], await host.NamesAsync());
        Assert.Equal(("gce", EmulatorHost.Zone), (left.Backend, left.Zone));
        await host.ControlAsync("reset", new { });
        Assert.Empty(await cluster.ReleaseMachinesAsync(s_patience));
    }

    [Fact]
    public async Task Release_WhileAZoneCannotBeReached_SaysThatThereMayBeMore()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var cluster = await StartAsync(host, least: 0);
        await host.ControlAsync("unreachable", new { zones = new[] { EmulatorHost.OtherZone } });

        var left = Assert.Single(await cluster.ReleaseMachinesAsync(s_patience));

        Assert.Equal(("gce", "", "it does not list all of its machines now"), (left.Backend, left.Name, left.Why));
    }

    /// <summary>Slices that are always there: a backend of TPUs has no machine without one.</summary>
    [Fact]
    public async Task Min_OfSlices_AsksForTheOnesThatAreNamed()
    {
        await using var host = await EmulatorHost.StartAsync();
        var file = new ClusterFile { Backends = [new ClusterFileBackend("tpu", 0, Settings(("Kind", "tpu"), ("Min", "2"), ("Accelerator", "v5litepod-16")))] };
        await using var cluster = await MachineCluster.StartAsync(file, host.Address, new LocalClusterOptions(), CancellationToken.None);

        await Eventually.True(async () => (await host.Tpu().ListNodesAsync(TpuClient.AllZones, CancellationToken.None)).Items is [{ AcceleratorConfig: var first }, { AcceleratorConfig: var second }]
            && first == second && first is { Topology: "4x4" }, () => "They are not made.");

        Assert.Empty(await cluster.ReleaseMachinesAsync(s_patience));
        Assert.Empty(await host.NamesAsync());
    }

    private static Task<MachineCluster> StartAsync(EmulatorHost host, int least) => MachineCluster.StartAsync(
        new ClusterFile { Backends = [new ClusterFileBackend("gce", 0, Settings(("Kind", "gce"), ("Min", $"{least}")))] }, host.Address, new LocalClusterOptions(), CancellationToken.None);

    private static Dictionary<string, string> Settings(params (string Key, string Value)[] settings) => new(
        settings.Append(("Project", EmulatorHost.Project)).Append(("Zones:0", EmulatorHost.Zone)).Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2)), StringComparer.OrdinalIgnoreCase);

    private static async Task<string> ClusterIdAsync(EmulatorHost host) =>
        (await host.Compute().ListAllAsync("", CancellationToken.None)).Items[0].Labels!["fluster-cluster"];
}
