using System.Globalization;
using System.Runtime.CompilerServices;

namespace Fluster.Benchmarks;

/// <summary>
/// What a controller weighs that was started with so many pending jobs, as the system counts its resident memory; and how fast its loop still
/// is with ten times as many.
/// </summary>
internal sealed class MemoryUse : Benchmark
{
    private const int Jobs = 100_000;
    private const int ManyJobs = 1_000_000;

    /// <summary>The start's own garbage and its threads are not what is asked for.</summary>
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(5);

    public override string Name => "memory";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var (jobs, limit) in new[] { (Jobs, 250.0), (ManyJobs, 1536.0) })
        {
            var name = $"resident/{jobs}";
            if (wanted(name))
            {
                yield return BenchmarkResult.Under(Name, name, await ResidentAsync(jobs, cancellationToken), "MiB", limit);
            }
        }

        if (wanted("step"))
        {
            var few = await RateAsync(Jobs, cancellationToken);
            var many = await RateAsync(ManyJobs, cancellationToken);
            yield return BenchmarkResult.RatioAtLeast(Name, $"step/{ManyJobs}", many, "inputs/s", few, 0.5);
        }
    }

    /// <summary>In a process of its own, so that no count finds the other's garbage.</summary>
    public override async Task ServeAsync(string role, CancellationToken cancellationToken)
    {
        using var bench = LoopBench.Open();
        await bench.FillAsync(int.Parse(role, CultureInfo.InvariantCulture), cancellationToken);
        Console.WriteLine((await StepRate.OutstandingAsync(bench, cancellationToken)).ToString(CultureInfo.InvariantCulture));
        await BenchmarkProcess.ParentGoneAsync(cancellationToken);
    }

    private static async Task<double> ResidentAsync(int jobs, CancellationToken cancellationToken)
    {
        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken, withWorker: false, prepare: directory => FillAsync(directory, jobs, cancellationToken));
        await Task.Delay(s_settle, TimeProvider.System, cancellationToken);
        return cluster.ControllerResidentBytes / (double)(1 << 20);
    }

    private static async Task FillAsync(string directory, int jobs, CancellationToken cancellationToken)
    {
        using var bench = LoopBench.Open(directory);
        await bench.FillAsync(jobs, cancellationToken);
    }

    private async Task<double> RateAsync(int jobs, CancellationToken cancellationToken)
    {
        using var process = await BenchmarkProcess.StartAsync(this, jobs.ToString(CultureInfo.InvariantCulture), cancellationToken);
        return double.Parse(process.FirstLine, CultureInfo.InvariantCulture);
    }
}
