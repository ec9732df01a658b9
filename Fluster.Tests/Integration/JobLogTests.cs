using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>A job's log as its follower sees it: every line once, in order, whatever happens to the controller meanwhile.</summary>
public sealed class JobLogTests
{
    private const int Lines = 100_000;

    [Fact]
    public async Task Follow_100000Lines_NoneLostNoneDoubled()
    {
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"seq 1 {Lines}"));

        Assert.Equal(Lines, await CountInOrderAsync(job.StreamLogs(), _ => Task.CompletedTask));
    }

    [Fact]
    public async Task Follow_WhileItRuns_ShowsLinesBeforeItsEnd()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var gate = new TemporaryDirectory();
        var go = Path.Combine(gate.Path, "go");
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo 1; until [ -e '{go}' ]; do sleep 0.02; done; echo 2"));

        var count = await CountInOrderAsync(job.StreamLogs(), async number =>
        {
            if (number == 1)
            {
                Assert.Equal(JobState.Running, (await job.GetStatusAsync()).State);
                await File.WriteAllTextAsync(go, "");
            }
        });

        Assert.Equal(2, count);
    }

    // The controller dies twice in the middle; the follower is the same one all the time.
    [Fact]
    public async Task Follow_WhileTheControllerIsKilled_NoneLostNoneDoubled()
    {
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"for i in $(seq 1 {Lines}); do echo $i; [ $((i % 2500)) = 0 ] && sleep 0.1; done"));

        var count = await CountInOrderAsync(job.StreamLogs(), async number =>
        {
            if (number is 10_000 or 50_000)
            {
                await cluster.Controller.KillAsync();
                await cluster.Controller.StartAsync();
            }
        });

        Assert.Equal(Lines, count);
        Assert.Equal(JobState.Succeeded, (await job.WaitAsync()).State);
    }

    [Fact]
    public async Task Cursor_ResumesExactlyAfterItsLine()
    {
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("seq 1 20000"));
        await job.WaitAsync();
        var lines = await job.StreamLogs().ToListAsync();
        var cursors = lines.Where(line => line.Cursor is not null).ToList();

        foreach (var line in new[] { cursors[0], cursors[cursors.Count / 2], cursors[^1] })
        {
            var rest = await cluster.Client.StreamLogs(job.Id, new LogOptions { Cursor = line.Cursor }).ToListAsync();
            Assert.Equal(lines.SkipWhile(other => other.Number <= line.Number).Select(other => other.Text), rest.Select(other => other.Text));
        }

        Assert.Equal(["19999", "20000"], (await cluster.Client.StreamLogs(job.Id, new LogOptions { Tail = 2 }).ToListAsync()).Select(line => line.Text));
        Assert.Empty(await cluster.Client.StreamLogs(job.Id, new LogOptions { Tail = 0 }).ToListAsync());
    }

    private static async Task<int> CountInOrderAsync(IAsyncEnumerable<JobLogLine> log, Func<int, Task> afterLine)
    {
        var count = 0;
        await foreach (var line in log)
        {
            Assert.Equal($"{++count}", line.Text);
            Assert.Equal(count - 1, line.Number);
            await afterLine(count);
        }

        return count;
    }
}
