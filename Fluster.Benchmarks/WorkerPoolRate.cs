using System.Diagnostics;
using System.Runtime.CompilerServices;
using Fluster.Actors;

namespace Fluster.Benchmarks;

/// <summary>Trivial items per second over two workers in processes of their own: one method over many items, and each item submitted by itself.</summary>
internal sealed class WorkerPoolRate : Benchmark
{
    private const int Workers = 2;
    private const int Items = 400_000;
    private const int Repeats = 3;

    public override string Name => "worker-pool";

    // Many small objects in the process that submits: a larger youngest generation, as in rpc-unary.
    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["DOTNET_GCgen0size"] = "0x4000000",
    };

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken);
        await using var client = cluster.NewClient();
        await using var pool = new WorkerPool(client, Workers);
        await pool.WaitForWorkersAsync(cancellationToken: cancellationToken);
        if (wanted("map"))
        {
            yield return BenchmarkResult.AtLeast(Name, "map/rate", await MedianAsync(() => MapAsync(pool, cancellationToken)), "items/s", 40_000);
        }

        if (wanted("submit"))
        {
            yield return BenchmarkResult.Reported(Name, "submit/rate", await MedianAsync(() => SubmitAsync(pool, cancellationToken)), "items/s");
        }

        if (wanted("latency"))
        {
            var times = await OneByOneAsync(pool, cancellationToken);
            yield return BenchmarkResult.Reported(Name, "latency/p50", Load.Percentile(times, 50), "ms");
            yield return BenchmarkResult.Reported(Name, "latency/p99", Load.Percentile(times, 99), "ms");
        }
    }

    private static async Task<double> MedianAsync(Func<Task<double>> run)
    {
        await run(); // warms up all three
        var rates = new List<double>();
        for (var repeat = 0; repeat < Repeats; repeat++)
        {
            rates.Add(await run());
        }

        return rates.Order().ElementAt(Repeats / 2);
    }

    private static async Task<double> MapAsync(WorkerPool pool, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var results = await pool.MapAsync(static item => item + 1, Enumerable.Range(0, Items), cancellationToken);
        var rate = Items / Stopwatch.GetElapsedTime(started).TotalSeconds;
        return results.Select((result, index) => result == index + 1).All(right => right) ? rate : throw new InvalidOperationException("A result is not its item's.");
    }

    private static async Task<double> SubmitAsync(WorkerPool pool, CancellationToken cancellationToken)
    {
        const int Count = Items / 10;
        var started = Stopwatch.GetTimestamp();
        var results = await Task.WhenAll(Enumerable.Range(0, Count).Select(item => pool.SubmitAsync(() => item + 1, cancellationToken)));
        var rate = Count / Stopwatch.GetElapsedTime(started).TotalSeconds;
        return results.Select((result, index) => result == index + 1).All(right => right) ? rate : throw new InvalidOperationException("A result is not its item's.");
    }

    private static async Task<List<double>> OneByOneAsync(WorkerPool pool, CancellationToken cancellationToken)
    {
        var times = new List<double>();
        for (var item = 0; item < 3_000; item++)
        {
            var started = Stopwatch.GetTimestamp();
            await pool.SubmitAsync(() => item + 1, cancellationToken);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return times[1_000..];
    }
}
