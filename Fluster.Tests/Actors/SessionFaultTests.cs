using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Fluster.Actors;
using Fluster.Cluster;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>Connections that break and servers that are replaced in the middle of calls: nothing runs twice, and what is not known is said.</summary>
public sealed class SessionFaultTests(ITestOutputHelper output)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public interface ICounting
    {
        Task<int> Run(int id);

        Task<int> Sum(int id, byte[] bytes);

        Task<byte[]> Make(int id, int size);

        Task<int> Slow(int id, int milliseconds);

        Task<int> Gated(int id);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Connection_CutAtEveryByteOfACall_RunsOnce(bool toServer)
    {
        var actor = new Counting();
        await using var server = await ServeAsync(actor);
        var (results, unknown, step) = (0, 0, toServer ? TestScale.Of(usual: 9, full: 1) : 1);
        for (var offset = 1 + (TestScale.Seed % step); ; offset += step)
        {
            await using var proxy = new CuttingProxy(server.Address, offset, toServer);
            using var client = new ActorClient<ICounting>(proxy.Address, token: server.Token);
            try
            {
                Assert.Equal(offset, await client.Actor.Run(offset).WaitAsync(s_patience));
                results++;
                Assert.Equal(1, actor.RunsOf(offset));
            }
            catch (OutcomeUnknownException)
            {
                unknown++;
                Assert.InRange(actor.RunsOf(offset), 0, 1);
            }

            if (!proxy.HasCut)
            {
                break; // The whole call is shorter.
            }
        }

        output.WriteLine($"Figures: cut at every {step}. byte {(toServer ? "to the server" : "to the client")}: {results} results, {unknown} unknown");
        Assert.True(results > 5, $"{results} results, {unknown} unknown");
        Assert.Equal(0, unknown); // the session is there, so that every call joins
    }

    [Fact]
    public async Task Connection_CutWithinLongArgumentsAndResults_RunsOnceAndNothingIsMixedUp()
    {
        const int Size = 700_000;
        var actor = new Counting();
        await using var server = await ServeAsync(actor);
        var random = new Random(TestScale.Seed);
        var bytes = new byte[Size];
        random.NextBytes(bytes);
        for (var round = 0; round < TestScale.Of(20, 200); round++)
        {
            var toServer = round % 2 == 0;
            await using var proxy = new CuttingProxy(server.Address, random.Next(500, Size), toServer);
            using var client = new ActorClient<ICounting>(proxy.Address, token: server.Token);
            if (toServer)
            {
                Assert.Equal(bytes.Sum(value => value), await client.Actor.Sum(round, bytes).WaitAsync(s_patience));
            }
            else
            {
                Assert.Equal(Counting.Bytes(round, Size), await client.Actor.Make(round, Size).WaitAsync(s_patience));
            }

            Assert.True(proxy.HasCut);
            Assert.Equal(1, actor.RunsOf(round));
        }
    }

    [Fact]
    public async Task Connection_CutWhileTheMethodRuns_ResultComesOverTheNextOne()
    {
        var actor = new Counting();
        await using var server = await ServeAsync(actor);
        await using var proxy = new CuttingProxy(server.Address, long.MaxValue, toServer: true);
        using var client = new ActorClient<ICounting>(proxy.Address, token: server.Token);
        var call = client.Actor.Gated(1);
        await Eventually.True(() => actor.RunsOf(1) == 1, "It does not run.");

        for (var round = 0; round < 3; round++)
        {
            proxy.CutAll();
            Assert.Equal(10 + round, await client.Actor.Run(10 + round).WaitAsync(s_patience)); // over the next connection
        }

        actor.Open();
        Assert.Equal(1, await call.WaitAsync(s_patience));
        Assert.Equal(1, actor.MostRuns);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Server_ReplacedAmongManyCalls_EveryCallIsAnsweredOnce(bool drained)
    {
        var calls = 10_000;
        var resolver = new MovingResolver();
        var first = new Counting();
        var second = new Counting();
        await using var old = await ServeAsync(first);
        resolver.Set(old);
        using var client = new ActorClient<ICounting>(resolver, "counting", options: new ActorCallOptions { Timeout = TimeSpan.FromSeconds(50) });
        ActorServer? fresh = null;
        var (results, unknown, next) = (0, 0, 0);
        var callers = Enumerable.Range(0, 32).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var id && id <= calls)
            {
                try
                {
                    Assert.Equal(id, await client.Actor.Slow(id, id % 50 == 0 ? 5 : 0));
                    Interlocked.Increment(ref results);
                }
                catch (OutcomeUnknownException)
                {
                    Interlocked.Increment(ref unknown);
                }
            }
        })).ToList();

        await Eventually.True(() => Volatile.Read(ref next) > calls / 2, () => $"{next}");
        fresh = await ServeAsync(second);
        await using var _ = fresh;
        if (drained)
        {
            old.AnnounceDrain();
        }

        resolver.Set(fresh);
        if (drained)
        {
            await old.StopAsync();
        }
        else
        {
            await old.AbortAsync();
        }

        await Task.WhenAll(callers).WaitAsync(s_patience);
        output.WriteLine($"Figures: server replaced {(drained ? "after a drain" : "abruptly")}: {results} results, {unknown} unknown");
        Assert.Equal(calls, results + unknown);
        Assert.Equal(1, first.MostRuns);
        Assert.Equal(1, second.MostRuns);
        Assert.True(second.Count > 0);
        if (drained)
        {
            Assert.Equal(0, unknown);
        }
    }

    [Fact]
    public async Task Actor_RegisteredAnew_StaleHandleIsResolvedAgain()
    {
        var resolver = new MovingResolver();
        await using var server = await ServeAsync(new Counting());
        resolver.Set(server);
        using var client = new ActorClient<ICounting>(resolver, "counting");
        await client.Actor.Run(1);

        server.Unregister("counting");
        server.Register("counting", new Counting());
        resolver.Set(server);

        Assert.Equal(2, await client.Actor.Run(2).WaitAsync(s_patience));
    }

    [Fact]
    public async Task Endpoint_Vanishes_OpenCallsFailAtOnce()
    {
        var resolver = new MovingResolver();
        await using var server = await ServeAsync(new Counting());
        resolver.Set(server);
        using var client = new ActorClient<ICounting>(resolver, "counting");
        await client.Actor.Run(1);
        var call = client.Actor.Slow(2, 60_000);

        resolver.Clear();

        await Assert.ThrowsAsync<OutcomeUnknownException>(() => call.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task Idempotent_ServerReplaced_IsCalledAgain()
    {
        var resolver = new MovingResolver();
        var first = new Counting();
        await using var old = await ServeAsync(first);
        resolver.Set(old);
        using var client = new ActorClient<IIdempotentCounting>(resolver, "counting");
        var call = client.Actor.Slow(7, 2_000);
        await Eventually.True(() => first.RunsOf(7) == 1, "It does not run.");

        await using var fresh = await ServeAsync(new Counting());
        resolver.Set(fresh);
        await old.AbortAsync();

        Assert.Equal(7, await call.WaitAsync(s_patience));
    }

    /// <summary>A retry is another execution: the caller asks for it.</summary>
    [Fact]
    public async Task Retries_ServerReplaced_CallIsMadeAnew()
    {
        var resolver = new MovingResolver();
        var (first, second) = (new Counting(), new Counting());
        await using var old = await ServeAsync(first);
        resolver.Set(old);
        using var client = new ActorClient<ICounting>(resolver, "counting");
        using var retrying = new ActorClient<ICounting>(resolver, "counting", options: new ActorCallOptions { Retries = 1 });
        var (once, twice) = (client.Actor.Slow(7, 60_000), retrying.Actor.Slow(8, 1));
        Assert.Equal(8, await twice);
        twice = retrying.Actor.Gated(9);
        await Eventually.True(() => first.RunsOf(7) == 1 && first.RunsOf(9) == 1, "They do not run.");

        await using var fresh = await ServeAsync(second);
        second.Open();
        resolver.Set(fresh);
        await old.AbortAsync();

        Assert.Equal(9, await twice.WaitAsync(s_patience));
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => once.WaitAsync(s_patience));
        Assert.Equal((0, 0, 1), (second.RunsOf(7), second.RunsOf(8), second.RunsOf(9)));
    }

    [Fact]
    public async Task Nobody_ServesYet_CallWaitsForTheFirstEndpoint()
    {
        var resolver = new MovingResolver();
        using var client = new ActorClient<ICounting>(resolver, "counting");
        var call = client.Actor.Run(1);

        await using var server = await ServeAsync(new Counting());
        resolver.Set(server);

        Assert.Equal(1, await call.WaitAsync(s_patience));
        var nobody = await Assert.ThrowsAsync<TimeoutException>(() => new ActorClient<ICounting>(new MovingResolver(), "counting", options: new ActorCallOptions { Timeout = TimeSpan.FromMilliseconds(200) }).Actor.Run(1));
        Assert.Contains("nobody serves 'counting'", nobody.Message, StringComparison.Ordinal);
    }

    private static async Task<ActorServer> ServeAsync(Counting actor)
    {
        var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        server.Register("counting", actor, new ActorOptions { MaxConcurrency = 64 });
        await server.StartAsync();
        return server;
    }

    [Idempotent]
    public interface IIdempotentCounting
    {
        Task<int> Slow(int id, int milliseconds);
    }

    private sealed class Counting : ICounting
    {
        private readonly ConcurrentDictionary<int, int> _runs = new();
        private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Count => _runs.Count;

        public int MostRuns => _runs.Values.Max();

        public int RunsOf(int id) => _runs.GetValueOrDefault(id);

        public Task<int> Run(int id)
        {
            _runs.AddOrUpdate(id, 1, (_, runs) => runs + 1);
            return Task.FromResult(id);
        }

        public Task<int> Sum(int id, byte[] bytes)
        {
            _runs.AddOrUpdate(id, 1, (_, runs) => runs + 1);
            return Task.FromResult(bytes.Sum(value => value));
        }

        public Task<byte[]> Make(int id, int size)
        {
            _runs.AddOrUpdate(id, 1, (_, runs) => runs + 1);
            return Task.FromResult(Bytes(id, size));
        }

        public void Open() => _gate.SetResult();

        public async Task<int> Gated(int id)
        {
            await Run(id);
            await _gate.Task;
            return id;
        }

        public static byte[] Bytes(int seed, int size)
        {
            var bytes = new byte[size];
            new Random(seed).NextBytes(bytes);
            return bytes;
        }

        public async Task<int> Slow(int id, int milliseconds)
        {
            await Run(id);
            if (milliseconds > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System);
            }

            return id;
        }
    }

    /// <summary>One endpoint that a test moves.</summary>
    private sealed class MovingResolver : IActorResolver
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private ResolvedEndpoint[] _endpoints = [];
        private int _ids;

        public string? Token { get; private set; }

        public void Set(ActorServer server)
        {
            Token = server.Token;
            var handle = server.HandleOf("counting");
            Change([new ResolvedEndpoint($"e{++_ids}", server.Address.ToString(), new Dictionary<string, string>(StringComparer.Ordinal) { [ResolvedEndpoint.HandleKey] = handle })]);
        }

        public void Clear() => Change([]);

        public Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default)
        {
            lock (_lock)
            {
                return Task.FromResult(new ResolveResult(name, Namespace.Default, _endpoints, TimeProvider.System.GetUtcNow()));
            }
        }

        public async IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            while (true)
            {
                Task changed;
                lock (_lock)
                {
                    changed = _changed.Task;
                }

                yield return await ResolveAsync(name, @namespace, cancellationToken);
                await changed.WaitAsync(cancellationToken);
            }
        }

        private void Change(ResolvedEndpoint[] endpoints)
        {
            TaskCompletionSource changed;
            lock (_lock)
            {
                _endpoints = endpoints;
                (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            }

            changed.SetResult();
        }
    }
}
