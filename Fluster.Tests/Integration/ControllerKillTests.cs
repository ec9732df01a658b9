using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The controller dies while jobs run: nothing that it acknowledged is lost, and nothing runs twice.</summary>
public class ControllerKillTests
{
    private const int Jobs = 20;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task KilledWhileJobsRun_EveryJobEndsWithItsTrueOutcome_AndNoneRanTwice()
    {
        using var runs = new TemporaryDirectory();
        await using var cluster = await TestCluster.StartAsync(workers: 2);
        var jobs = new List<JobHandle>();
        for (var i = 0; i < Jobs; i++)
        {
            // Each start adds a line; it runs until it is told to end, so that all run when the controller dies.
            var script = $"echo started >> {runs.File($"job{i}")}; while [ ! -e {runs.File("go")} ]; do sleep 0.05; done; exit {i % 4}";
            jobs.Add(await cluster.Client.SubmitAsync(TestCluster.Bash(script, $"job{i}")));
        }

        await Eventually.True(
            () => Directory.GetFiles(runs.Path, "job*").Length == Jobs,
            () => $"Only {Directory.GetFiles(runs.Path, "job*").Length} of {Jobs} jobs run.");
        await cluster.Controller.KillAsync();
        await File.WriteAllTextAsync(runs.File("go"), ""); // some end while nobody listens
        await cluster.Controller.StartAsync();

        for (var i = 0; i < Jobs; i++)
        {
            var status = await jobs[i].WaitAsync(s_patience);
            Assert.Equal((i % 4 == 0 ? JobState.Succeeded : JobState.Failed, i % 4), (status.State, status.ExitCode));
            Assert.Equal(["started"], await File.ReadAllLinesAsync(runs.File($"job{i}")));
            Assert.Single(Assert.Single(status.Tasks).Attempts);
        }
    }

    [Fact]
    public async Task KilledWhileJobsAreSubmitted_KnowsEveryOneThatItAcknowledged()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        var acknowledged = new List<JobHandle>();
        var submitting = Enumerable.Range(0, 8).Select(async lane =>
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    using var late = new CancellationTokenSource(s_patience, TimeProvider.System);
                    var job = await client.SubmitAsync(TestCluster.Bash("true", $"lane{lane}-{i}"), late.Token);
                    lock (acknowledged)
                    {
                        acknowledged.Add(job);
                        if (acknowledged.Count > 400)
                        {
                            return;
                        }
                    }
                }
            }
            catch (ClusterException)
            {
                // It was away for longer than the client tries again.
            }
        }).ToList();

        await Eventually.True(() => acknowledged.Count > 100, () => $"{acknowledged.Count} jobs were submitted.");
        await controller.KillAsync();
        await controller.StartAsync();
        await Task.WhenAll(submitting);

        foreach (var job in acknowledged)
        {
            Assert.Equal(JobState.Pending, (await client.GetStatusAsync(job.Id)).State);
        }
    }
}
