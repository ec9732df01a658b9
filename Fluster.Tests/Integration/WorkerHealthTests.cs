using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What workers that are not well do to the cluster, and who says so.</summary>
public sealed class WorkerHealthTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [SmallDiskFact]
    public async Task FullDisk_TakesNoWork_ExplainSaysWhy_AndWorkComesWhenThereIsRoom()
    {
        using var disk = new SmallDisk(megabytes: 64);
        await using var cluster = await TestCluster.StartAsync(workerSettings: new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Worker__DataDirectory"] = Path.Combine(disk.Path, "data"),
            ["Fluster__Worker__Disk"] = "1g", // what is asked for is not what this is about
        });
        Assert.Equal(4, (await (await cluster.Client.SubmitAsync(TestCluster.Bash("exit 4"))).WaitAsync(s_patience)).ExitCode);

        disk.Fill();
        using var channel = cluster.Controller.Channel();
        var service = ControllerProcess.Service(channel);
        await Eventually.True(
            async () => (await service.ListWorkersAsync(new V1.ListWorkersRequest(), cluster.Controller.Headers())).Workers.Single().Health is { AcceptsWork: false }, () => "the worker has seen its disk");
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("exit 5"));
        var explanation = await cluster.Client.ExplainAsync(job.Id);
        Assert.Equal(PendingCause.Unavailable, explanation.Cause);
        Assert.StartsWith($"The only worker that could hold it takes no work: worker-1 takes no work: The disk of {disk.Path}/data is full: ", explanation.Reason, StringComparison.Ordinal);
        Assert.Contains("of 64 MiB are free, and 5 % are needed", explanation.Reason, StringComparison.Ordinal);
        var status = await job.GetStatusAsync();
        Assert.Equal((JobState.Pending, 0), (status.State, status.Tasks.Single().Attempts.Count));

        disk.Resize(megabytes: 128);
        var ended = await job.WaitAsync(s_patience);
        Assert.Equal((5, 1), (ended.ExitCode, ended.Tasks.Single().Attempts.Count)); // it was never tried on the full disk
    }

    [Fact]
    public async Task MostWorkersSilentAtOnce_IsSaidByTheStatus_AndNobodyIsGivenUpYet()
    {
        await using var controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Controller__WorkerSuspectSeconds"] = "2",
            ["Fluster__Controller__WorkerLostSeconds"] = "600",
        });
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        using var directory = new TemporaryDirectory();
        var context = await CliProcess.WriteContextAsync(directory.Path, controller.GrpcAddress, controller.AdminToken);
        var workers = new List<FakeWorker>();
        for (var i = 1; i <= 3; i++)
        {
            workers.Add(await FakeWorker.ConnectAsync(controller, $"w{i}"));
        }

        Assert.False((await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers())).MassSilence);
        await workers[0].DisposeAsync();
        await workers[1].DisposeAsync();
        await Eventually.True(async () => (await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers())).MassSilence, () => "two of three are silent");

        using var cli = CliProcess.Start(context, "cluster", "status");
        Assert.Equal(0, await cli.ExitAsync());
        Assert.Contains("3, most of them silent at once: none is given up", cli.Out, StringComparison.Ordinal);

        workers[1] = await FakeWorker.ConnectAsync(controller, "w2", incarnation: 2);
        await Eventually.True(async () => !(await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers())).MassSilence, () => "one of three is silent");
        await workers[1].DisposeAsync();
        await workers[2].DisposeAsync();
    }
}
