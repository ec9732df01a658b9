using Fluster.Cluster;
using Samples;

const int Lessons = 6;

// Reinforcement learning with three kinds of jobs: a trainer, rollouts that play for it, and a curriculum that all of them ask and tell.
return await Modes.RunAsync(args, async (cluster, cancellationToken) =>
{
    // A namespace of its own: "curriculum" and "rollout" are those of this run, whoever else runs this, too.
    var options = new JobOptions { Name = "trainer", Namespace = Namespace.Parse($"rl-{Guid.NewGuid():N}") };
    var trainer = await cluster.SubmitAsync(stopping => Trainer.TrainAsync(Lessons, stopping), options, cancellationToken);
    try
    {
        await foreach (var line in trainer.StreamLogs(cancellationToken: cancellationToken))
        {
            Console.WriteLine($"  {line.Text}");
        }

        var result = await trainer.ResultAsync(cancellationToken: cancellationToken);
        Console.WriteLine($"all {Lessons} lessons passed after {result.Rounds} rounds");
        Console.WriteLine($"the walker goes on with {string.Join(", ", result.Weights.Select((_, cell) => $"{Rollout.ProbabilityOn(result.Weights, cell):P0}"))}");
    }
    finally
    {
        await trainer.TerminateAsync(CancellationToken.None); // its children end with it
    }
});
