using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Calls of many actors of one name (seed 001, stage 5), over the connection within this process. Over sockets: the scenarios.</summary>
public sealed class ActorPoolTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    public interface ICounter
    {
        Task<int> Get();

        Task<int> Increment();

        ValueTask<int> GetLater(int milliseconds, CancellationToken cancellationToken = default);

        Task Reset();

        Task<int> ThrowIf(int value);

        int GetNow();
    }

    // test_pool_round_robin
    [Fact]
    public async Task Call_RoundRobin_GoesToEachInItsTurn()
    {
        await using var servers = Servers.Of(0, 100, 200);
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter");

        Assert.Equal(3, pool.Size);
        Assert.Equal(["fixed-counter-0", "fixed-counter-1", "fixed-counter-2"], pool.Endpoints.Select(endpoint => endpoint.Id));
        var results = new List<int>();
        for (var i = 0; i < 6; i++)
        {
            results.Add(await pool.Call().Get());
        }

        Assert.Equal([0, 100, 200, 0, 100, 200], results);
    }

    // test_pool_broadcast
    [Fact]
    public async Task Broadcast_WaitAll_HasOneResultForEach()
    {
        await using var servers = Servers.Of(0, 1, 2);
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter");

        var results = await pool.Broadcast(counter => counter.Get()).WaitAllAsync();

        Assert.All(results, result => Assert.True(result.Success));
        Assert.Equal([("fixed-counter-0", 0), ("fixed-counter-1", 1), ("fixed-counter-2", 2)], results.Select(result => (result.Endpoint.Id, result.Value)));
        Assert.Equal([0, 1, 2], (await pool.Broadcast(counter => counter.GetNow()).WaitAllAsync()).Select(result => result.Value));
        Assert.Equal([0, 1, 2], (await pool.Broadcast(counter => counter.GetLater(0)).WaitAllAsync()).Select(result => result.Value));
        Assert.All(await pool.Broadcast(counter => counter.Reset()).WaitAllAsync(), result => Assert.True(result.Success));
    }

    [Fact]
    public async Task Broadcast_OneThrows_OnlyItsResultHasTheException()
    {
        await using var servers = Servers.Of(0, 1, 2);
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter");

        var results = await pool.Broadcast(counter => counter.ThrowIf(1)).WaitAllAsync();

        Assert.Equal([true, false, true], results.Select(result => result.Success));
        Assert.Equal("It is 1.", Assert.IsType<InvalidTimeZoneException>(results[1].Exception).Message);
        Assert.Equal([0, 0, 2], results.Select(result => result.Value));
        Assert.Equal((0, 2), (results[0].ValueOrThrow(), results[2].ValueOrThrow()));
        var error = Assert.Throws<InvalidTimeZoneException>(() => results[1].ValueOrThrow());
        Assert.Same(results[1].Exception, error);
        Assert.Contains(nameof(ICounter.ThrowIf), error.StackTrace, StringComparison.Ordinal); // of the member, not of this line alone
    }

    [Fact]
    public async Task Broadcast_ALateMember_HasATimeoutAndTheOthersTheirValues()
    {
        await using var servers = Servers.Of(0, 1, 2);
        servers.Counters[1].Hold = new TaskCompletionSource();
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter");
        var broadcast = pool.Broadcast(counter => counter.GetLater(0));

        var results = await broadcast.WaitAllAsync(TimeSpan.FromMilliseconds(200));

        Assert.Equal([true, false, true], results.Select(result => result.Success));
        Assert.IsType<TimeoutException>(results[1].Exception);
        var error = await Assert.ThrowsAsync<TimeoutException>(() => broadcast.WaitForAsync(3, TimeSpan.FromMilliseconds(50)));
        Assert.Equal("2 of 3 members have answered within 0.05 s.", error.Message);
        servers.Counters[1].Hold!.SetResult();
        Assert.All(await broadcast.WaitAllAsync(s_patience), result => Assert.True(result.Success)); // the wait ended, not the call
    }

    [Fact]
    public async Task Broadcast_AsCompleted_HasThemInTheOrderInWhichTheyEnd()
    {
        await using var servers = Servers.Of(0, 1, 2);
        servers.Counters.ForEach(counter => counter.Hold = new TaskCompletionSource());
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter");
        var broadcast = pool.Broadcast(counter => counter.GetLater(0));
        var seen = new List<int>();

        servers.Counters[2].Hold!.SetResult();
        await foreach (var result in broadcast.AsCompletedAsync(s_patience))
        {
            seen.Add(result.Value);
            servers.Counters[seen.Count == 1 ? 0 : 1].Hold!.TrySetResult();
        }

        Assert.Equal([2, 0, 1], seen);
        Assert.Equal(3, (await broadcast.WaitForAsync(3)).Count);
        Assert.Single(await broadcast.WaitForAsync(1));
    }

    [Fact]
    public async Task Broadcast_WaitAny_IsTheFirst()
    {
        await using var servers = Servers.Of(0, 1);
        servers.Counters[0].Hold = new TaskCompletionSource();
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter");

        Assert.Equal(1, (await pool.Broadcast(counter => counter.GetLater(0)).WaitAnyAsync(s_patience)).Value);
        servers.Counters[0].Hold!.SetResult();
    }

    [Fact]
    public async Task Empty_CallIsAClearError_AndABroadcastToNobodyIsEmpty()
    {
        using var pool = new ActorPool<ICounter>(new FixedResolver("another", "local://localhost/0"), "counter");

        var error = await Assert.ThrowsAsync<ClusterException>(() => pool.Call().Get());
        var broadcast = pool.Broadcast(counter => counter.Get());

        Assert.Equal(ClusterError.Unavailable, error.Error);
        Assert.Equal("The pool of 'counter' is empty: nobody serves that name in the namespace default. WaitForSizeAsync waits for members.", error.Message);
        Assert.Equal(0, pool.Size);
        Assert.Empty(await broadcast.WaitAllAsync());
        Assert.Empty(await broadcast.WaitForAsync(0));
        await Assert.ThrowsAsync<InvalidOperationException>(() => broadcast.WaitAnyAsync());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => broadcast.WaitForAsync(1));
    }

    [Fact]
    public async Task WaitForSize_ReturnsWhenTheyAreThere_OrSaysHowManyAre()
    {
        await using var servers = Servers.Of(0, 1);
        var resolver = new ChangingResolver();
        using var pool = new ActorPool<ICounter>(resolver, "counter");

        var error = await Assert.ThrowsAsync<TimeoutException>(() => pool.WaitForSizeAsync(1, TimeSpan.FromMilliseconds(30)));
        Assert.Equal("The pool of 'counter' has 0 of 1 members after 0.03 s.", error.Message);
        var waiting = pool.WaitForSizeAsync(2);
        resolver.Set(servers.Endpoint(0));
        await pool.WaitForSizeAsync(1);
        Assert.False(waiting.IsCompleted);
        resolver.Set(servers.Endpoint(0), servers.Endpoint(1));
        await waiting;
        Assert.Equal(2, pool.Size);
    }

    [Fact]
    public async Task Call_BeforeTheResolverHasAnswered_WaitsForIt()
    {
        await using var servers = Servers.Of(7);
        var resolver = new ChangingResolver();
        using var pool = new ActorPool<ICounter>(resolver, "counter");

        var call = pool.Call().Get();
        Assert.False(call.IsCompleted);
        resolver.Set(servers.Endpoint(0));

        Assert.Equal(7, await call);
    }

    [Fact]
    public async Task Members_ComeAndGo_TheTurnGoesOn()
    {
        await using var servers = Servers.Of(0, 1, 2, 3);
        var resolver = new ChangingResolver();
        resolver.Set(servers.Endpoint(0), servers.Endpoint(1), servers.Endpoint(2));
        using var pool = new ActorPool<ICounter>(resolver, "counter");
        await pool.WaitForSizeAsync(3);
        var seen = new List<int> { await pool.Call().Get() };

        resolver.Set(servers.Endpoint(0), servers.Endpoint(2), servers.Endpoint(3));
        await Eventually.True(() => pool.Endpoints.Any(endpoint => endpoint.Id == "ep-3"), "the new member is there");
        for (var i = 0; i < 4; i++)
        {
            seen.Add(await pool.Call().Get());
        }

        Assert.Equal([0, 2, 0, 3, 2], seen);
    }

    [Fact]
    public async Task Call_TheMemberIsAnotherIncarnation_FailsAndIsNotMadeElsewhere()
    {
        await using var servers = Servers.Of(0);
        using var pool = new ActorPool<ICounter>(new FixedResolver("counter", servers.Endpoint(0).Address), "counter");
        Assert.Equal(1, await pool.Call().Increment());
        await servers.StopAsync(0);

        var error = await Assert.ThrowsAsync<ClusterException>(() => pool.Call().Increment());

        Assert.Equal(ClusterError.Unavailable, error.Error);
        Assert.Contains($"Increment of actor 'counter' at {servers.Endpoint(0).Address}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LeastOutstanding_AHeldMember_GetsNoMore()
    {
        await using var servers = Servers.Of(0, 1, 2);
        servers.Counters[0].Hold = new TaskCompletionSource();
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter", options: new ActorPoolOptions { Balancing = PoolBalancing.LeastOutstanding });

        var held = pool.Call().GetLater(0).AsTask();
        var others = new List<int>();
        for (var i = 0; i < 6; i++)
        {
            others.Add(await pool.Call().Get());
        }

        Assert.Equal([1, 2, 1, 2, 1, 2], others);
        Assert.False(held.IsCompleted);
        servers.Counters[0].Hold!.SetResult();
        Assert.Equal(0, await held);
        Assert.Contains(0, new[] { await pool.Call().Get(), await pool.Call().Get(), await pool.Call().Get() }); // and is counted as free again
    }

    /// <summary>One member of eight answers 20 times slower: it gets few calls. What that is worth in time is the benchmark's: pool-slow-member of actor-call.</summary>
    [Fact]
    public async Task LeastOutstanding_OneSlowMemberOfEight_GetsFewCalls()
    {
        await using var servers = Servers.Of(0, 0, 0, 0, 0, 0, 0, 0);
        servers.Counters.ForEach(counter => counter.Delay = TimeSpan.FromMilliseconds(4));
        servers.Counters[3].Delay = TimeSpan.FromMilliseconds(80);
        using var pool = new ActorPool<ICounter>(servers.Fixed(), "counter", options: new ActorPoolOptions { Balancing = PoolBalancing.LeastOutstanding });
        const int Calls = 1500;
        var left = Calls;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await pool.Call().GetLater(1);
            }
        }));

        Assert.InRange((double)servers.Counters[3].Calls / Calls, 0, 0.04); // its turn would be 0.125
    }

    internal sealed class Counter(int value) : ICounter
    {
        private int _value = value;

        public TaskCompletionSource? Hold { get; set; }

        public TimeSpan Delay { get; set; }

        public int Calls { get; private set; }

        public Task<int> Get() => Task.FromResult(_value);

        public Task<int> Increment() => Task.FromResult(++_value);

        public async ValueTask<int> GetLater(int milliseconds, CancellationToken cancellationToken = default)
        {
            Calls++;
            if (milliseconds > 0)
            {
                await Task.Delay(Delay, TimeProvider.System, cancellationToken);
            }

            await (Hold?.Task ?? Task.CompletedTask);
            return _value;
        }

        public Task Reset() => Task.FromResult(_value = 0);

        public Task<int> ThrowIf(int value) => _value == value ? throw new InvalidTimeZoneException($"It is {value}.") : Task.FromResult(_value);

        public int GetNow() => _value;
    }

    /// <summary>Servers within this process, each with one counter.</summary>
    private sealed class Servers : IAsyncDisposable
    {
        private readonly List<(LocalServer Server, ActorTable Table)> _servers = [];

        public List<Counter> Counters { get; } = [];

        public static Servers Of(params int[] values)
        {
            var servers = new Servers();
            foreach (var value in values)
            {
                var (table, counter) = (new ActorTable(TimeProvider.System), new Counter(value));
                table.Add("counter", counter, options: null);
                servers.Counters.Add(counter);
                servers._servers.Add((LocalServers.Open(table), table));
            }

            return servers;
        }

        public ResolvedEndpoint Endpoint(int index) => new($"ep-{index}", _servers[index].Server.Address.ToString());

        public FixedResolver Fixed() => new(new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal)
        {
            ["counter"] = [.. _servers.Select(server => server.Server.Address.ToString())],
        });

        public Task StopAsync(int index)
        {
            LocalServers.Close(_servers[index].Server);
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            foreach (var (server, table) in _servers)
            {
                LocalServers.Close(server);
                table.Dispose();
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Says what it is told to say; nothing at first.</summary>
    private sealed class ChangingResolver : IActorResolver
    {
        private readonly Channel<ResolveResult> _results = Channel.CreateUnbounded<ResolveResult>();
        private readonly TaskCompletionSource<ResolveResult> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Set(params ResolvedEndpoint[] endpoints)
        {
            var result = new ResolveResult("counter", Namespace.Default, endpoints, default);
            _first.TrySetResult(result);
            _results.Writer.TryWrite(result);
        }

        public Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default) => _first.Task.WaitAsync(cancellationToken);

        public async IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await foreach (var result in _results.Reader.ReadAllAsync(cancellationToken))
            {
                yield return result;
            }
        }
    }
}
