using Fluster.Actors;
using Fluster.Cluster;

namespace Samples;

internal sealed record TrainingResult(int Rounds, float[] Weights);

/// <summary>
/// The leader of the training: a job that starts the others as its children, which are in its namespace and end with it. In each round it sends its weights to all rollouts, and moves them
/// by what these have seen.
/// </summary>
internal static class Trainer
{
    private const int Rollouts = 2;
    private const int MostRounds = 200;
    private const float Rate = 5;

    public static async Task<TrainingResult> TrainAsync(int lessons, CancellationToken stopping)
    {
        var context = FlusterContext.Current;
        var cluster = context.Controller!;
        await cluster.SubmitAsync(() => Curriculum.ServeAsync(lessons, Rollouts), new JobOptions { Name = Curriculum.Name, Ports = [ActorServer.PortName] }, stopping);
        await cluster.SubmitAsync(() => Rollout.ServeAsync(), new JobOptions { Name = Rollout.Name, Replicas = Rollouts, Ports = [ActorServer.PortName] }, stopping);
        using var curriculum = new ActorClient<ICurriculum>(context.Resolver, Curriculum.Name);
        using var rollouts = new ActorPool<IRollout>(context.Resolver, Rollout.Name);
        await rollouts.WaitForSizeAsync(Rollouts, cancellationToken: stopping);

        var weights = new float[lessons];
        var rounds = 0;
        while (await curriculum.Actor.CurrentLesson() is { } lesson)
        {
            if (++rounds > MostRounds)
            {
                throw new InvalidOperationException($"The walker has not learned its lessons in {MostRounds} rounds.");
            }

            var played = await rollouts.Broadcast(rollout => rollout.Play(rounds, weights)).WaitAllAsync(cancellationToken: stopping);

            // In the order of their numbers, not of their arrival: a sum of floating-point numbers depends on it, and so would the run.
            var episodes = played.Select(result => result.ValueOrThrow()).OrderBy(trajectories => trajectories.Rollout).SelectMany(trajectories => trajectories.Episodes).ToList();
            Console.WriteLine($"round {rounds}: {episodes.Count(episode => episode.ReachedEnd)} of {episodes.Count} walks reached the end of {lesson.Length}");
            weights = Improve(weights, episodes);
        }

        return new TrainingResult(rounds, weights);
    }

    /// <summary>The policy gradient (REINFORCE): what was done in walks better than the average becomes more likely, what was done in worse ones less.</summary>
    private static float[] Improve(float[] weights, List<Episode> episodes)
    {
        var improved = weights.ToArray();
        var average = episodes.Average(episode => episode.ReachedEnd ? 1f : 0f);
        foreach (var episode in episodes)
        {
            var advantage = (episode.ReachedEnd ? 1f : 0f) - average;
            foreach (var (cell, wentOn) in episode.Cells.Zip(episode.WentOn))
            {
                improved[cell] += Rate / episodes.Count * advantage * ((wentOn ? 1f : 0f) - Rollout.ProbabilityOn(weights, cell));
            }
        }

        return improved;
    }
}
