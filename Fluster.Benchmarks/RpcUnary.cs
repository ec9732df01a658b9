using System.Runtime.CompilerServices;
using Fluster.Rpc;
using Google.Protobuf;

namespace Fluster.Benchmarks;

/// <summary>Unary gRPC calls against the same bytes as a bare HTTP/2 POST to the same Kestrel: what the RPC layer costs.</summary>
internal sealed class RpcUnary : Benchmark
{
    // The first cell of a cold process shows a third of what it does later.
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(6);

    // Many short ones: what else the machine does falls on both sides.
    private static readonly TimeSpan s_round = TimeSpan.FromMilliseconds(300);
    private const int Rounds = 24;
    private const int LonelyRounds = 60; // one call in flight is all wake-ups, whose times differ most

    // How much of the bare POST's throughput must be left; what the published libraries reach on two cores, less a margin.
    private static readonly (int InFlight, double Limit)[] s_cells = [(1, 0.80), (16, 0.70), (64, 0.52), (256, 0.65)];

    public override string Name => "rpc-unary";

    // The shared array pool keeps 32 arrays per core and size by default, fewer than there are calls in flight. A youngest generation of
    // 64 MiB instead of the size of the processor's cache: collections are several times rarer. For both sides alike.
    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION"] = "512",
        ["DOTNET_GCgen0size"] = "0x4000000",
    };

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(
        Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var server = await BenchmarkProcess.StartAsync(this, "server", cancellationToken);
        using var channel = RpcChannel.ForAddress(new Uri(server.FirstLine));
        using var http = EchoWeb.Http(server.FirstLine);
        var client = new EchoService.EchoServiceClient(channel);

        var warm = false;
        foreach (var size in new[] { 16, 1024 })
        {
            var grpc = GrpcCall(client, size);
            var bare = EchoWeb.Post(http, size);
            foreach (var (inFlight, limit) in s_cells)
            {
                var name = $"{size}B/{inFlight}";
                if (!wanted(name))
                {
                    continue;
                }

                if (!warm)
                {
                    await Load.CallsPerSecondAsync(bare, 64, s_warmUp, cancellationToken);
                    await Load.CallsPerSecondAsync(grpc, 64, s_warmUp, cancellationToken);
                    warm = true;
                }

                var (value, baseline) = await MediansAsync(grpc, bare, inFlight, cancellationToken);
                yield return size == 16
                    ? BenchmarkResult.RatioAtLeast(Name, name, value, "calls/s", baseline, limit)
                    : BenchmarkResult.Reported(Name, name, value, "calls/s", baseline);
            }
        }
    }

    public override async Task ServeAsync(string role, CancellationToken cancellationToken)
    {
        var (address, application) = await EchoWeb.ServeAsync(cancellationToken);
        await using var stopped = application;
        Console.WriteLine(address);
        await BenchmarkProcess.ParentGoneAsync(cancellationToken);
    }

    // In turns, each first in every other one, so that both see the same noise.
    private static async Task<(double Value, double Baseline)> MediansAsync(
        Func<Task> grpc, Func<Task> bare, int inFlight, CancellationToken cancellationToken)
    {
        var values = new List<double>();
        var baselines = new List<double>();
        for (var round = 0; round < (inFlight == 1 ? LonelyRounds : Rounds); round++)
        {
            (Func<Task> Call, List<double> Rates)[] turn = [(bare, baselines), (grpc, values)];
            foreach (var (call, rates) in round % 2 == 0 ? turn : turn.Reverse())
            {
                rates.Add(await Load.CallsPerSecondAsync(call, inFlight, s_round, cancellationToken));
            }
        }

        return (Load.Median(values), Load.Median(baselines));
    }

    private static Func<Task> GrpcCall(EchoService.EchoServiceClient client, int size)
    {
        // The field's tag and length are part of the message.
        var framing = new EchoRequest { Body = ByteString.CopyFrom(new byte[size]) }.CalculateSize() - size;
        return EchoWeb.Grpc(client, size - framing);
    }
}
