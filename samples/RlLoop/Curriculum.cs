using Fluster.Actors;

namespace Samples;

/// <summary>A corridor to walk to the end of.</summary>
internal sealed record Lesson(int Length);

internal interface ICurriculum
{
    /// <summary>What is to be learned now; null when everything was.</summary>
    Task<Lesson?> CurrentLesson();

    /// <summary>How one rollout did in one round of it.</summary>
    Task Report(int successes, int episodes);
}

/// <summary>Says what is learned next, by what it hears. All jobs of the training share this one object.</summary>
internal sealed class Curriculum(int lessons, int rollouts) : ICurriculum
{
    public const string Name = "curriculum";

    private const double Mastery = 0.95;

    private int _lesson = 1;
    private int _reports;
    private int _successes;
    private int _episodes;

    public Task<Lesson?> CurrentLesson() => Task.FromResult(_lesson <= lessons ? new Lesson(_lesson) : null);

    public Task Report(int successes, int episodes)
    {
        _successes += successes;
        _episodes += episodes;
        if (++_reports == rollouts) // not before: all rollouts of a round get the same lesson
        {
            _lesson += _successes >= Mastery * _episodes ? 1 : 0;
            (_reports, _successes, _episodes) = (0, 0, 0);
        }

        return Task.CompletedTask;
    }

    public static async Task ServeAsync(int lessons, int rollouts)
    {
        await using var server = new ActorServer();
        server.Register(Name, new Curriculum(lessons, rollouts));
        await server.RunAsync();
    }
}
