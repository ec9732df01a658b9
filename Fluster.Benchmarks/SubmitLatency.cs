using System.Globalization;
using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>
/// How long it takes from the call of Submit to the first line of the job's own code: placement, link, process start. One job at a time,
/// its bundle already on the worker, on a machine that does nothing else.
/// </summary>
internal sealed class SubmitLatency : Benchmark
{
    private const int WarmUps = 10;
    private const int Runs = 100;

    public override string Name => "submit-latency";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken);
        await using var client = cluster.NewClient();
        if (wanted("command"))
        {
            var times = await MeasureAsync(() => CommandAsync(client, cancellationToken));
            yield return BenchmarkResult.Under(Name, "command/p50", Load.Percentile(times, 50), "ms", 60);
            yield return BenchmarkResult.Reported(Name, "command/p99", Load.Percentile(times, 99), "ms");
        }

        if (wanted("dotnet"))
        {
            var times = await MeasureAsync(() => DotnetAsync(client, cancellationToken));
            yield return BenchmarkResult.Under(Name, "dotnet/p50", Load.Percentile(times, 50), "ms", 200);
            yield return BenchmarkResult.Under(Name, "dotnet/p99", Load.Percentile(times, 99), "ms", 600);
        }
    }

    private static async Task<List<double>> MeasureAsync(Func<Task<TimeSpan>> run)
    {
        var times = new List<double>();
        for (var number = -WarmUps; number < Runs; number++)
        {
            var time = await run();
            if (number >= 0)
            {
                times.Add(time.TotalMilliseconds);
            }
        }

        return times;
    }

    // The program prints the time of day as the first thing it does.
    private static async Task<TimeSpan> CommandAsync(FlusterClient client, CancellationToken cancellationToken)
    {
        var submitted = TimeProvider.System.GetUtcNow();
        var job = await client.SubmitAsync(new JobRequest { Name = "date", Entrypoint = JobEntrypoint.Command("date", "+%s%N") }, cancellationToken);
        await job.WaitAsync(throwOnFailure: true, cancellationToken: cancellationToken);
        return await PrintedTimeAsync(job, cancellationToken) - submitted;
    }

    private static async Task<TimeSpan> DotnetAsync(FlusterClient client, CancellationToken cancellationToken)
    {
        var submitted = TimeProvider.System.GetUtcNow();
        var job = await client.SubmitAsync(() => TimeProvider.System.GetUtcNow(), cancellationToken: cancellationToken);
        return await job.ResultAsync(cancellationToken: cancellationToken) - submitted;
    }

    /// <summary>The time that a job printed by <c>date +%s%N</c>.</summary>
    public static async Task<DateTimeOffset> PrintedTimeAsync(JobHandle job, CancellationToken cancellationToken)
    {
        await foreach (var line in job.StreamLogs(cancellationToken: cancellationToken))
        {
            return DateTimeOffset.UnixEpoch.AddTicks(long.Parse(line.Text, CultureInfo.InvariantCulture) / TimeSpan.NanosecondsPerTick);
        }

        throw new InvalidOperationException($"{job} printed nothing.");
    }
}
