using Fluster.Cluster;
using Fluster.Redis;
using StackExchange.Redis;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A controller and a real Redis, of which now one and now the other is away.</summary>
public sealed class RedisFaultTests : IAsyncLifetime
{
    private RedisServer? _server;
    private ConnectionMultiplexer? _redis;
    private ControllerProcess? _controller;
    private FlusterClient? _client;
    private IEndpointRegistration? _registration;
    private string? _clusterId;

    [ToolFact("redis-server")]
    public async Task Redis_StoppedByASignal_RegistrationsGoOn_AndItShowsThemWhenItRunsAgain()
    {
        var kept = await Register("kept");
        var removed = await Register("removed");
        await using var reader = await ReaderAsync();
        await Shows(reader, kept.Id, removed.Id);

        Signals.Send(_server!.ProcessId, Signals.Stop);
        try
        {
            var started = TimeProvider.System.GetTimestamp();
            var added = await Register("added");
            await _registration!.UnregisterAsync(removed.Id);
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(10), "Somebody waited for Redis.");
            await Eventually.True(async () => await RegistryAsync() == "redis (unreachable)", () => "It does not say that Redis is away.");
            Signals.Send(_server.ProcessId, Signals.Continue);

            await Shows(reader, kept.Id, added.Id);
            await Eventually.True(async () => await RegistryAsync() == "redis", () => "It does not say that Redis is back.");
        }
        finally
        {
            Signals.Send(_server.ProcessId, Signals.Continue);
        }
    }

    [ToolFact("redis-server")]
    public async Task Redis_RestartedEmpty_ThenWiped_ShowsEverythingAgain()
    {
        var first = await Register("first");
        await using var reader = await ReaderAsync();
        await Shows(reader, first.Id);

        await _server!.StopAsync();
        var second = await Register("second");
        await _server.RestartAsync();
        await Shows(reader, first.Id, second.Id);

        await _redis!.GetDatabase().ExecuteAsync("FLUSHALL");
        await Eventually.True(async () => (await InRedisAsync()).Count == 2, () => "It was not written again.");
        Assert.Equal(Sorted(first.Id, second.Id), await InRedisAsync());
    }

    [ToolFact("redis-server")]
    public async Task Controller_Killed_ReaderFindsTheEndpointsMeanwhile_AndItsViewAges()
    {
        var first = await Register("first");
        await using var reader = await ReaderAsync();
        await Shows(reader, first.Id);

        await _controller!.KillAsync();
        var killed = TimeProvider.System.GetUtcNow();
        await using (var late = await ReaderAsync()) // one that begins only now
        {
            var found = await late.LookupAsync(Namespace.Default, "first");
            Assert.Equal(first.Id, Assert.Single(found).Id);
            Assert.InRange(found.AsOf, killed - TimeSpan.FromMinutes(1), killed);
        }

        Assert.Equal(first.Id, Assert.Single(await reader.LookupAsync(Namespace.Default, "first")).Id);
        await _controller.StartAsync();
        var second = await Register("second");

        await Shows(reader, first.Id, second.Id);
        Assert.True(reader.AsOf > killed);
    }

    public async Task InitializeAsync()
    {
        if (Tools.Find("redis-server") is null)
        {
            return;
        }

        _server = await RedisServer.StartAsync();
        _redis = await ConnectionMultiplexer.ConnectAsync($"{_server.ConnectionString},abortConnect=false,allowAdmin=true");
        _controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal) { ["ConnectionStrings__registry"] = _server.ConnectionString });
        _client = _controller.Client();
        _registration = await _client.EndpointRegistry.OpenRegistrationAsync();
    }

    public async Task DisposeAsync()
    {
        if (_server is null)
        {
            return;
        }

        await _registration!.DisposeAsync();
        await _client!.DisposeAsync();
        await _controller!.DisposeAsync();
        _redis!.Dispose();
        await _server.DisposeAsync();
    }

    private static IEnumerable<string> Sorted(params EndpointId[] ids) => ids.Select(id => id.ToString()).Order(StringComparer.Ordinal);

    private static async Task Shows(RedisEndpointReader reader, params EndpointId[] ids)
    {
        IReadOnlyList<string> shown = [];
        await Eventually.True(
            async () => (shown = [.. (await reader.ListAsync(Namespace.Default, "")).Select(endpoint => endpoint.Id.ToString()).Order(StringComparer.Ordinal)]).SequenceEqual(Sorted(ids)),
            () => $"It shows {string.Join(", ", shown)}, as of {reader.AsOf:O}.");
    }

    private Task<RegisteredEndpoint> Register(string name) => _registration!.RegisterAsync(name, "10.0.0.1:1");

    private async Task<string> RegistryAsync() => (await StatusAsync()).Registry;

    private Task<V1.GetClusterStatusResponse> StatusAsync() =>
        _client!.Calls.CallAsync((service, options) => service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), options), CancellationToken.None);

    private async Task<RedisEndpointReader> ReaderAsync()
    {
        _clusterId ??= (await StatusAsync()).ClusterId;
        await Eventually.True(() => _redis!.GetDatabase().KeyExistsAsync($"fluster:{{{_clusterId}}}:version"), () => "Nothing is written.");
        return await RedisEndpointReader.ConnectAsync(_redis!, _clusterId);
    }

    private async Task<IReadOnlyList<string>> InRedisAsync()
    {
        var ids = new List<string>();
        foreach (var name in await _redis!.GetDatabase().SortedSetRangeByRankAsync($"fluster:{{{_clusterId}}}:names"))
        {
            ids.AddRange((await _redis.GetDatabase().HashKeysAsync($"fluster:{{{_clusterId}}}:endpoints:{name}")).Select(id => (string)id!));
        }

        return [.. ids.Order(StringComparer.Ordinal)];
    }
}
