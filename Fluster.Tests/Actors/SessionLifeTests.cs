using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>How long sessions live: tokens that end and are renewed, clients that stay away, attempts that were superseded.</summary>
public sealed class SessionLifeTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ShiftedTime _time = new();
    private readonly Working _actor = new();
    private ControllerProcess _controller = null!;
    private FlusterClient _client = null!;
    private IEndpointRegistration _registration = null!;
    private ActorServer _server = null!;

    public interface IWorking
    {
        IAsyncEnumerable<int> Items();

        Task<int> Wait(CancellationToken cancellationToken = default);

        Task<int> Answer();
    }

    public async Task InitializeAsync()
    {
        _controller = await ControllerProcess.StartAsync();
        _client = _controller.Client();
        _registration = await _client.EndpointRegistry.OpenRegistrationAsync();
        _server = new ActorServer(new ActorServerOptions { Registration = _registration, ClusterKey = _controller.ClusterKeyPem, TimeProvider = _time });
        _server.Register("working", _actor, new ActorOptions { MaxConcurrency = 16 });
        await _server.StartAsync();
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _registration.DisposeAsync();
        await _client.DisposeAsync();
        await _controller.DisposeAsync();
    }

    [Fact]
    public async Task Token_IsRenewed_StreamsGoOnPastTheEndOfTheOldOne()
    {
        var resolver = new RenewedResolver(_server.Address) { Token = JobToken(fence: 1, lifetime: TimeSpan.FromHours(1)) };
        using var renewing = new ActorClient<IWorking>(resolver, "working");
        await using var items = renewing.Actor.Items().GetAsyncEnumerator();
        await _actor.Emitted.Writer.WriteAsync(1);
        Assert.True(await items.MoveNextAsync().AsTask().WaitAsync(s_patience));

        // The server is told with the next ping.
        resolver.Token = JobToken(fence: 1, lifetime: TimeSpan.FromHours(3));
        await Eventually.True(() => _server.Sessions.State.FirstEnd > _time.GetUtcNow().AddHours(2), () => $"{_server.Sessions.State}");
        using var other = new ActorClient<IWorking>(_server.Address.ToString(), "working", JobToken(fence: 1, task: 1, lifetime: TimeSpan.FromHours(1)));
        Assert.Equal(42, await other.Actor.Answer().WaitAsync(s_patience));

        // Whoever has nothing newer is dropped, and stays out.
        _time.AdvanceWall(TimeSpan.FromMinutes(90));
        await Eventually.True(() => _server.Sessions.State.Connections == 1, () => $"{_server.Sessions.State}");
        Assert.Contains("expired", (await Assert.ThrowsAsync<ClusterException>(() => other.Actor.Answer().WaitAsync(s_patience))).Message, StringComparison.Ordinal);
        await _actor.Emitted.Writer.WriteAsync(2);
        Assert.True(await items.MoveNextAsync().AsTask().WaitAsync(s_patience));
        Assert.Equal(2, items.Current);
    }

    [Fact]
    public async Task Client_StaysAway_ItsCallIsCancelledAndThenItsSessionForgotten()
    {
        await using var proxy = new CuttingProxy(_server.Address, long.MaxValue, toServer: true);
        using var client = new ActorClient<IWorking>(proxy.Address, "working", JobToken(fence: 1));
        var call = client.Actor.Wait();
        await Eventually.True(() => _actor.Waiting == 1, "It does not run.");

        await proxy.DisposeAsync();
        await Eventually.True(() => _server.Sessions.State is { Sessions: 1, Connections: 0 }, () => $"{_server.Sessions.State}");
        _time.Advance(TimeSpan.FromSeconds(11));
        await Eventually.True(() => _actor.Cancelled == 1, "The call goes on for a client that is away.");
        Assert.Equal(1, _server.Sessions.State.Sessions);
        _time.Advance(TimeSpan.FromMinutes(10));
        await Eventually.True(() => _server.Sessions.State.Sessions == 0, () => $"{_server.Sessions.State}");

        await Assert.ThrowsAsync<OutcomeUnknownException>(() => call.WaitAsync(s_patience));
    }

    [Fact]
    public async Task Connection_SaysNothing_IsClosed()
    {
        using var silent = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await silent.ConnectAsync(_server.Address.Host, _server.Address.Port);
        await silent.SendAsync(SessionHost.Preface);
        await Eventually.True(() => _server.Sessions.State.Connections == 1, "It is not there.");

        _time.Advance(TimeSpan.FromSeconds(11));

        await Eventually.True(() => _server.Sessions.State.Connections == 0, "It is still there.");
        Assert.True(await IsClosedAsync(silent).WaitAsync(s_patience));
    }

    [Fact]
    public async Task Attempt_IsSuperseded_ItsCallEndsAndItMayCallNoMore()
    {
        using var old = new ActorClient<IWorking>(_server.Address.ToString(), "working", JobToken(fence: 5));
        var running = old.Actor.Wait();
        await Eventually.True(() => _actor.Waiting == 1, "It does not run.");

        using var next = new ActorClient<IWorking>(_server.Address.ToString(), "working", JobToken(fence: 6));
        using var other = new ActorClient<IWorking>(_server.Address.ToString(), "working", JobToken(fence: 1, task: 1)); // of another task
        Assert.Equal(42, await other.Actor.Answer().WaitAsync(s_patience));
        var answer = next.Actor.Answer();

        await Eventually.True(() => _actor.Cancelled == 1, "The old attempt's call goes on.");
        await Assert.ThrowsAnyAsync<Exception>(() => running.WaitAsync(s_patience));
        Assert.Equal(42, await answer.WaitAsync(s_patience));
        var refusal = await Assert.ThrowsAsync<ClusterException>(() => old.Actor.Answer().WaitAsync(s_patience));
        Assert.Equal(ClusterError.Unauthenticated, refusal.Error);
        Assert.Contains("was superseded", refusal.Message, StringComparison.Ordinal);
        using var older = new ActorClient<IWorking>(_server.Address.ToString(), "working", JobToken(fence: 4));
        Assert.Contains("was superseded", (await Assert.ThrowsAsync<ClusterException>(() => older.Actor.Answer().WaitAsync(s_patience))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Caller_OfAnotherNamespaceOrRole_IsRefused()
    {
        foreach (var (role, @namespace, refusal) in ((string, string, string?)[])[
            (TokenRoles.Job, "default", null),
            (TokenRoles.Service, "default", null),
            (TokenRoles.Admin, "other", null),
            (TokenRoles.Job, "other", "job in another namespace"),
            (TokenRoles.Service, "other", "service in another namespace"),
            (TokenRoles.Worker, "default", "role worker cannot call actors")])
        {
            using var client = new ActorClient<IWorking>(_server.Address.ToString(), "working", _controller.Sign(new TokenClaims { Role = role, Namespace = @namespace, ExpiresAt = 0 }));
            var called = await Record.ExceptionAsync(() => client.Actor.Answer().WaitAsync(s_patience));
            if (refusal is null)
            {
                Assert.Null(called);
            }
            else
            {
                Assert.Contains(refusal, Assert.IsType<ClusterException>(called).Message, StringComparison.Ordinal);
            }
        }
    }

    private static async Task<bool> IsClosedAsync(Socket socket)
    {
        try
        {
            return await socket.ReceiveAsync(new byte[1]) == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private string JobToken(ulong fence, int task = 0, TimeSpan? lifetime = null) => _controller.Sign(
        new TokenClaims { Role = TokenRoles.Job, Namespace = "default", Job = "caller-00000001", Task = task, Fence = fence, ExpiresAt = 0 }, lifetime);

    private sealed class Working : IWorking
    {
        private int _waiting;
        private int _cancelled;

        public Channel<int> Emitted { get; } = Channel.CreateUnbounded<int>();

        public int Waiting => Volatile.Read(ref _waiting);

        public int Cancelled => Volatile.Read(ref _cancelled);

        public IAsyncEnumerable<int> Items() => ReadAsync();

        public Task<int> Answer() => Task.FromResult(42);

        public async Task<int> Wait(CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _waiting);
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            }
            finally
            {
                Interlocked.Increment(ref _cancelled);
            }

            return 0;
        }

        private async IAsyncEnumerable<int> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await foreach (var item in Emitted.Reader.ReadAllAsync(cancellationToken))
            {
                yield return item;
            }
        }
    }

    /// <summary>One address, and a token that changes.</summary>
    private sealed class RenewedResolver(Uri address) : IActorResolver
    {
        private readonly FixedResolver _fixed = new("working", address.ToString());

        public string? Token { get; set; }

        public Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default) => _fixed.ResolveAsync(name, @namespace, cancellationToken);

        public IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default) => _fixed.WatchAsync(name, @namespace, cancellationToken);
    }
}
