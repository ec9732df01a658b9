using Fluster.Actors;
using Fluster.Cluster;
using Samples;

const int Servers = 3;
const int Weights = 1_000_000; // 4 MB for each server and version; arrays of numbers travel as their memory, not as text

// Several inference servers under one name: predictions go to each in its turn, new weights to all.
return await Modes.RunAsync(args, async (cluster, cancellationToken) =>
{
    var name = $"model-{Guid.NewGuid():N}"; // two runs at a time do not use each other's servers
    var job = await cluster.SubmitAsync(
        () => Model.ServeAsync(name), new JobOptions { Name = "inference", Replicas = Servers, Ports = [ActorServer.PortName] }, cancellationToken);
    try
    {
        using var pool = new ActorPool<IModel>(cluster.Resolver(), name);
        await pool.WaitForSizeAsync(Servers, cancellationToken: cancellationToken);
        for (var version = 1; version <= 2; version++)
        {
            var weights = new float[Weights];
            Array.Fill(weights, version);

            // One result for each server, also for one that failed; here that is the end, because it would predict with the old weights.
            var loaded = await pool.Broadcast(model => model.Load(version, weights)).WaitAllAsync(cancellationToken: cancellationToken);
            Console.WriteLine($"version {version}: {loaded.Count} servers have {loaded.Min(result => result.ValueOrThrow())} weights");

            var predictions = new List<Prediction>();
            for (var call = 0; call < 2 * Servers; call++)
            {
                predictions.Add(await pool.Call().Predict(21));
            }

            foreach (var server in predictions.GroupBy(prediction => prediction.Server).OrderBy(group => group.Key))
            {
                Console.WriteLine($"  server {server.Key} predicts {string.Join(" and ", server.Select(prediction => $"{prediction.Value} (version {prediction.Version})"))}");
            }
        }
    }
    finally
    {
        await job.TerminateAsync(CancellationToken.None);
    }
});
