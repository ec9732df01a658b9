using Fluster.Backends;
using Fluster.Cluster;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Tests;

/// <summary>The local backend by itself: its machines are what has a directory, and a process while it runs.</summary>
public sealed class LocalBackendTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly VmId _id = VmId.Parse("fluster-0000000a");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Machine_IsThereOnce_UntilItIsReleasedWithAllThatItRan()
    {
        var backend = Backend("c1");
        var offer = Assert.Single(backend.Offers(new ResourceSpec { Cpu = 2 }));
        Assert.Empty(backend.Offers(new ResourceSpec { Cpu = 3 }));
        Assert.Empty(backend.Offers(ResourceSpec.WithGpu()));
        Assert.Null(await backend.GetAsync(_id, ""));

        await backend.AllocateAsync(Request(offer));
        await Eventually.True(() => File.Exists(Path.Combine(Data, "ward")), "its worker has begun"); // as far as it comes without a controller
        var first = VmProcesses.MainOf(Data);
        await Backend("c1").AllocateAsync(Request(offer)); // another start of the controller asks again
        Assert.Equal(first, VmProcesses.MainOf(Data));

        var vm = (await backend.GetAsync(_id, ""))!;
        Assert.Equal((VmStatus.Running, "127.0.0.1"), (vm.Status, Assert.Single(vm.Addresses)));
        Assert.Equal(_id, Assert.Single((await Backend("c1").ListAsync()).Vms).Id);

        // Another cluster's eyes and hands end at the mark.
        Assert.Empty((await Backend("c2").ListAsync()).Vms);
        Assert.Null(await Backend("c2").GetAsync(_id, ""));
        await Backend("c2").ReleaseAsync(_id, "");
        Assert.Equal(first, VmProcesses.MainOf(Data));
        var taken = await Assert.ThrowsAsync<VmException>(() => Backend("c2").AllocateAsync(Request(offer) with { ClusterId = "c2" }));
        Assert.Equal(VmFailureKind.NameTaken, taken.Kind);

        await backend.ReleaseAsync(_id, "");
        Assert.Empty(VmProcesses.AllOf(Data));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Root));
        Assert.Null(await backend.GetAsync(_id, ""));
        await backend.ReleaseAsync(_id, ""); // it is gone: no error
    }

    [Fact]
    public async Task Machine_WhoseWorkerHasEnded_IsStopped()
    {
        var backend = Backend("c1");
        await backend.AllocateAsync(Request(backend.Offers(new ResourceSpec())[0]));
        await Eventually.True(() => File.Exists(Path.Combine(Data, "ward")), "its worker has begun");

        VmProcesses.Kill(VmProcesses.MainOf(Data));
        await Eventually.True(() => VmProcesses.AllOf(Data).Count == 0, "its guard ends");

        Assert.Equal(VmStatus.Stopped, (await backend.GetAsync(_id, ""))!.Status);
        await backend.ReleaseAsync(_id, "");
        Assert.Empty(Directory.EnumerateFileSystemEntries(Root));
    }

    private string Root => _directory.File("machines");

    private string Data => Path.Combine(Root, _id.ToString(), "data");

    private IVmBackend Backend(string cluster) => VmBackends.Create(
        new VmBackendSetup("local", "local", "path", new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { ["WorkerPath"] = LocalVmTests.WorkerProgram, ["Cpu"] = "2", ["Memory"] = "1g" })
        {
            ClusterId = cluster,
            DataDirectory = Root,
            Time = TimeProvider.System,
            Loggers = NullLoggerFactory.Instance,
        });

    private VmRequest Request(VmOffer offer) => new(_id, Guid.Empty, offer, "c1")
    {
        WorkerEnvironment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Fluster__Worker__Id"] = _id.ToString(),
            ["Fluster__Worker__Token"] = "a.b.c",
            ["Fluster__Worker__ControllerAddress"] = "http://127.0.0.1:9",
        },
    };
}
