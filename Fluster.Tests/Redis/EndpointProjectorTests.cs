using System.Collections.Immutable;
using System.Text.Json;
using Fluster.Cluster;
using Fluster.Redis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Fluster.Tests;

/// <summary>What readers find in Redis, with a real one that is stopped, wiped and taken over.</summary>
public sealed class EndpointProjectorTests : IAsyncLifetime
{
    private const string ClusterId = "c1";

    private readonly Endpoints _endpoints = new();
    private readonly List<(Task Run, CancellationTokenSource Stop)> _runs = [];
    private RedisServer? _server;
    private ConnectionMultiplexer? _redis;

    [ToolFact("redis-server")]
    public async Task Start_RedisShowsOtherThings_ShowsExactlyTheEndpoints()
    {
        await WriteAsync(epoch: 1, new Endpoints().With("default", "gone", "e-0").With("default", "calc", "e-old"));
        _endpoints.With("default", "calc", "e-1", "e-2").With("other", "calc", "e-3");

        var projector = Start(epoch: 2);

        await Shows(projector);
        Assert.Equal(["default:calc", "other:calc"], await Names());
        Assert.Equal(["e-1", "e-2"], await Ids("default:calc"));
        Assert.Equal(["e-3"], await Ids("other:calc"));
        Assert.False(await Redis.KeyExistsAsync("fluster:{c1}:endpoints:default:gone"));
    }

    [ToolFact("redis-server")]
    public async Task Enqueue_EndpointsChange_RedisFollowsAndTellsReaders()
    {
        var projector = Start();
        await Shows(projector);
        var told = new TaskCompletionSource<ProjectionChange>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _redis!.GetSubscriber().SubscribeAsync("fluster:{c1}:changes", (_, message) =>
            told.TrySetResult(JsonSerializer.Deserialize((byte[])message!, ProjectionJson.Default.ProjectionChange)!));

        projector.Enqueue([_endpoints.Set("default", "calc", "e-1")]);

        var change = await told.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(["default:calc"], change.Names);
        Assert.Equal((1, _endpoints.Version), (change.Epoch, change.Version));
        var endpoint = JsonSerializer.Deserialize((byte[])(await Redis.HashGetAsync("fluster:{c1}:endpoints:default:calc", "e-1"))!, ProjectionJson.Default.ProjectedEndpoint)!;
        Assert.Equal(("10.0.0.1:30001", "trainer-1a2b3c4d", "1099511627777"), (endpoint.Address, endpoint.OwnerJob, endpoint.OwnerFence));
        Assert.Equal("1.0", endpoint.Metadata!["version"]);

        projector.Enqueue([_endpoints.Set("default", "calc")]);
        await Shows(projector);
        Assert.Empty(await Names());
        Assert.False(await Redis.KeyExistsAsync("fluster:{c1}:endpoints:default:calc"));
    }

    [ToolFact("redis-server")]
    public async Task Names_OfOnePrefix_AreReadInOrder()
    {
        _endpoints.With("default", "b", "1").With("default", "pool:a", "2").With("default", "pool:b", "3").With("default2", "pool:c", "4");
        await Shows(Start());

        var names = await Redis.SortedSetRangeByValueAsync("fluster:{c1}:names", "default:pool:", "default:pool:\uffff");

        Assert.Equal(["default:pool:a", "default:pool:b"], names.Select(name => (string)name!));
    }

    [ToolFact("redis-server")]
    public async Task Redis_IsDownWhileEndpointsChange_ShowsThemWhenItIsBack()
    {
        _endpoints.With("default", "kept", "e-0").With("default", "removed", "e-1");
        var projector = Start();
        await Shows(projector);

        await _server!.StopAsync();
        projector.Enqueue([_endpoints.Set("default", "added", "e-2")]);
        await Eventually.True(() => projector.State == ProjectionState.Unreachable, () => $"{projector.State}");
        projector.Enqueue([_endpoints.Set("default", "removed")]);
        await _server.RestartAsync();

        await Shows(projector);
        Assert.Equal(["default:added", "default:kept"], await Names());
        Assert.Equal(ProjectionState.Current, projector.State);
    }

    [ToolFact("redis-server")]
    public async Task Redis_IsWipedWhileNothingChanges_ShowsTheEndpointsAgain()
    {
        _endpoints.With("default", "calc", "e-1");
        var projector = Start();
        await Shows(projector);

        await Redis.ExecuteAsync("FLUSHALL");

        await Eventually.True(async () => (await Names()).SequenceEqual(["default:calc"]), () => "the name is not back");
        Assert.Equal(["e-1"], await Ids("default:calc"));
    }

    [ToolFact("redis-server")]
    public async Task Redis_IsWipedJustBeforeAChange_ShowsAllEndpointsAndNotOnlyThatOne()
    {
        _endpoints.With("default", "calc", "e-1");
        var projector = Start();
        await Shows(projector);

        await Redis.ExecuteAsync("FLUSHALL");
        projector.Enqueue([_endpoints.Set("default", "added", "e-2")]);

        await Shows(projector);
        Assert.Equal(["default:added", "default:calc"], await Names());
    }

    [ToolFact("redis-server")]
    public async Task Redis_HasALaterEpoch_IsLeftAloneAndTheProjectorEnds()
    {
        await WriteAsync(epoch: 7, new Endpoints().With("default", "theirs", "e-7"));
        _endpoints.With("default", "ours", "e-1");

        var projector = Start(epoch: 6);

        await _runs[0].Run.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(ProjectionState.TakenOver, projector.State);
        Assert.Equal(["default:theirs"], await Names());
    }

    [ToolFact("redis-server")]
    public async Task Write_OlderThanWhatIsThere_IsRefused()
    {
        var writer = Writer(epoch: 1);
        var old = _endpoints.With("default", "calc", "old").Snapshot();
        var later = _endpoints.With("default", "calc", "new").Snapshot();
        Assert.Equal(ProjectionAnswer.Written, await writer.WriteAsync(later, [.. later.Names()], expected: null, DateTimeOffset.UnixEpoch, CancellationToken.None));

        Assert.Equal(ProjectionAnswer.LaterVersion, await writer.WriteAsync(old, [.. old.Names()], expected: null, DateTimeOffset.UnixEpoch, CancellationToken.None));
        Assert.Equal(ProjectionAnswer.NotAsExpected, await writer.WriteAsync(later, [.. later.Names()], expected: 99, DateTimeOffset.UnixEpoch, CancellationToken.None));

        Assert.Equal(["new"], await Ids("default:calc"));
    }

    [ToolFact("redis-server")]
    public async Task Keys_OfAllKinds_CarryTheClusterIdAndNeverExpire()
    {
        _endpoints.With("default", "calc", "e-1");
        await Shows(Start());

        var keys = _redis!.GetServer(_redis.GetEndPoints()[0]).Keys(pattern: "*").Select(key => (string)key!).Order(StringComparer.Ordinal).ToList();

        Assert.Equal(["fluster:{c1}:endpoints:default:calc", "fluster:{c1}:names", "fluster:{c1}:version"], keys);
        Assert.All(keys, key => Assert.Null(Redis.KeyTimeToLive(key)));
    }

    [ToolFact("redis-server")]
    public async Task Enqueue_ManyChangesWhileRedisComesAndGoes_NoneIsLost()
    {
        const int NameCount = 1000;
        var random = new Random(20260801);
        var projector = Start();
        for (var round = 0; round < 4; round++)
        {
            for (var i = 0; i < NameCount; i++)
            {
                var ids = Enumerable.Range(0, random.Next(3)).Select(n => $"e-{round}-{i}-{n}").ToArray();
                projector.Enqueue([_endpoints.Set("default", $"n-{random.Next(NameCount)}", ids)]);
                if (i % 50 == 0)
                {
                    await Task.Yield();
                }
            }

            if (round % 2 == 0)
            {
                await _server!.StopAsync();
                projector.Enqueue([_endpoints.Set("default", $"while-down-{round}", "e")]);
                await _server.RestartAsync();
            }
        }

        await Shows(projector);
        Assert.Equal(_endpoints.Names().Select(ProjectionKeys.Member).Order(StringComparer.Ordinal), await Names());
        foreach (var name in _endpoints.Names())
        {
            Assert.Equal(_endpoints.Named(name).Select(endpoint => endpoint.Id.ToString()).Order(StringComparer.Ordinal), await Ids(ProjectionKeys.Member(name)));
        }
    }

    [Fact]
    public void TryCreate_NoRedisRegistered_IsNull()
    {
        using var services = new ServiceCollection().BuildServiceProvider();

        Assert.Null(EndpointProjector.TryCreate(services, ClusterId, 1, () => _endpoints, TimeProvider.System, NullLogger.Instance));
    }

    public async Task InitializeAsync()
    {
        if (Tools.Find("redis-server") is not null)
        {
            _server = await RedisServer.StartAsync();
            _redis = await ConnectionMultiplexer.ConnectAsync($"{_server.ConnectionString},abortConnect=false,allowAdmin=true");
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var (run, stop) in _runs)
        {
            await stop.CancelAsync();
            await run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.Dispose();
        }

        _redis?.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    private IDatabase Redis => _redis!.GetDatabase();

    private EndpointProjector Start(long epoch = 1)
    {
        using var services = new ServiceCollection().AddSingleton<IConnectionMultiplexer>(_redis!).BuildServiceProvider();
        var projector = EndpointProjector.TryCreate(services, ClusterId, epoch, _endpoints.Snapshot, TimeProvider.System, NullLogger.Instance)!;
        var stop = new CancellationTokenSource();
        _runs.Add((Task.Run(() => projector.RunAsync(stop.Token)), stop));
        return projector;
    }

    private ProjectionWriter Writer(long epoch) => new(_redis!, new ProjectionKeys(ClusterId), epoch);

    private async Task WriteAsync(long epoch, Endpoints endpoints) =>
        await Writer(epoch).WriteAsync(endpoints, [.. endpoints.Names()], expected: null, DateTimeOffset.UnixEpoch, CancellationToken.None);

    private Task Shows(EndpointProjector projector) =>
        Eventually.True(() => projector.WrittenVersion == _endpoints.Version, () => $"{projector.State}, {projector.WrittenVersion} of {_endpoints.Version}");

    private async Task<IReadOnlyList<string>> Names() =>
        [.. (await Redis.SortedSetRangeByRankAsync("fluster:{c1}:names")).Select(name => (string)name!).Order(StringComparer.Ordinal)];

    private async Task<IReadOnlyList<string>> Ids(string name) =>
        [.. (await Redis.HashKeysAsync($"fluster:{{c1}}:endpoints:{name}")).Select(id => (string)id!).Order(StringComparer.Ordinal)];

    /// <summary>Stands in for the controller's state: immutable versions, replaced by every change.</summary>
    internal sealed class Endpoints : IEndpointView
    {
        private volatile View _view = new(1, ImmutableSortedDictionary<string, IReadOnlyList<RegisteredEndpoint>>.Empty);

        public long Version => _view.Version;

        public IReadOnlyList<RegisteredEndpoint> Named(EndpointName name) => _view.Named(name);

        public IEnumerable<EndpointName> Names() => _view.Names();

        public IEndpointView Snapshot() => _view;

        public Endpoints With(string @namespace, string name, params string[] ids)
        {
            Set(@namespace, name, ids);
            return this;
        }

        public EndpointName Set(string @namespace, string name, params string[] ids)
        {
            var key = new EndpointName(Namespace.Parse(@namespace), name);
            var endpoints = ids.Select(id => new RegisteredEndpoint(EndpointId.Parse(id), key.Namespace, name, "10.0.0.1:30001")
            {
                OwnerJob = JobId.Parse("trainer-1a2b3c4d"),
                OwnerFence = new Fence((1L << 40) + 1),
                Metadata = new Dictionary<string, string> { ["version"] = "1.0" },
            }).ToList();
            var map = _view.Map.Remove(ProjectionKeys.Member(key));
            _view = new View(_view.Version + 1, ids.Length == 0 ? map : map.Add(ProjectionKeys.Member(key), endpoints));
            return key;
        }

        private sealed record View(long Version, ImmutableSortedDictionary<string, IReadOnlyList<RegisteredEndpoint>> Map) : IEndpointView
        {
            public IReadOnlyList<RegisteredEndpoint> Named(EndpointName name) => Map.GetValueOrDefault(ProjectionKeys.Member(name)) ?? [];

            public IEnumerable<EndpointName> Names() => Map.Keys.Select(member => ProjectionKeys.TryParseMember(member)!.Value);
        }
    }
}
