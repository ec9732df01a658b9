using System.Runtime.CompilerServices;
using Fluster.Actors;

namespace Fluster.Benchmarks;

/// <summary>Large arrays to an actor and back, against the same bytes on a bare socket.</summary>
internal sealed class ActorPayloads : Benchmark
{
    private const int Rounds = 7;

    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(1.5);

    public override string Name => "actor-payload";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var server = await BenchmarkProcess.StartAsync(this, "server", cancellationToken);
        var parts = server.FirstLine.Split(' ');
        var port = int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture);
        using var client = new ActorClient<IEchoActor>(parts[1], token: parts[2]);
        foreach (var (size, name) in new[] { (1 << 20, "1MiB"), (16 << 20, "16MiB") })
        {
            if (!wanted(name))
            {
                continue;
            }

            var bytes = new byte[size];
            var floats = new float[size / 4];
            var bare = await EchoSocket.ConnectAsync(port, size, cancellationToken);
            var rates = new List<double>[] { [], [], [] };
            Func<Task>[] calls = [bare, () => client.Actor.Echo(bytes), () => client.Actor.Floats(floats)];
            foreach (var call in calls)
            {
                await Load.CallsPerSecondAsync(call, 1, s_warmUp, cancellationToken);
            }

            for (var round = 0; round < Rounds; round++)
            {
                for (var i = 0; i < calls.Length; i++)
                {
                    rates[i].Add(await Load.CallsPerSecondAsync(calls[i], 1, s_round, cancellationToken) * size / (1 << 20));
                }
            }

            yield return BenchmarkResult.RatioAtLeast(Name, $"{name}/bytes", Load.Median(rates[1]), "MiB/s each way", Load.Median(rates[0]), 0.5);
            yield return BenchmarkResult.RatioAtLeast(Name, $"{name}/floats", Load.Median(rates[2]), "MiB/s each way", Load.Median(rates[1]), 0.95);
        }
    }

    public override async Task ServeAsync(string role, CancellationToken cancellationToken)
    {
        await using var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        server.Register("echo", new EchoActor());
        await server.StartAsync(cancellationToken);
        Console.WriteLine($"{EchoSocket.Serve()} {server.Address} {server.Token}");
        await BenchmarkProcess.ParentGoneAsync(cancellationToken);
    }
}
