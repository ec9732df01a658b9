using System.Diagnostics;
using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>
/// Submits that a controller with its store on the disk acknowledges in a second, and how long each takes: 64 callers over gRPC. The same
/// over a connection for each of them is reported beside it.
/// </summary>
internal sealed class SubmitRate : Benchmark
{
    private const int Callers = 64;

    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(8);
    private static readonly JobRequest s_request = new() { Name = "job", Entrypoint = JobEntrypoint.Command("true") };

    public override string Name => "submit";

    // A client for many callers keeps a larger youngest generation, as in rpc-unary.
    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["DOTNET_GCgen0size"] = "0x4000000",
    };

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var (name, connections, limited) in new[] { ("one-connection", 1, true), ("64-connections", Callers, false) })
        {
            if (!wanted(name))
            {
                continue;
            }

            await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken, withWorker: false);
            var clients = Enumerable.Range(0, connections).Select(_ => cluster.NewClient()).ToArray();
            try
            {
                await SubmitAsync(clients, s_warmUp, cancellationToken);
                var (controllerBefore, ownBefore) = (cluster.ControllerProcessorTime, System.Environment.CpuUsage.TotalTime);
                var (rate, times) = await SubmitAsync(clients, s_duration, cancellationToken);
                yield return BenchmarkResult.Reported(Name, $"{name}/controller", (cluster.ControllerProcessorTime - controllerBefore).TotalMicroseconds / times.Count, "us of processor per submit");
                yield return BenchmarkResult.Reported(Name, $"{name}/clients", (System.Environment.CpuUsage.TotalTime - ownBefore).TotalMicroseconds / times.Count, "us of processor per submit");
                yield return limited
                    ? BenchmarkResult.AtLeast(Name, $"{name}/rate", rate, "submits/s", 8_000)
                    : BenchmarkResult.Reported(Name, $"{name}/rate", rate, "submits/s");
                yield return BenchmarkResult.Reported(Name, $"{name}/p50", Load.Percentile(times, 50), "ms");
                yield return limited
                    ? BenchmarkResult.Under(Name, $"{name}/p99", Load.Percentile(times, 99), "ms", 20)
                    : BenchmarkResult.Reported(Name, $"{name}/p99", Load.Percentile(times, 99), "ms");
            }
            finally
            {
                foreach (var client in clients)
                {
                    await client.DisposeAsync();
                }
            }
        }
    }

    private static async Task<(double Rate, List<double> Milliseconds)> SubmitAsync(FlusterClient[] clients, TimeSpan duration, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var times = await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(() => CallAsync(clients[caller % clients.Length]), cancellationToken)));
        var took = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var all = times.SelectMany(list => list).ToList();
        return (all.Count / took, all);

        async Task<List<double>> CallAsync(FlusterClient client)
        {
            var mine = new List<double>();
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                var sent = Stopwatch.GetTimestamp();
                await client.SubmitAsync(s_request, cancellationToken);
                mine.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }

            return mine;
        }
    }
}
