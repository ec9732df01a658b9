using System.Runtime.CompilerServices;

namespace Fluster.Benchmarks;

/// <summary>
/// Inputs that the loop takes in a second with 100,000 jobs resident: lives of jobs, from submit to end, through the inbox and back to their
/// callers. The limits are for the loop itself; the same over a database on the disk is reported beside it.
/// </summary>
internal sealed class StepRate : Benchmark
{
    public const int Resident = 100_000;
    public const int Outstanding = 1024;
    private const int Callers = 64;

    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(4);

    public override string Name => "step";

    /// <summary>The rate with a warm loop.</summary>
    public static async Task<double> OutstandingAsync(LoopBench bench, CancellationToken cancellationToken)
    {
        await bench.OutstandingAsync(Outstanding, s_warmUp, cancellationToken);
        return await bench.OutstandingAsync(Outstanding, s_duration, cancellationToken);
    }

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (wanted("outstanding"))
        {
            using var bench = await FilledAsync(null, cancellationToken);
            yield return BenchmarkResult.AtLeast(Name, "outstanding/1024", await OutstandingAsync(bench, cancellationToken), "inputs/s", 100_000);
        }

        if (wanted("awaiting"))
        {
            using var bench = await FilledAsync(null, cancellationToken);
            yield return BenchmarkResult.AtLeast(Name, "awaiting/64", await AwaitingAsync(bench, cancellationToken), "inputs/s", 60_000);
        }

        if (wanted("disk"))
        {
            var directory = Directory.CreateTempSubdirectory("fluster-bench-");
            try
            {
                using var bench = await FilledAsync(directory.FullName, cancellationToken);
                yield return BenchmarkResult.Reported(Name, "disk/1024", await OutstandingAsync(bench, cancellationToken), "inputs/s");
                yield return BenchmarkResult.Reported(Name, "disk/64", await AwaitingAsync(bench, cancellationToken), "inputs/s");
            }
            finally
            {
                directory.Delete(recursive: true);
            }
        }
    }

    private static async Task<LoopBench> FilledAsync(string? directory, CancellationToken cancellationToken)
    {
        var bench = LoopBench.Open(directory);
        await bench.FillAsync(Resident, cancellationToken);
        return bench;
    }

    private static async Task<double> AwaitingAsync(LoopBench bench, CancellationToken cancellationToken)
    {
        await bench.AwaitingAsync(Callers, s_warmUp, cancellationToken);
        return await bench.AwaitingAsync(Callers, s_duration, cancellationToken);
    }
}
