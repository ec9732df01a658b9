using Fluster.Actors;

namespace Samples;

/// <summary>Numbers to look for primes in: from <paramref name="Start"/>, before <paramref name="End"/>.</summary>
internal sealed record NumberRange(int Start, int End);

internal interface ICoordinator
{
    /// <summary>The next range; null when all were given away.</summary>
    Task<NumberRange?> NextTask();

    Task Report(NumberRange range, int primes);

    Task<Outcome> Outcome();
}

internal sealed record Outcome(int Tasks, int Primes);

/// <summary>
/// Gives ranges to whoever asks, and adds up what comes back. Workers pull: one that is fast, or came early, gets more, and nobody has to know how many there are.
/// What a worker fetched and did not report, because it died, is missed in the end; a WorkerPool would give it to another one.
/// </summary>
internal sealed class Coordinator(int limit, int size) : ICoordinator
{
    private int _next;
    private int _tasks;
    private int _primes;

    public Task<NumberRange?> NextTask()
    {
        if (_next >= limit)
        {
            return Task.FromResult<NumberRange?>(null);
        }

        var range = new NumberRange(_next, Math.Min(_next + size, limit));
        _next = range.End;
        return Task.FromResult<NumberRange?>(range);
    }

    public Task Report(NumberRange range, int primes)
    {
        _tasks++;
        _primes += primes;
        return Task.CompletedTask;
    }

    public Task<Outcome> Outcome() => Task.FromResult(new Outcome(_tasks, _primes));

    public static async Task ServeAsync(string name, int limit, int size)
    {
        await using var server = new ActorServer();
        server.Register(name, new Coordinator(limit, size));
        await server.RunAsync();
    }
}
