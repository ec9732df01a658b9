using System.Globalization;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A controller that makes its workers as containers of the tests' engine, and no worker that somebody started. Leaves no container behind.</summary>
internal sealed class DockerCluster : IAsyncDisposable
{
    private readonly DockerEngine _engine = new(TestEngine.Socket);

    private DockerCluster(ControllerProcess controller)
    {
        Controller = controller;
        Client = controller.Client();
    }

    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(90);

    public ControllerProcess Controller { get; }

    public FlusterClient Client { get; }

    /// <param name="idle">How long a machine may do nothing.</param>
    /// <param name="max">The most machines.</param>
    /// <param name="cpu">The cores of each.</param>
    /// <param name="lostSeconds">How long a worker may be silent.</param>
    public static async Task<DockerCluster> StartAsync(string idle = "00:10:00", int max = 3, int cpu = 1, int lostSeconds = 60) => new(await ControllerProcess.StartAsync(
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Controller__Backends__0__Kind"] = "docker",
            ["Fluster__Controller__Backends__0__Max"] = max.ToString(CultureInfo.InvariantCulture),
            ["Fluster__Controller__Backends__0__Idle"] = idle,
            ["Fluster__Controller__Backends__0__Socket"] = TestEngine.Socket,
            ["Fluster__Controller__Backends__0__Image"] = TestEngine.WorkerImage,
            ["Fluster__Controller__Backends__0__Cpu"] = cpu.ToString(CultureInfo.InvariantCulture),
            ["Fluster__Controller__Backends__0__MaxCpu"] = "4",
            ["Fluster__Controller__Backends__0__Memory"] = "3g",
            ["Fluster__Controller__Backends__0__Volumes__0"] = $"{Path.GetTempPath().TrimEnd('/')}:{Path.GetTempPath().TrimEnd('/')}", // jobs of tests tell by files
            ["Fluster__Controller__WorkerSuspectSeconds"] = "2",
            ["Fluster__Controller__WorkerLostSeconds"] = lostSeconds.ToString(CultureInfo.InvariantCulture),
        }));

    /// <summary>What there is of this cluster, running or not: what <c>docker ps -a</c> would show.</summary>
    public async Task<IReadOnlyList<DockerListed>> ContainersAsync() => await _engine.ListAsync("fluster.cluster", await ClusterIdAsync(), CancellationToken.None);

    /// <summary>As somebody outside does it.</summary>
    public Task<bool> KillAsync(string container) => _engine.KillAsync(container, "SIGKILL", CancellationToken.None);

    public async Task<V1.ListVmsResponse> ListAsync()
    {
        using var channel = Controller.Channel();
        return await ControllerProcess.Service(channel).ListVmsAsync(new V1.ListVmsRequest(), Controller.Headers());
    }

    public async ValueTask DisposeAsync()
    {
        var left = await ContainersAsync();
        await Client.DisposeAsync();
        await Controller.DisposeAsync();
        foreach (var container in left)
        {
            await Eventually.True(() => _engine.RemoveAsync(container.Id, CancellationToken.None), () => $"{container.Id} is removed");
        }

        _engine.Dispose();
    }

    private async Task<string> ClusterIdAsync()
    {
        using var channel = Controller.Channel();
        return (await ControllerProcess.Service(channel).GetClusterStatusAsync(new V1.GetClusterStatusRequest(), Controller.Headers())).ClusterId;
    }
}
