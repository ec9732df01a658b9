using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What both backends of Google Cloud owe to other clusters of a project.</summary>
public sealed class GcpOwnershipTests
{
    [Theory]
    [InlineData("gce", "fluster-00000001")]
    [InlineData("tpu", "fluster-tpu-00000001")]
    public async Task Machine_OfAnotherCluster_IsNotAdopted_Listed_OrRemoved(string kind, string name)
    {
        await using var host = await EmulatorHost.StartAsync();
        IVmBackend mine = kind == "tpu" ? host.TpuBackend() : host.Gce();
        IVmBackend other = kind == "tpu" ? host.TpuBackend("other") : host.Gce("other");
        var needs = kind == "tpu" ? ResourceSpec.WithTpu("v5litepod-16") : null;
        await other.AllocateAsync(EmulatorHost.Request(other, name, needs, clusterId: "other"));
        var request = EmulatorHost.Request(mine, name, needs);

        var failure = await Assert.ThrowsAsync<VmException>(() => mine.AllocateAsync(request));
        await mine.ReleaseAsync(request.Id, request.Offer.Zone);

        Assert.Equal(VmFailureKind.NameTaken, failure.Kind);
        Assert.Null(await mine.GetAsync(request.Id, request.Offer.Zone));
        Assert.Empty((await mine.ListAsync()).Vms);
        Assert.Single((await other.ListAsync()).Vms);
    }
}
