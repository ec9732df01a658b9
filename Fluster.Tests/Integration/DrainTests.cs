using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A worker that is to go: it gets nothing new, ends when it is empty, and works again when it is started again.</summary>
public class DrainTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Drain_WhatRunsEndsWell_NothingNewComes_AndTheWorkerEnds()
    {
        using var directory = new TemporaryDirectory();
        await using var cluster = await TestCluster.StartAsync();
        var worker = cluster.Workers[0];
        var first = await cluster.Client.SubmitAsync(TestCluster.Bash($"touch {directory.File("runs")}; until [ -e {directory.File("go")} ]; do sleep 0.05; done; echo last words"));
        await Eventually.True(() => File.Exists(directory.File("runs")), "the job runs");

        Assert.Equal("Draining", await DrainAsync(cluster, worker.Id, now: false));
        var second = await cluster.Client.SubmitAsync(TestCluster.Bash("true"));
        await File.WriteAllTextAsync(directory.File("go"), "");
        var (exitCode, output) = await worker.EndedAsync();

        Assert.Equal(0, exitCode);
        Assert.Contains("was drained", output, StringComparison.Ordinal);
        Assert.Equal(JobState.Succeeded, (await first.WaitAsync(s_patience)).State);
        Assert.Equal("last words", await cluster.LogAsync(first.Id));
        Assert.Equal(JobState.Pending, (await second.GetStatusAsync()).State);
        Assert.Equal("Drained", await DrainAsync(cluster, worker.Id, now: false));

        worker.Start();
        Assert.Equal(JobState.Succeeded, (await second.WaitAsync(s_patience)).State);
    }

    [Fact]
    public async Task DrainNow_WhatRunsIsTriedAgainElsewhere()
    {
        using var directory = new TemporaryDirectory();
        await using var cluster = await TestCluster.StartAsync();
        var worker = cluster.Workers[0];
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo $FLUSTER_WORKER_ID >> {directory.File("ran")}; [ $FLUSTER_WORKER_ID != {worker.Id} ] || sleep 100"));
        await Eventually.True(() => directory.Lines("ran") > 0, "the job runs");
        await cluster.AddWorkerAsync();

        var context = await CliProcess.WriteContextAsync(directory.Path, cluster.Controller.GrpcAddress, cluster.Controller.AdminToken);
        using var drain = CliProcess.Start(context, "worker", "drain", worker.Id, "--now");
        Assert.Equal(0, await drain.ExitAsync());
        var (exitCode, _) = await worker.EndedAsync();
        var status = await job.WaitAsync(s_patience);

        Assert.Equal(0, exitCode);
        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal([worker.Id, cluster.Workers[1].Id], await File.ReadAllLinesAsync(directory.File("ran")));
        using var unknown = CliProcess.Start(context, "worker", "drain", "nobody");
        Assert.NotEqual(0, await unknown.ExitAsync());
        Assert.Contains("There is no worker 'nobody'", unknown.Error, StringComparison.Ordinal);
    }

    private static async Task<string> DrainAsync(TestCluster cluster, string worker, bool now)
    {
        using var channel = cluster.Controller.Channel();
        var response = await ControllerProcess.Service(channel).DrainWorkerAsync(new V1.DrainWorkerRequest { WorkerId = worker, Now = now }, cluster.Controller.Headers());
        return response.Worker.State;
    }
}
