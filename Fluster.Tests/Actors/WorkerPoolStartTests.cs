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
