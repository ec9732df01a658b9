using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>How long after a job's last breath a wait for it returns. The last thing that each job does is to print the time.</summary>
internal sealed class WaitLatency : Benchmark
{
    private const int WarmUps = 10;
    private const int Runs = 200;

    public override string Name => "wait-latency";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!wanted("command"))
        {
            yield break;
        }

        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken);
        await using var client = cluster.NewClient();
        var times = new List<double>();
        for (var run = -WarmUps; run < Runs; run++)
        {
            // Long enough that the wait is there before the end.
            var job = await client.SubmitAsync(new JobRequest { Name = "date", Entrypoint = JobEntrypoint.Command("sh", "-c", "sleep 0.1; exec date +%s%N") }, cancellationToken);
            await job.WaitAsync(throwOnFailure: true, cancellationToken: cancellationToken);
            var returned = TimeProvider.System.GetUtcNow();
            if (run >= 0)
            {
                times.Add((returned - await SubmitLatency.PrintedTimeAsync(job, cancellationToken)).TotalMilliseconds);
            }
        }

        yield return BenchmarkResult.Reported(Name, "command/p50", Load.Percentile(times, 50), "ms");
        yield return BenchmarkResult.Under(Name, "command/p99", Load.Percentile(times, 99), "ms", 50);
    }
}
