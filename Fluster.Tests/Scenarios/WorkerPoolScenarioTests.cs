using System.Collections.Concurrent;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Worker pools (seed 003, stage 8), on every backend. What kills processes is in the integration tests.</summary>
public abstract class WorkerPoolScenarioTests(ScenarioBackend backend)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public sealed record Order(string Name, IReadOnlyList<int> Numbers);

    private IClusterController Client => backend.Client;

    [Fact]
    public async Task Items_WaitForWorkers_RunThere_AndReturn()
    {
        await using var pool = new WorkerPool(Client, 2);
        var (number, order) = (7, new Order("a", [1, 2]));

        var early = pool.SubmitAsync(() => $"{order.Name} {number + order.Numbers.Count} {FlusterContext.Current.JobId}");
        var map = pool.MapAsync(item => item * number, Enumerable.Range(0, 500));
        Assert.Equal(501, pool.Status.Queued + pool.Status.Running + pool.Status.Succeeded);
        await pool.WaitForWorkersAsync();

        Assert.Equal(2, pool.Size);
        Assert.Matches("^_workerpool_[0-9a-f]{8}$", pool.Name);
        var text = await early.WaitAsync(s_patience);
        Assert.StartsWith("a 9 ", text, StringComparison.Ordinal);
        Assert.Contains(JobId.Parse(text[4..]), pool.Jobs);
        Assert.Equal(Enumerable.Range(0, 500).Select(item => item * 7), await map.WaitAsync(s_patience));
        foreach (var index in new[] { 0, 1 })
        {
            Assert.Single((await Client.Resolver().ResolveAsync($"{pool.Name}:worker-{index}")).Endpoints);
        }

        var inside = await pool.MapAsync(async (int _) => await Inside.CountAsync(), Enumerable.Range(0, 100)).WaitAsync(s_patience);
        Assert.All(inside, count => Assert.Equal(1, count)); // one at a time on each worker
        await pool.SubmitAsync(async () => await Task.Yield());
        Assert.Equal("b", (await pool.SubmitAsync(() => Task.FromResult(new Order("b", [])))).Name);
        Assert.Equal((2, 2, 0, 0, 0L), (pool.Status.Workers, pool.Status.Ready, pool.Status.Queued, pool.Status.Running, pool.Status.Failed));
        Assert.Equal(603, pool.Status.Succeeded);
    }

    [Fact]
    public async Task Items_ThatThrow_KeepTheirExceptionAndAreNotTriedAgain()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("runs");
        await using var open = File.OpenRead(typeof(WorkerPoolScenarioTests).Assembly.Location);
        await using var pool = new WorkerPool(Client, 1, options: new WorkerPoolOptions { NamePrefix = "w" });

        var error = await Assert.ThrowsAsync<TimeoutException>(() => pool.SubmitAsync(void () =>
        {
            File.AppendAllText(file, "x");
            throw new TimeoutException("mine");
        }).WaitAsync(s_patience));
        var unwritable = await Assert.ThrowsAsync<InvalidOperationException>(() => pool.SubmitAsync(() => new string('x', 17 << 20)).WaitAsync(s_patience));
        var unsendable = Assert.Throws<JobRequestException>(() => { _ = pool.SubmitAsync(() => open.Length); });

        Assert.Equal("mine", error.Message);
        Assert.Contains(nameof(WorkerPoolScenarioTests), error.StackTrace, StringComparison.Ordinal);
        Assert.Equal("x", await File.ReadAllTextAsync(file));
        Assert.Contains("(16 MiB) can travel", unwritable.Message, StringComparison.Ordinal);
        Assert.Contains("'open'", unsendable.Message, StringComparison.Ordinal);
        Assert.Equal(1, await pool.SubmitAsync(() => 1)); // the worker is unharmed
        var failed = await Assert.ThrowsAsync<DivideByZeroException>(() => pool.MapAsync(item => 10 / item, new[] { 5, 0, 1 }));
        Assert.Equal("Attempted to divide by zero.", failed.Message);
        Assert.Equal(0, pool.Status.RunAgain);
    }

    [Fact]
    public async Task Map_OfAStream_KeepsTheOrderAndTakesOnlyWhatIsKeptUpWith()
    {
        await using var pool = new WorkerPool(Client, 1, options: new WorkerPoolOptions { Prefetch = 4 });
        var taken = 0;
        async IAsyncEnumerable<int> ItemsAsync()
        {
            while (true)
            {
                await Task.Yield();
                yield return taken++;
            }
        }

        var results = new List<int>();
        await foreach (var result in pool.MapAsync(item => item + 1, ItemsAsync()))
        {
            results.Add(result);
            Assert.InRange(taken, results.Count, results.Count + 8);
            if (results.Count == 100)
            {
                break;
            }
        }

        Assert.Equal(Enumerable.Range(1, 100), results);
        Assert.Equal(1, await pool.SubmitAsync(() => 1).WaitAsync(s_patience)); // what was under way does not hold the pool
    }

    [Fact]
    public async Task Items_BehindASlowOne_GoToTheOtherWorker()
    {
        using var directory = new TemporaryDirectory();
        var go = directory.File("go");
        await using var pool = new WorkerPool(Client, 2);
        await pool.WaitForWorkersAsync();
        await pool.MapAsync(item => item, Enumerable.Range(0, 2000)); // both have learnt that items are quick

        var results = pool.MapAsync(
            async (int item) =>
            {
                while (item == 10 && !File.Exists(go))
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
                }

                return item;
            },
            Enumerable.Range(0, 200));
        await Eventually.True(() => pool.Status is { Queued: 0, Running: 1 }, "only the slow one is left");
        await File.WriteAllTextAsync(go, "");

        Assert.Equal(Enumerable.Range(0, 200), await results.WaitAsync(s_patience));
    }

    [Fact]
    public async Task Shutdown_EndsTheJobs_AndFailsWhatHasNotEnded()
    {
        var pool = new WorkerPool(Client, 1);
        await pool.WaitForWorkersAsync();
        var running = pool.SubmitAsync((CancellationToken stopping) => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping));
        var queued = pool.SubmitAsync(() => 1);
        var jobs = pool.Jobs;

        await pool.ShutdownAsync();

        foreach (var item in new Task[] { running, queued })
        {
            var error = await Assert.ThrowsAsync<WorkerPoolException>(() => item.WaitAsync(s_patience));
            Assert.Contains($"{pool.Name} was shut down.", error.Message, StringComparison.Ordinal);
        }

        Assert.Throws<WorkerPoolException>(() => { _ = pool.SubmitAsync(() => 1); });
        await Assert.ThrowsAsync<WorkerPoolException>(() => pool.WaitForWorkersAsync());
        Assert.All(await Client.WaitAsync(jobs, s_patience), job => Assert.Equal(JobState.Killed, job.State));
        await pool.DisposeAsync(); // twice is fine
    }

    /// <summary>The pool's loops belong to the job that made it, even where no context flows into what is started.</summary>
    [Fact]
    public async Task Pool_MadeInAJobUnderSuppressFlow_WorksInTheContextOfThatJob()
    {
        var @namespace = Namespace.Parse($"pool-{Guid.NewGuid():N}");
        var job = await Client.SubmitAsync(
            async () =>
            {
                WorkerPool pool;
                using (ExecutionContext.SuppressFlow())
                {
                    pool = new WorkerPool(FlusterContext.Current.Controller!, 1);
                }

                await using (pool)
                {
                    // The workers register in the job's namespace, and are looked for there.
                    var seen = await pool.MapAsync(_ => (string[])[FlusterContext.Current.JobId.ToString(), FlusterContext.Current.Namespace.ToString()], new[] { 0 });
                    return (string[])[.. seen[0], pool.Jobs[0].ToString()];
                }
            },
            new JobOptions { Namespace = @namespace });

        var seen = await job.ResultAsync(s_patience);

        Assert.Matches($"^{job.Id}/worker-[0-9a-f]{{8}}-0$", seen[0]);
        Assert.Equal((@namespace.ToString(), seen[0]), (seen[1], seen[2]));
    }

    [Fact]
    public async Task Items_ThatAreGivenUp_DoNotRun()
    {
        using var directory = new TemporaryDirectory();
        var (go, ran) = (directory.File("go"), directory.File("ran"));
        await using var pool = new WorkerPool(Client, 1);
        await pool.WaitForWorkersAsync();
        using var stop = new CancellationTokenSource();
        var first = pool.SubmitAsync(async () =>
        {
            while (!File.Exists(go))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
            }
        });
        var second = pool.SubmitAsync(() => File.WriteAllText(ran, ""), stop.Token);

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await File.WriteAllTextAsync(go, "");
        await first.WaitAsync(s_patience);

        Assert.Equal(1, await pool.SubmitAsync(() => 1).WaitAsync(s_patience));
        Assert.False(File.Exists(ran));
    }

    /// <summary>How many items run in one worker's job.</summary>
    private static class Inside
    {
        private static readonly ConcurrentDictionary<JobId, int> s_counts = new();

        public static async Task<int> CountAsync()
        {
            var job = FlusterContext.Current.JobId;
            s_counts.AddOrUpdate(job, 1, static (_, count) => count + 1);
            await Task.Yield();
            var seen = s_counts[job];
            s_counts.AddOrUpdate(job, 0, static (_, count) => count - 1);
            return seen;
        }
    }
}
