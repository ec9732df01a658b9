using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>Lines per second from a job that writes as fast as it can, through worker and controller, to a client that follows. Each line is checked.</summary>
internal sealed class LogRate : Benchmark
{
    private const int Lines = 3_000_000;

    public override string Name => "logs";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!wanted("follow"))
        {
            yield break;
        }

        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken);
        await using var client = cluster.NewClient();
        await FollowAsync(client, Lines / 4, cancellationToken); // warms up all three
        var (rate, right) = await FollowAsync(client, Lines, cancellationToken);
        yield return BenchmarkResult.AtLeast(Name, "follow/rate", rate, "lines/s", 200_000);
        yield return BenchmarkResult.Exactly(Name, "follow/lost", Lines - right, "lines", 0);
    }

    /// <returns>Lines per second from the submit to the last line, and how many came, each in its place.</returns>
    private static async Task<(double Rate, long Right)> FollowAsync(FlusterClient client, int lines, CancellationToken cancellationToken)
    {
        var request = new JobRequest { Name = "seq", Entrypoint = JobEntrypoint.Command("seq", lines.ToString(CultureInfo.InvariantCulture)) };
        var started = Stopwatch.GetTimestamp();
        var job = await client.SubmitAsync(request, cancellationToken);
        var right = 0L;
        await foreach (var line in job.StreamLogs(cancellationToken: cancellationToken))
        {
            if (long.TryParse(line.Text, CultureInfo.InvariantCulture, out var number) && number == right + 1)
            {
                right++;
            }
        }

        return (right / Stopwatch.GetElapsedTime(started).TotalSeconds, right);
    }
}
