using Fluster.Actors;
using Fluster.Cluster;

namespace Samples;

/// <summary>One walk: where the walker stood at each step, whether it went on (or back), and whether it came to the end in time.</summary>
internal sealed record Episode(int[] Cells, bool[] WentOn, bool ReachedEnd);

/// <summary>What one rollout saw in one round.</summary>
internal sealed record Trajectories(int Rollout, IReadOnlyList<Episode> Episodes);

internal interface IRollout
{
    Task<Trajectories> Play(int round, float[] weights);
}

/// <summary>Walks the corridor of the current lesson as the weights say, tells the curriculum how it went and the trainer what it saw.</summary>
internal sealed class Rollout(ICurriculum curriculum) : IRollout
{
    public const string Name = "rollout";

    private const int Episodes = 50;
    private const int SpareSteps = 2;

    public async Task<Trajectories> Play(int round, float[] weights)
    {
        var lesson = await curriculum.CurrentLesson() ?? throw new InvalidOperationException("All lessons have been learned.");
        var index = FlusterContext.Current.TaskIndex;
        var random = new Random(round * 1000 + index); // other walks in each round and rollout, the same ones in each run
        var episodes = Enumerable.Range(0, Episodes).Select(_ => Walk(lesson.Length, weights, random)).ToList();
        await curriculum.Report(episodes.Count(episode => episode.ReachedEnd), episodes.Count);
        return new Trajectories(index, episodes);
    }

    /// <summary>How likely the walker goes on from a cell.</summary>
    public static float ProbabilityOn(float[] weights, int cell) => 1 / (1 + MathF.Exp(-weights[cell]));

    public static async Task ServeAsync()
    {
        // Found in the namespace that all jobs of the training have in common.
        using var curriculum = new ActorClient<ICurriculum>(FlusterContext.Current.Resolver, Curriculum.Name);
        await using var server = new ActorServer();
        server.Register(Name, new Rollout(curriculum.Actor));
        await server.RunAsync();
    }

    private static Episode Walk(int length, float[] weights, Random random)
    {
        var (cells, wentOn) = (new List<int>(), new List<bool>());
        var cell = 0;
        while (cell < length && cells.Count < length + SpareSteps)
        {
            var goesOn = random.NextSingle() < ProbabilityOn(weights, cell);
            cells.Add(cell);
            wentOn.Add(goesOn);
            cell = goesOn ? cell + 1 : Math.Max(0, cell - 1);
        }

        return new Episode([.. cells], [.. wentOn], cell == length);
    }
}
