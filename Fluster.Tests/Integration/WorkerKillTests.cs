using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>A worker dies under its jobs.</summary>
public class WorkerKillTests
{
    [Fact]
    public async Task KilledAndStartedAgain_ItsJobIsTriedAgain_AndTheControllerDoesNotComplain()
    {
        using var runs = new TemporaryDirectory();
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo started >> {runs.File("runs")}; while [ ! -e {runs.File("go")} ]; do sleep 0.05; done; echo done"));
        await Eventually.True(() => runs.Lines("runs") > 0, () => "It does not run.");

        await cluster.Workers[0].KillAsync();
        cluster.Workers[0].Start();
        await Eventually.True(() => File.ReadAllLines(runs.File("runs")).Length == 2, () => $"It was not tried again. {cluster.Controller.Process.Output}");
        await File.WriteAllTextAsync(runs.File("go"), "");
        var status = await job.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(JobState.Succeeded, status.State);
        var attempts = Assert.Single(status.Tasks).Attempts;
        Assert.Equal([JobState.WorkerFailed, JobState.Succeeded], attempts.Select(attempt => attempt.State));
        Assert.True(attempts[1].Fence > attempts[0].Fence);
        Assert.DoesNotContain("fail:", cluster.Controller.Process.Output, StringComparison.Ordinal);
    }
}
