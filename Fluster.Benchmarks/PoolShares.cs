using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>Who of a pool gets which calls: one member that is 20 times slower than the other seven, and turns while members come and go.</summary>
internal static class PoolShares
{
    private const string Name = "member";
    private const int Members = 8;
    private const int Slow = 3;
    private const int InFlight = Members;

    private static readonly TimeSpan s_quick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_run = TimeSpan.FromSeconds(6);

    public static async IAsyncEnumerable<BenchmarkResult> RunAsync(string bench, Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (wanted("pool-slow-member"))
        {
            var (healthy, _) = await OfOneSlowAsync(s_quick, cancellationToken);
            var (withSlow, share) = await OfOneSlowAsync(20 * s_quick, cancellationToken);
            yield return BenchmarkResult.RatioAtMost(bench, "pool-slow-member/p99", withSlow, "ms", healthy, 2);
            yield return BenchmarkResult.Reported(bench, "pool-slow-member/share", 100 * share, "% of the calls");
        }

        if (wanted("pool-turns"))
        {
            yield return BenchmarkResult.Under(bench, "pool-turns/spread", 100 * await SpreadAsync(cancellationToken), "% between those that stayed", 1);
        }
    }

    private static async Task<(double P99, double Share)> OfOneSlowAsync(TimeSpan slow, CancellationToken cancellationToken)
    {
        await using var local = new LocalClient(new LocalClientOptions { MaxTasks = Members });
        var (quickMs, slowMs) = (s_quick.TotalMilliseconds, slow.TotalMilliseconds);
        await local.SubmitAsync((CancellationToken stopping) => ServeAsync(quickMs, slowMs, stopping), new JobOptions { Replicas = Members }, cancellationToken);
        using var pool = new ActorPool<IMemberActor>(local.Resolver(), Name, options: new ActorPoolOptions { Balancing = PoolBalancing.LeastOutstanding });
        await pool.WaitForSizeAsync(Members, cancellationToken: cancellationToken);
        var calls = new ConcurrentBag<(int Member, double Milliseconds)>();
        await CallAsync(pool, s_run, calls.Add, cancellationToken);
        return (Load.Percentile(calls.Select(call => call.Milliseconds), 99), calls.Count(call => call.Member == Slow) / (double)calls.Count);
    }

    /// <summary>How far apart the members are that were there all the time, by the mean of their calls.</summary>
    private static async Task<double> SpreadAsync(CancellationToken cancellationToken)
    {
        await using var local = new LocalClient(new LocalClientOptions { MaxTasks = Members });
        await local.SubmitAsync((CancellationToken stopping) => ServeAsync(0, 0, stopping), new JobOptions { Replicas = Members }, cancellationToken);
        using (var all = new ActorPool<IMemberActor>(local.Resolver(), Name))
        {
            await all.WaitForSizeAsync(Members, cancellationToken: cancellationToken);
        }

        var endpoints = (await local.Resolver().ResolveAsync(Name, cancellationToken: cancellationToken)).Endpoints;
        var some = new SomeOf(endpoints);
        using var pool = new ActorPool<IMemberActor>(some, Name);
        var counts = new long[Members];
        var staying = new HashSet<int>();
        using (var watched = new ActorPool<IMemberActor>(new SomeOf([.. endpoints.Take(Members / 2)]), Name))
        {
            foreach (var result in await watched.Broadcast(actor => actor.Answer()).WaitAllAsync(cancellationToken: cancellationToken))
            {
                staying.Add(result.Value);
            }
        }

        var calls = CallAsync(pool, s_run, call => Interlocked.Increment(ref counts[call.Member]), cancellationToken);
        for (var change = 0; !calls.IsCompleted; change++)
        {
            some.Set([.. endpoints.Where((_, index) => index < Members / 2 || (index + change) % 3 > 0)]);
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
        }

        await calls;
        var shares = staying.Select(member => counts[member]).ToList();
        return (shares.Max() - shares.Min()) / shares.Average();
    }

    private static Task CallAsync(ActorPool<IMemberActor> pool, TimeSpan duration, Action<(int Member, double Milliseconds)> called, CancellationToken cancellationToken)
    {
        var begin = Stopwatch.GetTimestamp();
        return Task.WhenAll(Enumerable.Range(0, InFlight).Select(_ => Task.Run(OneAsync, cancellationToken)));

        async Task OneAsync()
        {
            while (Stopwatch.GetElapsedTime(begin) < duration)
            {
                var start = Stopwatch.GetTimestamp();
                try
                {
                    called((await pool.Call().Answer(), Stopwatch.GetElapsedTime(start).TotalMilliseconds));
                }
                catch (OutcomeUnknownException)
                {
                    // Its member left while it ran.
                }
            }
        }
    }

    private static async Task ServeAsync(double quickMilliseconds, double slowMilliseconds, CancellationToken stopping)
    {
        var index = FlusterContext.Current.TaskIndex;
        await using var server = new ActorServer();
        server.Register(Name, new MemberActor(index, TimeSpan.FromMilliseconds(index == Slow ? slowMilliseconds : quickMilliseconds)));
        await server.RunAsync(stopping);
    }

    /// <summary>Those of some endpoints that it was told last.</summary>
    private sealed class SomeOf(IReadOnlyList<ResolvedEndpoint> endpoints) : IActorResolver
    {
        private readonly Channel<ResolveResult> _changes = Channel.CreateUnbounded<ResolveResult>();
        private ResolveResult _now = Of(endpoints);

        public void Set(IReadOnlyList<ResolvedEndpoint> those)
        {
            _now = Of(those);
            _changes.Writer.TryWrite(_now);
        }

        public Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default) => Task.FromResult(_now);

        public async IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            yield return _now;
            await foreach (var change in _changes.Reader.ReadAllAsync(cancellationToken))
            {
                yield return change;
            }
        }

        private static ResolveResult Of(IReadOnlyList<ResolvedEndpoint> those) => new(Name, Namespace.Default, those, TimeProvider.System.GetUtcNow());
    }
}

/// <summary>What the members of a pool do.</summary>
public interface IMemberActor
{
    Task<int> Answer();
}

/// <summary>Says which one it is, after a while.</summary>
[Actor("member")]
public sealed class MemberActor(int index, TimeSpan delay) : IMemberActor
{
    public async Task<int> Answer()
    {
        if (delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, TimeProvider.System);
        }

        return index;
    }
}
