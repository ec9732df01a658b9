using System.Diagnostics;
using Fluster.Controller;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Benchmarks;

/// <summary>The controller's loop in this process, over a database or over nothing.</summary>
internal sealed class LoopBench : IDisposable
{
    private const int Workers = 128;
    private const int FillAtOnce = 1024;

    private readonly OpenedCluster? _opened;
    private readonly long[] _workers = new long[Workers];

    private LoopBench(OpenedCluster? opened)
    {
        _opened = opened;
        Loop = new ClusterLoop(
            opened?.State ?? new ClusterState { Meta = new ClusterMeta { ClusterId = Guid.NewGuid().ToString("N"), Epoch = 1 } },
            new JobDirectory(),
            opened?.Store ?? (IBatchStore)new NoStore(),
            new LeaseSettings(),
            TimeProvider.System,
            exception => Environment.FailFast("The loop failed.", exception),
            NullLogger<ClusterLoop>.Instance);
        Loop.Start(_ => { });
    }

    public ClusterLoop Loop { get; }

    /// <param name="directory">Where the database is; null: nothing is written.</param>
    public static LoopBench Open(string? directory = null) => new(directory is null ? null : OpenedCluster.Open(directory));

    /// <summary>Submits jobs that nobody places.</summary>
    public async Task FillAsync(int jobs, CancellationToken cancellationToken)
    {
        var waiting = new Queue<Task>();
        for (var i = 0; i < jobs; i++)
        {
            waiting.Enqueue(Loop.SubmitAsync(JobLives.NewSubmit(), cancellationToken));
            if (waiting.Count >= FillAtOnce)
            {
                await waiting.Dequeue();
            }
        }

        await Task.WhenAll(waiting);
    }

    /// <summary>Jobs that were submitted, placed, run and ended.</summary>
    public async Task LiveAsync(int jobs, CancellationToken cancellationToken)
    {
        const int InputsPerLife = 4;
        foreach (var some in Enumerable.Range(0, jobs).Chunk(FillAtOnce))
        {
            var lives = await LivesAsync(some.Length, cancellationToken);
            for (var input = 0; input < InputsPerLife; input++)
            {
                await Task.WhenAll(lives.Select(life => life.NextAsync(cancellationToken)));
            }
        }
    }

    /// <summary>One producer that keeps so many inputs under way and looks at the oldest first.</summary>
    public async Task<double> OutstandingAsync(int outstanding, TimeSpan duration, CancellationToken cancellationToken)
    {
        var lives = await LivesAsync(outstanding, cancellationToken);
        var pending = new Task[outstanding];
        Array.Fill(pending, Task.CompletedTask);
        var answered = 0L;
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < duration)
        {
            for (var i = 0; i < outstanding; i++)
            {
                await pending[i];
                pending[i] = lives[i].NextAsync(cancellationToken);
                answered++;
            }
        }

        await Task.WhenAll(pending);
        return answered / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>So many callers, each of which waits for its answer before it goes on.</summary>
    public async Task<double> AwaitingAsync(int callers, TimeSpan duration, CancellationToken cancellationToken)
    {
        var lives = await LivesAsync(callers, cancellationToken);
        var started = Stopwatch.GetTimestamp();
        var answered = await Task.WhenAll(lives.Select(life => Task.Run(() => CallAsync(life), cancellationToken)));
        return answered.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;

        async Task<long> CallAsync(JobLives life)
        {
            var count = 0L;
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                await life.NextAsync(cancellationToken);
                count++;
            }

            return count;
        }
    }

    public void Dispose()
    {
        Loop.Dispose();
        _opened?.Dispose();
    }

    private async Task<JobLives[]> LivesAsync(int count, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Workers && _workers[i] == 0; i++)
        {
            _workers[i] = (await Loop.ApplyAsync(JobLives.NewWorker(i), cancellationToken)).Subject;
        }

        return [.. Enumerable.Range(0, count).Select(i => new JobLives(Loop, _workers[i % Workers]))];
    }

    /// <summary>A disk that costs nothing: what is measured is the loop.</summary>
    private sealed class NoStore : IBatchStore
    {
        public void Commit(Batch batch, ClusterMeta meta, Func<long, bool> isNew)
        {
        }
    }
}
