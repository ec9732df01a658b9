using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Machines that are containers of a real engine (seed 003, stage 9).</summary>
public class DockerVmTests
{
    [EngineFact(TestEngine.WorkerImage)]
    public async Task Job_WithoutAnyWorker_RunsInAContainer_AndNothingIsLeftAfterwards()
    {
        await using var cluster = await DockerCluster.StartAsync(idle: "00:00:01");
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("echo $FLUSTER_WORKER_ID"));

        Assert.Equal(JobState.Succeeded, (await job.WaitAsync().WaitAsync(DockerCluster.Patience)).State);
        Assert.Matches("^fluster-[0-9a-f]{8}$", Assert.Single(await Scenario.LinesAsync(job)));
        await Eventually.True(async () => (await cluster.ListAsync()).Vms.Count == 0 && (await cluster.ContainersAsync()).Count == 0, () => $"it is released; the controller:\n{cluster.Controller.Process.Output}");
    }

    [EngineFact(TestEngine.WorkerImage)]
    public async Task Container_KilledFromOutside_IsNoticedAndItsJobRunsOnAnother()
    {
        await using var cluster = await DockerCluster.StartAsync(idle: "00:00:01", lostSeconds: 3);
        using var directory = new TemporaryDirectory();
        var ran = directory.File("ran");
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo $FLUSTER_WORKER_ID >> {ran}; while [ $(wc -l < {ran}) -lt 2 ]; do sleep 0.1; done"));
        await Eventually.True(() => directory.Lines("ran") > 0, () => $"it runs; the controller:\n{cluster.Controller.Process.Output}");

        Assert.True(await cluster.KillAsync((await File.ReadAllLinesAsync(ran))[0]));

        Assert.Equal(JobState.Succeeded, (await job.WaitAsync().WaitAsync(DockerCluster.Patience)).State);
        Assert.Equal(2, (await File.ReadAllLinesAsync(ran)).Distinct(StringComparer.Ordinal).Count());
        await Eventually.True(async () => (await cluster.ContainersAsync()).Count == 0, () => $"both are removed; the controller:\n{cluster.Controller.Process.Output}");
    }

    [EngineFact(TestEngine.WorkerImage)]
    public async Task Job_InOneContainer_CallsAnActorInAnother()
    {
        await using var cluster = await DockerCluster.StartAsync(max: 2, cpu: 1);
        var whole = ResourceSpec.WithCpu(1, ByteSize.FromGiB(3));
        var server = await CounterJobs.ServeAsync(cluster.Client, whole);
        var caller = await CounterJobs.CallAsync(cluster.Client, whole);

        var answer = (await caller.ResultAsync().WaitAsync(DockerCluster.Patience)).Split(' ');

        Assert.Equal("3", answer[1]);
        Assert.NotEqual((await server.GetStatusAsync()).Tasks[0].Attempts[0].Worker.ToString(), answer[0]);
        await cluster.Client.TerminateAsync(server.Id);
    }
}
