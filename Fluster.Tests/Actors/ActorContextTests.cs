using System.Collections.Concurrent;
using System.Diagnostics;
using Fluster.Actors;
using Fluster.Cluster;
using Fluster.Rpc;
using Grpc.Core;
using V1 = Fluster.Actors.V1;

namespace Fluster.Tests;

/// <summary>
/// Which context, trace and deadline a method of an actor runs in, however its call came to it: neither follows a call through a mailbox by itself
/// (seed 002; the hand-overs without actors are in <see cref="FlusterContextTests"/>).
/// </summary>
public sealed class ActorContextTests : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly FlusterContext s_servers = new() { Namespace = Namespace.Parse("of-the-server"), JobId = JobId.Parse("server-1a2b3c4d") };
    private static readonly FlusterContext s_callers = new() { Namespace = Namespace.Parse("of-the-caller"), JobId = JobId.Parse("caller-1a2b3c4d") };

    private readonly ActorServer _server = new(new ActorServerOptions { Announcements = TextWriter.Null });
    private readonly List<IDisposable> _clients = [];

    public interface IWhere
    {
        Task<List<string>> HandOvers();

        Task<string> Where();

        IAsyncEnumerable<string> Stream(int count);

        Task Block();

        Task<string?> Trace(int nested);

        Task WaitFor(string next, CancellationToken cancellationToken);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Call_FromAnotherJob_RunsInTheJobThatServes_InEveryHandOver(bool suppressed)
    {
        await StartAsync(suppressed);
        var client = Client("where");
        using var scope = s_callers.Enter();

        var seen = await client.HandOvers();

        Assert.Equal(Enumerable.Repeat("server-1a2b3c4d", 6), seen);
        Assert.Same(s_callers, FlusterContext.Current); // the answer does not bring the server's along
    }

    [Fact]
    public async Task Calls_ThatWaitedInTheMailbox_RunInTheJobThatServes()
    {
        var where = await StartAsync();
        using var scope = s_callers.Enter();
        var holder = Client("where").Block();
        await where.Entered.WaitAsync(s_patience);
        var waiting = Enumerable.Range(0, 10).Select(_ => Client("where").Where()).ToList();

        where.Gate.Release();

        Assert.All(await Task.WhenAll(waiting).WaitAsync(s_patience), job => Assert.Equal("server-1a2b3c4d", job));
        await holder;
    }

    /// <summary>A slow reader makes the stream leave the actor and come back: what is entered for it must be there again.</summary>
    [Fact]
    public async Task Stream_ReadSlowly_RunsInTheJobThatServes()
    {
        await StartAsync();
        using var scope = s_callers.Enter();
        var seen = new List<string>();
        await foreach (var job in Client("where").Stream(3 * ItemReceiver.MostItems))
        {
            seen.Add(job);
            Assert.Same(s_callers, FlusterContext.Current);
            await Task.Yield();
        }

        Assert.Equal(Enumerable.Repeat("server-1a2b3c4d", 3 * ItemReceiver.MostItems), seen);
    }

    [Fact]
    public async Task Call_ByRpc_RunsInTheJobThatServes()
    {
        await StartAsync();
        using var scope = s_callers.Enter();
        using var channel = RpcChannel.ForAddress(_server.Address);

        var answer = await new V1.ActorService.ActorServiceClient(channel).CallAsync(
            new V1.CallRequest { Actor = "where", Method = "Where" },
            new Metadata { { "authorization", $"Bearer {_server.Token}" }, { ProtocolVersion.Metadata, ProtocolVersion.Current } });

        Assert.Equal("\"server-1a2b3c4d\"", answer.Value);
    }

    /// <summary>In the namespace of who makes it: a client's watch belongs to no job. A resolver's own namespace goes before the job's.</summary>
    [Theory]
    [InlineData("argument", "own", "argument")]
    [InlineData(null, "own", "own")]
    [InlineData(null, null, "of-the-caller")]
    public async Task Client_MadeInAJob_LooksWhereItsResolverSays(string? argument, string? own, string expected)
    {
        await using var cluster = new LocalClient();
        var resolver = new ClusterResolver(cluster, own is null ? null : Namespace.Parse(own));
        var asked = argument is null ? (Namespace?)null : Namespace.Parse(argument);
        ActorClient<IWhere> client;
        ActorPool<IWhere> pool;
        using (s_callers.Enter())
        {
            client = new ActorClient<IWhere>(resolver, "where", asked, new ActorCallOptions { Timeout = TimeSpan.FromMilliseconds(100) });
            pool = new ActorPool<IWhere>(resolver, "where", asked);
        }

        _clients.AddRange([client, pool]);
        await using var registration = await cluster.EndpointRegistry.OpenRegistrationAsync(Namespace.Parse(expected));
        var nobody = await Assert.ThrowsAsync<TimeoutException>(() => client.Actor.Where());
        var empty = await Assert.ThrowsAsync<ClusterException>(() => pool.Call().Where());
        await registration.RegisterAsync("where", "127.0.0.1:1");

        await pool.WaitForSizeAsync(1, s_patience);
        Assert.Contains($"nobody serves 'where' in the namespace {expected}", nobody.Message, StringComparison.Ordinal);
        Assert.Contains($"nobody serves that name in the namespace {expected}.", empty.Message, StringComparison.Ordinal);
    }

    /// <summary>One trace from the caller through two actors, although both calls wait in a mailbox.</summary>
    [Fact]
    public async Task Trace_OfACall_GoesThroughMailboxesToNestedCalls()
    {
        var where = await StartAsync();
        _server.Register("inner", new Place(this));
        var spans = new ConcurrentBag<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Fluster.Actors",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        var holder = Client("where").Block();
        await where.Entered.WaitAsync(s_patience);
        using var root = new Activity("root").Start();

        var call = Client("where").Trace(1);
        var failing = Client("where").Trace(-1);
        where.Gate.Release();

        Assert.Equal(root.TraceId.ToString(), await call.WaitAsync(s_patience));
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => failing.WaitAsync(s_patience));
        await holder;
        await Eventually.True(() => spans.Count(span => span.TraceId == root.TraceId) == 6, "There are not six spans.");
        var own = spans.Where(span => span.TraceId == root.TraceId).ToList();
        var outer = Assert.Single(own, span => span is { Kind: ActivityKind.Server, DisplayName: "where.Trace", Status: ActivityStatusCode.Unset });
        var inner = Assert.Single(own, span => span is { Kind: ActivityKind.Server, DisplayName: "inner.Trace" });
        var between = own.Single(span => span.SpanId == inner.ParentSpanId);
        Assert.Equal((ActivityKind.Client, "inner.Trace", outer.SpanId), (between.Kind, between.DisplayName, between.ParentSpanId));
        Assert.Equal(root.SpanId, own.Single(span => span.SpanId == outer.ParentSpanId).ParentSpanId);
        Assert.Equal([ActivityKind.Client, ActivityKind.Server], own.Where(span => span.Status == ActivityStatusCode.Error).Select(span => span.Kind).Order().Reverse());
        Assert.Equal(("where", "Trace"), (outer.GetTagItem("fluster.actor"), outer.GetTagItem("fluster.method")));
    }

    /// <summary>The inner client allows 30 seconds; the outer caller's 300 ms count, for the inner method's token too.</summary>
    [Fact]
    public async Task Deadline_OfTheOuterCall_CancelsTheInnerMethod()
    {
        await StartAsync();
        var inner = new Place(this);
        _server.Register("inner", inner);
        var hasty = Owned(new ActorClient<IWhere>(_server.Address.ToString(), "where", _server.Token, new ActorCallOptions { Timeout = TimeSpan.FromMilliseconds(300) })).Actor;
        var since = Stopwatch.GetTimestamp();

        await Assert.ThrowsAsync<TimeoutException>(() => hasty.WaitFor("inner", CancellationToken.None));
        await inner.Cancelled.WaitAsync(s_patience);

        Assert.InRange(Stopwatch.GetElapsedTime(since).TotalSeconds, 0.2, 20); // not the 30 s of the inner client
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        await _server.DisposeAsync();
    }

    private async Task<Place> StartAsync(bool suppressed = false)
    {
        var where = new Place(this);
        _server.Register("where", where);
        Task started;
        using (s_servers.Enter())
        {
            if (suppressed)
            {
                using var _ = ExecutionContext.SuppressFlow();
                started = _server.StartAsync();
            }
            else
            {
                started = _server.StartAsync();
            }
        }

        await started;
        return where;
    }

    private IWhere Client(string actor) => Owned(new ActorClient<IWhere>(_server.Address.ToString(), actor, _server.Token, new ActorCallOptions { Timeout = s_patience })).Actor;

    private ActorClient<IWhere> Owned(ActorClient<IWhere> client)
    {
        _clients.Add(client);
        return client;
    }

    private sealed class Place(ActorContextTests test) : IWhere
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public SemaphoreSlim Gate { get; } = new(0);

        public Task Entered => _entered.Task;

        public Task Cancelled => _cancelled.Task;

        private static string Job => FlusterContext.CurrentOrNull?.JobId.ToString() ?? "none";

        public async Task<List<string>> HandOvers()
        {
            var seen = new List<string> { Job };
            await Task.Yield();
            seen.Add(Job);
            seen.Add(await Task.Run(() => Job));
            var inThread = "";
            var thread = new Thread(() => inThread = Job);
            thread.Start();
            thread.Join();
            seen.Add(inThread);
            var ticked = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var timer = new Timer(_ => ticked.TrySetResult(Job), null, 0, Timeout.Infinite);
            seen.Add(await ticked.Task);
            seen.Add(await Task.CompletedTask.ContinueWith(_ => Job, TaskScheduler.Default));
            return seen;
        }

        public Task<string> Where() => Task.FromResult(Job);

        public async IAsyncEnumerable<string> Stream(int count)
        {
            for (var i = 0; i < count; i++)
            {
                yield return Job;
                if (i % 2 == 0)
                {
                    await Task.Yield();
                }
            }
        }

        public async Task Block()
        {
            _entered.SetResult();
            await Gate.WaitAsync(s_patience);
        }

        public async Task<string?> Trace(int nested)
        {
            await Task.Yield();
            return nested switch
            {
                < 0 => throw new InvalidTimeZoneException("no"),
                0 => Activity.Current?.TraceId.ToString(),
                _ => await test.Client("inner").Trace(nested - 1),
            };
        }

        public async Task WaitFor(string next, CancellationToken cancellationToken)
        {
            if (next.Length > 0)
            {
                await test.Client(next).WaitFor("", cancellationToken);
                return;
            }

            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                _cancelled.TrySetResult();
                throw;
            }
        }
    }
}
