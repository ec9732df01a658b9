using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Worker pools whose workers die: as processes of a real cluster.</summary>
public sealed class WorkerPoolTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    private FlusterClient Client => shared.Cluster.Client;

    [Fact]
    public async Task Item_ThatKillsEveryWorker_FailsAfterThree_AndTheOthersReturn()
    {
        await using var pool = new WorkerPool(Client, 2);
        await pool.WaitForWorkersAsync(timeout: s_patience);
        await pool.MapAsync(item => item, Enumerable.Range(0, 1000)); // quick ones: each worker has many at hand

        var results = pool.MapAsync(item => item * 2, Enumerable.Range(0, 2000));
        var poison = pool.SubmitAsync(() => Environment.Exit(9));
        var more = pool.MapAsync(item => item * 3, Enumerable.Range(0, 2000));

        var error = await Assert.ThrowsAsync<WorkerPoolException>(() => poison.WaitAsync(s_patience));
        Assert.Contains("was running on 3 workers when they died", error.Message, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(0, 2000).Select(item => item * 2), await results.WaitAsync(s_patience));
        Assert.Equal(Enumerable.Range(0, 2000).Select(item => item * 3), await more.WaitAsync(s_patience));
        await pool.WaitForWorkersAsync(timeout: s_patience); // the dead were replaced
        Assert.Equal(4, await pool.SubmitAsync(() => 4).WaitAsync(s_patience));
    }

    [Fact]
    public async Task Item_WhoseWorkerIsLost_RunsAgainOnAnother()
    {
        using var directory = new TemporaryDirectory();
        var marker = directory.File("once");
        await using var pool = new WorkerPool(Client, 2);

        var result = await pool.SubmitAsync(() =>
        {
            if (!File.Exists(marker))
            {
                File.WriteAllText(marker, "");
                Environment.FailFast(null);
            }

            return FlusterContext.Current.JobId.ToString();
        }).WaitAsync(s_patience);

        Assert.StartsWith("worker-", result, StringComparison.Ordinal);
        Assert.Equal((1L, 1L, 0L), (pool.Status.RunAgain, pool.Status.Succeeded, pool.Status.Failed));
    }

    [Fact]
    public async Task Item_AtMostOnce_WhoseWorkerIsLost_HasAnUnknownOutcomeAndDoesNotRunAgain()
    {
        using var directory = new TemporaryDirectory();
        var runs = directory.File("runs");
        await using var pool = new WorkerPool(Client, 1, options: new WorkerPoolOptions { AtMostOnce = true });

        var item = pool.SubmitAsync(() =>
        {
            File.AppendAllText(runs, "x");
            Environment.FailFast(null);
        });
        var next = pool.SubmitAsync(() => 5); // nothing of it has begun, and it runs on the next worker

        await Assert.ThrowsAsync<OutcomeUnknownException>(() => item.WaitAsync(s_patience));
        Assert.Equal(5, await next.WaitAsync(s_patience));
        Assert.Equal("x", await File.ReadAllTextAsync(runs));
    }

    [Fact]
    public async Task Job_OfAWorkerIsTerminated_WhatItHadNotBegunIsNotToBlame()
    {
        using var directory = new TemporaryDirectory();
        var go = directory.File("go");
        await using var pool = new WorkerPool(Client, 1);
        await pool.WaitForWorkersAsync(timeout: s_patience);
        var first = pool.Jobs[0];
        var interrupted = pool.SubmitAsync(async (CancellationToken stopping) =>
        {
            while (!File.Exists(go))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, stopping);
            }

            return FlusterContext.Current.JobId.ToString();
        });
        await Eventually.True(() => pool.Status.Running == 1, "the item runs");

        await Client.TerminateAsync(first);
        await Client.WaitAsync(first, s_patience);
        await File.WriteAllTextAsync(go, "");

        Assert.NotEqual(first.ToString(), await interrupted.WaitAsync(s_patience));
        Assert.Equal(0, pool.Status.Failed);
    }

    /// <summary>A program that is no job serves under a registration, and takes the cluster's tokens.</summary>
    [Fact]
    public async Task ActorServer_OutsideAJob_IsFoundThroughItsRegistration()
    {
        await using var registration = await Client.EndpointRegistry.OpenRegistrationAsync();
        await using var server = new ActorServer(new ActorServerOptions
        {
            Registration = registration,
            ClusterKey = shared.Cluster.Controller.ClusterKeyPem,
        });
        server.Register("outside", new ActorPoolTests.Counter(3));
        await server.StartAsync();
        using var client = new ActorClient<ActorPoolTests.ICounter>(Client.Resolver(), "outside");

        Assert.Equal(3, await client.Actor.Get());
        var seen = await Client.SubmitAsync(async () =>
        {
            using var inside = new ActorClient<ActorPoolTests.ICounter>(FlusterContext.Current.Resolver, "outside");
            return await inside.Actor.Increment();
        });
        Assert.Equal(4, await seen.ResultAsync(s_patience));
        await server.StopAsync();
        Assert.True((await Client.Resolver().ResolveAsync("outside")).IsEmpty);
    }
}
