using Fluster.Actors;
using Fluster.Cluster;
using Fluster.Rpc;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using V1 = Fluster.Actors.V1;

namespace Fluster.Tests;

/// <summary>How many calls, how deep, for how long: what a server and a client bound, and by which ways calls come in.</summary>
public sealed class ActorLimitsTests : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryDirectory _directory = new();
    private readonly List<IDisposable> _clients = [];
    private ActorServer? _server;
    private ActorClient<IHall>? _last;

    public interface IHall
    {
        Task<int> Stay(int id, CancellationToken cancellationToken = default);

        Task<int> Down();

        Task Throw();

        Task<Timestamp> Later(Timestamp time, int seconds);
    }

    [Fact]
    public async Task MaxConcurrency_IsHowManyAreInsideAtATime()
    {
        var hall = await StartAsync(new ActorOptions { MaxConcurrency = 3 });
        var client = Client();
        var calls = Enumerable.Range(0, 20).Select(id => client.Stay(id)).ToList();
        await Eventually.True(() => hall.Inside == 3, "There are not three inside.");

        hall.Open();

        Assert.Equal(Enumerable.Range(0, 20), await Task.WhenAll(calls).WaitAsync(s_patience));
        Assert.Equal(3, hall.MostInside);
    }

    [Fact]
    public async Task Mailbox_IsFull_AnRpcIsRefusedWithItsStatus()
    {
        var hall = await StartAsync();
        var client = Client();
        var calls = Enumerable.Range(0, ActorMailbox.Capacity + 1).Select(id => client.Stay(id)).ToList();
        await Assert.ThrowsAsync<ClusterException>(() => client.Stay(-1)); // behind the others, over the same connection
        using var channel = RpcChannel.ForAddress(_server!.Address);

        var error = await Assert.ThrowsAsync<RpcException>(async () => await new V1.ActorService.ActorServiceClient(channel).CallAsync(
            new V1.CallRequest { Method = "Stay", Arguments = "[-1]" },
            new Metadata { { "authorization", $"Bearer {_server.Token}" }, { ProtocolVersion.Metadata, ProtocolVersion.Current } }));

        Assert.Equal((StatusCode.ResourceExhausted, "1000 calls wait for this actor already."), (error.StatusCode, error.Status.Detail));
        hall.Open();
        await Task.WhenAll(calls).WaitAsync(s_patience);
    }

    /// <summary>A session has a slot for each open call; what is more than the slots waits for one, at the client.</summary>
    [Fact]
    public async Task Calls_MoreThanASessionHasSlots_AllRunOnce()
    {
        var hall = await StartAsync(new ActorOptions { MaxConcurrency = 10_000 });
        var client = Client();
        var calls = Enumerable.Range(0, SessionHost.MostSlots + 500).Select(id => client.Stay(id)).ToList();
        await Eventually.True(() => hall.Inside == SessionHost.MostSlots, () => $"{hall.Inside} are inside.");

        hall.Open();

        Assert.Equal(Enumerable.Range(0, calls.Count), await Task.WhenAll(calls).WaitAsync(s_patience));
        Assert.Equal((calls.Count, SessionHost.MostSlots), (hall.Entered, hall.MostInside));
    }

    [Fact]
    public async Task Chain_Of64_IsTheLongest()
    {
        var hall = await StartAsync(new ActorOptions { Reentrant = true });

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Client().Down().WaitAsync(s_patience));

        Assert.StartsWith("hall.Down would be the call number 65 of one chain: 64 is the most. hall.Down -> hall.Down -> ", error.Message, StringComparison.Ordinal);
        Assert.Equal(65, hall.Entered); // the first one comes from no other
    }

    [Fact]
    public async Task Stop_CallsOutlastTheDrain_AreCancelled_AndThoseThatWaitNeverRun()
    {
        var hall = await StartAsync(drain: TimeSpan.FromMilliseconds(100));
        var running = Client().Stay(1);
        await Eventually.True(() => hall.Inside == 1, "It does not run.");
        var waiting = Client().Stay(2);
        Assert.True(await _last!.IsHealthyAsync()); // asked after the call, over the same connection

        await _server!.StopAsync().WaitAsync(s_patience);

        await Assert.ThrowsAnyAsync<Exception>(() => running.WaitAsync(s_patience));
        await Assert.ThrowsAnyAsync<Exception>(() => waiting.WaitAsync(s_patience));
        Assert.Equal((1, 1), (hall.Entered, hall.Cancelled));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rpc_DeadlinePassesOrCallerCancels_TheMethodIsTold(bool deadline)
    {
        var hall = await StartAsync();
        using var channel = RpcChannel.ForAddress(_server!.Address);
        using var cancel = new CancellationTokenSource();
        using var call = new V1.ActorService.ActorServiceClient(channel).CallAsync(
            new V1.CallRequest { Method = "Stay", Arguments = "{\"id\": 1}" },
            new Metadata { { "authorization", $"Bearer {_server.Token}" }, { ProtocolVersion.Metadata, ProtocolVersion.Current } },
            deadline ? TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(1) : null,
            cancel.Token);
        await Eventually.True(() => hall.Entered == 1, "It does not run.");

        if (!deadline)
        {
            await cancel.CancelAsync();
        }

        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync.WaitAsync(s_patience));
        Assert.Equal(deadline ? StatusCode.DeadlineExceeded : StatusCode.Cancelled, error.StatusCode);
        await Eventually.True(() => hall is { Cancelled: 1, Inside: 0 }, "The method was not told.");
    }

    [Fact]
    public void Options_ThatMeanNothing_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ActorCallOptions { Timeout = TimeSpan.Zero });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ActorCallOptions { Timeout = TimeSpan.FromSeconds(-2) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ActorCallOptions { Retries = -1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ActorOptions { MaxConcurrency = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPoolOptions { Prefetch = 0 });
        Assert.Equal((TimeSpan.FromSeconds(30), 0, 64 << 20), (new ActorCallOptions().Timeout, new ActorCallOptions().Retries, new ActorCallOptions().MaxMessageSize)); // seed 001
        Assert.Equal((1, false, TimeSpan.FromSeconds(5), 64 << 20), (new ActorOptions().MaxConcurrency, new ActorOptions().Reentrant, new ActorServerOptions().DrainTime, new ActorServerOptions().MaxMessageSize));
    }

    [Fact]
    public async Task Exceptions_OfTheMethod_AreNeverRetried()
    {
        var hall = await StartAsync();

        await Assert.ThrowsAsync<TimeoutException>(() => Client(new ActorCallOptions { Retries = 5 }).Throw()); // not even one that looks like the network's

        Assert.Equal(1, hall.Entered);
    }

    [Fact]
    public async Task UnixSocket_TakesCallsBesideThePort_AndReplacesAnOldOne()
    {
        var path = _directory.File("actors.sock");
        await File.WriteAllTextAsync(path, "left behind");
        var hall = await StartAsync(unixSocket: path);
        hall.Open();
        var client = new ActorClient<IHall>($"unix://{path}", "hall", _server!.Token);
        _clients.Add(client);

        Assert.Equal(7, await client.Actor.Stay(7));
        Assert.Equal(8, await Client().Stay(8));
        Assert.True(await client.IsHealthyAsync());
        using var stranger = new ActorClient<IHall>($"unix://{path}", "hall", "no token");
        Assert.Equal(ClusterError.Unauthenticated, (await Assert.ThrowsAsync<ClusterException>(() => stranger.Actor.Stay(9))).Error);
    }

    [Fact]
    public async Task Messages_OfProtobuf_TravelAsThemselves()
    {
        await StartAsync();
        var time = new Timestamp { Seconds = long.MaxValue / 4, Nanos = 5 };

        var later = await Client().Later(time, 2);

        Assert.Equal(new Timestamp { Seconds = time.Seconds + 2, Nanos = 5 }, later); // no date that JSON's form of it could tell
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
        _directory.Dispose();
    }

    private async Task<Hall> StartAsync(ActorOptions? options = null, TimeSpan? drain = null, string? unixSocket = null)
    {
        _server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null, DrainTime = drain ?? TimeSpan.FromSeconds(5), UnixSocket = unixSocket });
        var hall = new Hall(this);
        _server.Register("hall", hall, options);
        await _server.StartAsync();
        return hall;
    }

    private IHall Client(ActorCallOptions? options = null)
    {
        var client = new ActorClient<IHall>(_server!.Address.ToString(), "hall", _server.Token, options ?? new ActorCallOptions { Timeout = s_patience });
        _clients.Add(client);
        _last = client;
        return client.Actor;
    }

    private sealed class Hall(ActorLimitsTests test) : IHall
    {
        private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _inside;
        private int _entered;
        private int _cancelled;
        private int _most;

        public int Inside => Volatile.Read(ref _inside);

        public int Entered => Volatile.Read(ref _entered);

        public int Cancelled => Volatile.Read(ref _cancelled);

        public int MostInside => Volatile.Read(ref _most);

        public void Open() => _open.SetResult();

        public async Task<int> Stay(int id, CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _entered);
            var inside = Interlocked.Increment(ref _inside);
            for (var most = _most; inside > most; most = Volatile.Read(ref _most))
            {
                Interlocked.CompareExchange(ref _most, inside, most);
            }

            try
            {
                await _open.Task.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref _cancelled);
                throw;
            }
            finally
            {
                Interlocked.Decrement(ref _inside);
            }

            return id;
        }

        public async Task<int> Down()
        {
            Interlocked.Increment(ref _entered);
            return 1 + await test.Client().Down();
        }

        public Task Throw()
        {
            Interlocked.Increment(ref _entered);
            throw new TimeoutException("mine");
        }

        public Task<Timestamp> Later(Timestamp time, int seconds) => Task.FromResult(new Timestamp { Seconds = time.Seconds + seconds, Nanos = time.Nanos });
    }
}
