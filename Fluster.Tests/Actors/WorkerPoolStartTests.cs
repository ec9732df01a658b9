using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Worker pools whose workers cannot be started.</summary>
public sealed class WorkerPoolStartTests
{
    [Fact]
    public void Pool_LargerThanTheLocalClient_IsRefusedNamingTheLimit()
    {
        var client = new LocalClient(new LocalClientOptions { MaxTasks = 3 });

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(client, 4));

        Assert.StartsWith("This LocalClient runs 3 tasks at a time", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new WorkerPool(client, 1, options: new WorkerPoolOptions { NamePrefix = "No" }));
    }

    [Fact]
    public async Task WaitForWorkers_LongerThanItMay_SaysHowManyThereAreAndWhatKeepsAnother()
    {
        await using var client = new LocalClient(new LocalClientOptions { MaxTasks = 1 });
        var blocker = await client.SubmitAsync(TestCluster.Bash("sleep 600"));
        await using var pool = new WorkerPool(client, 1, options: new WorkerPoolOptions { NamePrefix = "w" });
        await Eventually.True(() => pool.Jobs.Count == 1, "Its job was not submitted.");

        var error = await Assert.ThrowsAsync<TimeoutException>(() => pool.WaitForWorkersAsync(timeout: TimeSpan.FromMilliseconds(100)));

        Assert.Equal($"0 of 1 workers of {pool.Name} are ready after 0.1 s. {pool.Jobs[0]} is Pending: All 1 places of this LocalClient are taken.", error.Message);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => pool.WaitForWorkersAsync(2));
        await blocker.TerminateAsync();
        await pool.WaitForWorkersAsync();
        Assert.Equal("w-0", (await client.EndpointRegistry.ListAsync(Namespace.Default, pool.Name + ":")).Single().Name[(pool.Name.Length + 1)..]);
    }

    [Fact]
    public async Task Pool_WhoseJobsCannotBeSubmitted_FailsItsItemsAndSaysWhy()
    {
        await using var client = new LocalClient();
        await using var pool = new WorkerPool(client, 2, options: new WorkerPoolOptions { Environment = new JobEnvironment { WorkingFiles = "/no/such/directory" } });

        var waiting = await Assert.ThrowsAsync<WorkerPoolException>(() => pool.WaitForWorkersAsync());

        Assert.Equal($"All workers of {pool.Name} are dead: The working files '/no/such/directory' are not a directory.", waiting.Message);
        await Assert.ThrowsAsync<WorkerPoolException>(async () => await pool.SubmitAsync(() => 1));
        Assert.Equal((2, 0, 2), (pool.Status.Workers, pool.Status.Ready, pool.Status.Dead));
    }
}
