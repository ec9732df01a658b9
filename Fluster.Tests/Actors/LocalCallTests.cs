using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Calls of an actor in the same process: without a socket, and not as plain method calls (ADR 17).</summary>
public sealed class LocalCallTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly AsyncLocal<string?> s_mark = new();

    private readonly ActorTable _table = new(TimeProvider.System);
    private readonly LocalServer _server;
    private readonly Place[] _places = [new(), new()];
    private readonly ActorClient<IPlace>[] _clients;

    public LocalCallTests()
    {
        _server = LocalServers.Open(_table);
        _clients = [.. _places.Select((place, index) =>
        {
            _table.Add($"place-{index}", place, options: null);
            return new ActorClient<IPlace>(_server.Address.ToString(), $"place-{index}", options: new ActorCallOptions { Timeout = s_patience });
        })];
    }

    public interface IPlace
    {
        Task<bool> Block();

        int Add(int left, int right);

        Task<string> Mark();

        Task<int> ChainLength();

        Task<byte[]> Join(byte[] first, byte[] second, byte[] third);
    }

    public void Dispose()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        LocalServers.Close(_server);
        _table.Dispose();
    }

    [Fact]
    public async Task Call_MethodBlocksItsThread_ReturnsAtOnceToACallerOnAPoolThread()
    {
        var results = await Task.Run(() =>
        {
            var calls = _clients.Select(client => client.Actor.Block()).ToList();
            Array.ForEach(_places, place => place.Gate.Set());
            return Task.WhenAll(calls);
        });

        Assert.Equal([true, true], results);
    }

    [Fact]
    public async Task Caller_BlocksRightAfterItsAnswer_TheActorIsFree()
    {
        _places[0].Gate.Set();
        var sum = await Task.Run(async () =>
        {
            var sum = 0;
            for (var i = 0; i < 20; i++)
            {
                Assert.True(await _clients[0].Actor.Block().ConfigureAwait(false));
                sum += _clients[0].Actor.Add(i, 1); // waits with the thread on which the first answer came
            }

            return sum;
        });

        Assert.Equal(210, sum);
    }

    [Fact]
    public async Task Method_RunsInNothingOfItsCaller_NorOfTheCallBefore()
    {
        s_mark.Value = "the caller's";
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal("nothing", await _clients[0].Actor.Mark());
            Assert.Equal(1, await _clients[0].Actor.ChainLength());
        }

        Assert.Equal("the caller's", s_mark.Value);
    }

    [Theory]
    [InlineData(0, 1, 0)]
    [InlineData(100, 100, 100)]
    [InlineData(255, 1, 1)]
    [InlineData(256, 1, 0)]
    [InlineData(257, 3, 200)]
    [InlineData(16, 70_000, 16)]
    public async Task Arrays_OfAnySizes_ArriveAsTheyWereAndAsCopies(int first, int second, int third)
    {
        byte[][] arrays = [.. new[] { first, second, third }.Select((size, index) => Enumerable.Repeat((byte)(index + 1), size).ToArray())];

        var calls = Enumerable.Range(0, 8).Select(_ => _clients[0].Actor.Join(arrays[0], arrays[1], arrays[2])).ToList();

        var results = await Task.WhenAll(calls);
        Assert.All(results, result => Assert.Equal(arrays.SelectMany(array => array), result));
        Assert.Equal(results.Length, results.Distinct(ReferenceEqualityComparer.Instance).Count());
    }

    [Fact]
    public async Task Actor_RegisteredAnew_ACallerWithoutAHandleReachesTheNewOne()
    {
        Assert.Equal(1, await _clients[0].Actor.ChainLength());
        _table.Remove("place-0");
        var nobody = await Assert.ThrowsAsync<RemoteActorException>(() => _clients[0].Actor.ChainLength());
        var second = new Place();
        second.Gate.Set();

        _table.Add("place-0", second, options: null);

        Assert.Equal(ActorErrorKind.NotFound, nobody.Kind);
        Assert.True(await _clients[0].Actor.Block().WaitAsync(s_patience));
    }

    [Fact]
    public async Task Endpoint_Vanishes_OpenCallsFail()
    {
        await using var cluster = new LocalClient();
        var registration = await cluster.EndpointRegistry.OpenRegistrationAsync();
        await registration.RegisterAsync("place-0", _server.Address.ToString());
        using var client = new ActorClient<IPlace>(cluster.Resolver(), "place-0");
        Assert.Equal(1, await client.Actor.ChainLength());
        var call = client.Actor.Block();

        await registration.DisposeAsync();

        await Assert.ThrowsAsync<OutcomeUnknownException>(() => call.WaitAsync(TimeSpan.FromSeconds(15))); // the method blocks for 30
        _places[0].Gate.Set();
    }

    /// <summary>A server that stops is found no more, and answers what it has, however long that takes within its drain.</summary>
    [Fact]
    public async Task Server_Stops_CallsThatRunAreAnswered()
    {
        await using var cluster = new LocalClient();
        var job = await cluster.SubmitAsync(async (CancellationToken stopping) =>
        {
            await using var server = new ActorServer();
            server.Register("slow", new Slow());
            await server.RunAsync(stopping);
        });
        using var client = new ActorClient<ISlow>(cluster.Resolver(), "slow");
        Assert.Equal(0, await client.Actor.After(TimeSpan.Zero));
        var call = client.Actor.After(TimeSpan.FromSeconds(1.5));

        await job.TerminateAsync();
        await Eventually.True(async () => (await cluster.Resolver().ResolveAsync("slow")).IsEmpty, () => "It is still found.");

        Assert.False(call.IsCompleted);
        Slow.Gate.SetResult();
        Assert.Equal(1.5, await call.WaitAsync(s_patience));
    }

    public interface ISlow
    {
        Task<double> After(TimeSpan time);
    }

    private sealed class Slow : ISlow
    {
        // Static: the job makes the actor itself.
        public static TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task<double> After(TimeSpan time)
        {
            if (time > TimeSpan.Zero)
            {
                // Longer than calls of an endpoint that vanished without a word may go on.
                await Gate.Task;
                await Task.Delay(time, TimeProvider.System);
            }

            return time.TotalSeconds;
        }
    }

    private sealed class Place : IPlace
    {
        public ManualResetEventSlim Gate { get; } = new();

        public Task<bool> Block() => Task.FromResult(Gate.Wait(s_patience));

        public int Add(int left, int right) => left + right;

        public Task<string> Mark()
        {
            var found = s_mark.Value ?? "nothing";
            s_mark.Value = "the method's";
            return Task.FromResult(found);
        }

        public Task<int> ChainLength() => Task.FromResult(CallScope.Current!.Chain.Length);

        public Task<byte[]> Join(byte[] first, byte[] second, byte[] third) => Task.FromResult((byte[])[.. first, .. second, .. third]);
    }
}
