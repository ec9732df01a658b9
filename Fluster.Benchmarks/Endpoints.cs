using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>Registering 100,000 endpoints with the store on disk, and looking names up among them, both through RPC.</summary>
internal sealed class Endpoints : Benchmark
{
    private const int Registrations = 100;
    private const int OfEach = 1_000;
    private const int Registering = 64;
    private const int LookingUp = 16;
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(10);

    public override string Name => "endpoints";

    // A client for many callers keeps a larger youngest generation, as in rpc-unary.
    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["DOTNET_GCgen0size"] = "0x4000000",
    };

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken);
        await using var client = cluster.NewClient();
        var registrations = await Task.WhenAll(Enumerable.Range(0, Registrations).Select(_ => client.EndpointRegistry.OpenRegistrationAsync(cancellationToken: cancellationToken)));

        // Always: the look-ups need them.
        var perSecond = await RegisterAsync(registrations, cancellationToken);
        if (wanted("register"))
        {
            yield return new BenchmarkResult(Name, $"register/{Registering}", Math.Round(perSecond), "calls/s", Baseline: null, Ratio: null, Limit: 6_000, perSecond >= 6_000);
        }

        if (wanted("lookup"))
        {
            await LookUpAsync(client, s_warmUp, cancellationToken);
            var times = await LookUpAsync(client, s_duration, cancellationToken);
            yield return BenchmarkResult.Under(Name, $"lookup/{LookingUp}/p99", Load.Percentile(times, 99), "ms", 1);
            yield return BenchmarkResult.Reported(Name, $"lookup/{LookingUp}/p50", Load.Percentile(times, 50), "ms");
            yield return BenchmarkResult.Reported(Name, $"lookup/{LookingUp}/rate", times.Count / s_duration.TotalSeconds, "calls/s");
        }
    }

    private static async Task<double> RegisterAsync(IEndpointRegistration[] registrations, CancellationToken cancellationToken)
    {
        var next = -1;
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Registering).Select(_ => Task.Run(
            async () =>
            {
                for (var number = Interlocked.Increment(ref next); number < Registrations * OfEach; number = Interlocked.Increment(ref next))
                {
                    await registrations[number % Registrations].RegisterAsync(NameOf(number), "10.0.0.1:30000", cancellationToken: cancellationToken);
                }
            },
            cancellationToken)));
        return Registrations * OfEach / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<IReadOnlyCollection<double>> LookUpAsync(FlusterClient client, TimeSpan duration, CancellationToken cancellationToken)
    {
        var all = new ConcurrentBag<List<double>>();
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, LookingUp).Select(caller => Task.Run(
            async () =>
            {
                var times = new List<double>();
                for (var number = caller; Stopwatch.GetElapsedTime(start) < duration; number = (number + 7_919) % (Registrations * OfEach))
                {
                    var asked = Stopwatch.GetTimestamp();
                    var found = await client.EndpointRegistry.LookupAsync(Namespace.Default, NameOf(number), cancellationToken);
                    times.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
                    if (found.Count != 1)
                    {
                        throw new InvalidOperationException($"{NameOf(number)} leads to {found.Count} endpoints.");
                    }
                }

                all.Add(times);
            },
            cancellationToken)));
        return [.. all.SelectMany(times => times)];
    }

    private static string NameOf(int number) => $"service-{number:d6}";
}
