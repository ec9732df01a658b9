using Fluster.Actors;
using Fluster.Cluster;
using Samples;

const int Workers = 3;
const int Limit = 100_000;
const int TaskSize = 5_000;

// Counts primes: a coordinator has the tasks, workers fetch them from it, one after the other, until there are none.
return await Modes.RunAsync(args, async (cluster, cancellationToken) =>
{
    var run = Guid.NewGuid().ToString("N"); // two runs at a time do not mix
    var (coordinatorName, workerName) = ($"coordinator-{run}", $"worker-{run}");
    var jobs = new List<JobHandle>();
    try
    {
        jobs.Add(await cluster.SubmitAsync(
            () => Coordinator.ServeAsync(coordinatorName, Limit, TaskSize), new JobOptions { Name = "coordinator", Ports = [ActorServer.PortName] }, cancellationToken));
        jobs.Add(await cluster.SubmitAsync(
            () => Worker.ServeAsync(workerName), new JobOptions { Name = "worker", Replicas = Workers, Ports = [ActorServer.PortName] }, cancellationToken));

        // All workers have one name, and so they are a pool.
        using var workers = new ActorPool<IWorker>(cluster.Resolver(), workerName);
        await workers.WaitForSizeAsync(Workers, cancellationToken: cancellationToken);
        var shares = await workers.Broadcast(worker => worker.Work(coordinatorName, cancellationToken)).WaitAllAsync(cancellationToken: cancellationToken);
        var done = shares.Select(result => result.ValueOrThrow()).ToList();

        using var coordinator = new ActorClient<ICoordinator>(cluster.Resolver(), coordinatorName);
        var outcome = await coordinator.Actor.Outcome();
        Console.WriteLine($"{outcome.Tasks} tasks, done by {Workers} workers: {string.Join(" + ", done)} = {done.Sum()}");
        Console.WriteLine($"primes below {Limit}: {outcome.Primes}");
    }
    finally
    {
        foreach (var job in jobs)
        {
            await job.TerminateAsync(CancellationToken.None);
        }
    }
});
