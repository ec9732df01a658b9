using System.Runtime.CompilerServices;
using Fluster.Actors;
using Fluster.Rpc;

namespace Fluster.Benchmarks;

/// <summary>Calls of an actor in another process, with 16 bytes: one at a time against a bare socket, many against HTTP/2 and gRPC.</summary>
internal sealed class ActorCalls : Benchmark
{
    private const int Bytes = 16;
    private const int Rounds = 9; // three of each third of the run

    // Those that need the other process; the others are about pools.
    private static readonly string[] s_overSockets = ["sequential", "64", "pipeline", "allocated", "256", "unix", "slow-stream", "large-argument"];

    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(1);

    public override string Name => "actor-call";

    // For every side of the comparison alike: see rpc-unary.
    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION"] = "512",
        ["DOTNET_GCgen0size"] = "0x4000000",
    };

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var share in PoolShares.RunAsync(Name, wanted, cancellationToken))
        {
            yield return share;
        }

        if (!s_overSockets.Any(wanted))
        {
            yield break;
        }

        using var server = await BenchmarkProcess.StartAsync(this, "server", cancellationToken);
        var parts = server.FirstLine.Split(' ');
        var (port, web, address, token) = (int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture), parts[1], parts[2], parts[3]);
        using var client = new ActorClient<IEchoActor>(address, token: token);
        using var http = EchoWeb.Http(web);
        using var channel = RpcChannel.ForAddress(new Uri(web));
        var argument = new byte[Bytes];
        Func<Task> call = () => client.Actor.Echo(argument);
        var post = EchoWeb.Post(http, Bytes);
        var grpc = EchoWeb.Grpc(new EchoService.EchoServiceClient(channel), Bytes);
        foreach (var one in new[] { call, post, grpc })
        {
            await Load.CallsPerSecondAsync(one, 64, s_warmUp, cancellationToken);
        }

        if (wanted("sequential"))
        {
            var ping = await EchoSocket.ConnectAsync(port, Bytes, cancellationToken);
            var (value, baseline) = await CompareAsync(call, ping, 1, cancellationToken);
            yield return BenchmarkResult.RatioAtLeast(Name, "sequential/socket", value, "calls/s", baseline, 0.5);
        }

        var at64 = 0.0;
        if (wanted("64"))
        {
            var (value, baseline) = await CompareAsync(call, post, 64, cancellationToken);
            at64 = value;
            yield return BenchmarkResult.RatioAtLeast(Name, "64/http2", value, "calls/s", baseline, 2);
            (value, baseline) = await CompareAsync(call, grpc, 64, cancellationToken);
            yield return BenchmarkResult.Reported(Name, "64/grpc", value, "calls/s", baseline);
            var sockets = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => EchoSocket.ConnectAsync(port, Bytes, cancellationToken)));
            var next = 0;
            (value, baseline) = await CompareAsync(call, () => sockets[Interlocked.Increment(ref next) & 63](), 64, cancellationToken, separate: sockets);
            yield return BenchmarkResult.Reported(Name, "64/64-sockets", value, "calls/s", baseline);
            Func<Task> json = () => client.Actor.Json(new Point(1, 2, "three"));
            (value, baseline) = await CompareAsync(json, post, 64, cancellationToken);
            yield return BenchmarkResult.Reported(Name, "64-json/http2", value, "calls/s", baseline);
        }

        if (wanted("pipeline"))
        {
            var pipeline = int.Parse(parts[5], System.Globalization.CultureInfo.InvariantCulture);
            foreach (var inFlight in new[] { 64, 256 })
            {
                var (value, baseline) = await CompareAsync(
                    () => Load.CallsPerSecondAsync(call, inFlight, s_round, cancellationToken),
                    () => EchoPipeline.RateAsync(pipeline, Bytes, inFlight, s_round, cancellationToken));
                yield return BenchmarkResult.Reported(Name, $"pipeline-{inFlight}/socket", value, "calls/s", baseline);
            }
        }

        if (wanted("allocated"))
        {
            const int Calls = 200_000;
            var (here, there) = (GC.GetTotalAllocatedBytes(), await client.Actor.AllocatedBytes());
            await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < Calls / 64; i++)
                {
                    await client.Actor.Echo(argument);
                }
            }, cancellationToken)));
            yield return BenchmarkResult.Under(Name, "allocated/client", (GC.GetTotalAllocatedBytes() - here) / (double)Calls, "B/call", 1025);
            yield return BenchmarkResult.Reported(Name, "allocated/server", (await client.Actor.AllocatedBytes() - there) / (double)Calls, "B/call");
        }

        if (wanted("256"))
        {
            var (value, baseline) = await CompareAsync(call, post, 256, cancellationToken);
            yield return BenchmarkResult.Reported(Name, "256/http2", value, "calls/s", baseline);
            if (at64 > 0)
            {
                yield return BenchmarkResult.RatioAtLeast(Name, "256/64", value, "calls/s", at64, 1);
            }
        }

        if (wanted("unix"))
        {
            using var local = new ActorClient<IEchoActor>(parts[4], token: token);
            Func<Task> unix = () => local.Actor.Echo(argument);
            var (value, baseline) = await CompareAsync(unix, call, 1, cancellationToken);
            yield return BenchmarkResult.Reported(Name, "unix-sequential/tcp", value, "calls/s", baseline);
            (value, baseline) = await CompareAsync(unix, call, 64, cancellationToken);
            yield return BenchmarkResult.Reported(Name, "unix-64/tcp", value, "calls/s", baseline);
        }

        await foreach (var delay in CallDelays.RunAsync(Name, client.Actor, wanted, cancellationToken))
        {
            yield return delay;
        }
    }

    public override async Task ServeAsync(string role, CancellationToken cancellationToken)
    {
        var (web, application) = await EchoWeb.ServeAsync(cancellationToken);
        await using var _ = application;
        var unix = Path.Combine(Path.GetTempPath(), $"fluster-bench-{System.Environment.ProcessId}.sock");
        await using var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null, UnixSocket = unix });
        server.Register("echo", new EchoActor(), new ActorOptions { MaxConcurrency = 1 });
        await server.StartAsync(cancellationToken);
        Console.WriteLine($"{EchoSocket.Serve()} {web} {server.Address} {server.Token} unix://{unix} {EchoPipeline.Serve()}");
        await BenchmarkProcess.ParentGoneAsync(cancellationToken);
        File.Delete(unix);
    }

    private static Task<(double Value, double Baseline)> CompareAsync(
        Func<Task> call, Func<Task> baseline, int inFlight, CancellationToken cancellationToken, IReadOnlyList<Func<Task>>? separate = null)
    {
        // One call at a time on each of the sockets.
        return CompareAsync(
            () => Load.CallsPerSecondAsync(call, inFlight, s_round, cancellationToken),
            async () => separate is null
                ? await Load.CallsPerSecondAsync(baseline, inFlight, s_round, cancellationToken)
                : (await Task.WhenAll(separate.Select(one => Load.CallsPerSecondAsync(one, 1, s_round, cancellationToken)))).Sum());
    }

    // In turns, each first in every other one, so that both see the same noise.
    private static async Task<(double Value, double Baseline)> CompareAsync(Func<Task<double>> value, Func<Task<double>> baseline)
    {
        var (values, baselines) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            if (round % 2 == 0)
            {
                baselines.Add(await baseline());
            }

            values.Add(await value());
            if (round % 2 == 1)
            {
                baselines.Add(await baseline());
            }
        }

        return (Load.Median(values), Load.Median(baselines));
    }
}
