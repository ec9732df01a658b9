using System.Runtime.CompilerServices;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>
/// Calls of an actor in this process, served by a job of a <see cref="LocalClient"/>: no socket is between, but arguments and results are written
/// and read as everywhere. "per-core" is calls by the processor time of the whole process, caller and actor: it stays the same when others use the machine.
/// </summary>
internal sealed class LocalActorCalls : Benchmark
{
    private const string ActorName = "echo";
    private const int Bytes = 16;
    private const int Rounds = 7;

    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(1);

    public override string Name => "actor-local";

    // The runtime's default, which this project switches off: until it is warm, code is slower for it. Calls that never leave the process are warm soon, and
    // a third of them hangs on it.
    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_TieredPGO"] = "1" };

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var local = new LocalClient();
        var job = await local.SubmitAsync((CancellationToken stopping) => ServeActorAsync(stopping), cancellationToken: cancellationToken);
        using var client = new ActorClient<IEchoActor>(local.Resolver(), ActorName);
        var argument = new byte[Bytes];
        var point = new Point(1, 2, "three");
        (string Name, Func<Task> Call, double? Limit)[] kinds =
        [
            ("bytes", () => client.Actor.Echo(argument), 500_000),
            ("json", () => client.Actor.Json(point), null),
        ];
        foreach (var (kind, call, limit) in kinds)
        {
            var isWarm = false;
            foreach (var (inFlight, name) in new[] { (1, $"{kind}-sequential"), (64, $"{kind}-64") })
            {
                if (!wanted(name))
                {
                    continue;
                }

                if (!isWarm)
                {
                    await Load.CallsPerSecondAsync(call, 64, s_warmUp, cancellationToken);
                    isWarm = true;
                }

                await Load.CallsPerSecondAsync(call, inFlight, s_round, cancellationToken);
                var (rate, perCore, allocated) = await MediansAsync(call, inFlight, cancellationToken);
                yield return BenchmarkResult.Reported(Name, $"{name}/rate", rate, "calls/s");
                yield return limit is { } least
                    ? BenchmarkResult.AtLeast(Name, $"{name}/per-core", perCore, "calls/s of processor time", least)
                    : BenchmarkResult.Reported(Name, $"{name}/per-core", perCore, "calls/s of processor time");
                yield return BenchmarkResult.Reported(Name, $"{name}/allocated", allocated, "B/call");
            }
        }

        await job.TerminateAsync(cancellationToken: cancellationToken);
    }

    private static async Task ServeActorAsync(CancellationToken stopping)
    {
        await using var server = new ActorServer();
        server.Register(ActorName, new EchoActor());
        await server.RunAsync(stopping);
    }

    private static async Task<(double Rate, double PerCore, double Allocated)> MediansAsync(Func<Task> call, int inFlight, CancellationToken cancellationToken)
    {
        var (rates, perCore, allocated) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            var (processor, bytes, start) = (System.Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(), TimeProvider.System.GetTimestamp());
            var rate = await Load.CallsPerSecondAsync(call, inFlight, s_round, cancellationToken);
            var calls = rate * TimeProvider.System.GetElapsedTime(start).TotalSeconds;
            rates.Add(rate);
            perCore.Add(calls / (System.Environment.CpuUsage.TotalTime - processor).TotalSeconds);
            allocated.Add((GC.GetTotalAllocatedBytes() - bytes) / calls);
        }

        return (Load.Median(rates), Load.Median(perCore), Load.Median(allocated));
    }
}
