using System.Runtime.CompilerServices;

namespace Fluster.Benchmarks;

/// <summary>How long a controller with 100,000 jobs that was killed is away: from the start of its process to the first answer to a call with a token.</summary>
internal sealed class RestartTime : Benchmark
{
    private const int Jobs = 100_000;
    private const int Runs = 7;

    public override string Name => "restart";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!wanted("killed"))
        {
            yield break;
        }

        // Half of them pending, half of them ended, with their tasks and attempts.
        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken, withWorker: false, prepare: async directory =>
        {
            using var bench = LoopBench.Open(directory);
            await bench.FillAsync(Jobs / 2, cancellationToken);
            await bench.LiveAsync(Jobs / 2, cancellationToken);
        });
        var times = new List<double>();
        var processor = new List<double>();
        for (var run = 0; run < Runs; run++)
        {
            times.Add((await cluster.RestartControllerAsync(cancellationToken)).TotalSeconds);
            processor.Add(cluster.ControllerProcessorTime.TotalSeconds);
        }

        yield return BenchmarkResult.Under(Name, $"killed/{Jobs}", Load.Median(times), "s", 2);
        yield return BenchmarkResult.Reported(Name, "killed/worst", times.Max(), "s");
        yield return BenchmarkResult.Reported(Name, "killed/processor", Load.Median(processor), "s of processor");
    }
}
