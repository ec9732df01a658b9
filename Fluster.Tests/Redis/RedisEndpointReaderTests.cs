using System.Globalization;
using System.Text.Json;
using Fluster.Cluster;
using Fluster.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Fluster.Tests;

/// <summary>What a reader of the copy in Redis knows, with a real Redis that is stopped, wiped and written behind its back.</summary>
public sealed class RedisEndpointReaderTests : IAsyncLifetime, IDisposable
{
    private const string ClusterId = "c1";

    private readonly EndpointProjectorTests.Endpoints _endpoints = new();
    private readonly CancellationTokenSource _stop = new();
    private RedisServer? _server;
    private ConnectionMultiplexer? _redis;
    private EndpointProjector? _projector;
    private Task _running = Task.CompletedTask;

    [ToolFact("redis-server")]
    public async Task Connect_NothingIsWrittenThere_SaysSo()
    {
        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => RedisEndpointReader.ConnectAsync(_redis!, "another"));

        Assert.Contains("another", exception.Message, StringComparison.Ordinal);
    }

    [ToolFact("redis-server")]
    public async Task Reader_FollowsTheChanges_AndFindsByNameAndPrefix()
    {
        _endpoints.With("default", "calc", "e-1", "e-2").With("default", "calculator", "e-3").With("other", "calc", "e-4");
        await using var reader = await StartAsync();

        var found = await reader.LookupAsync(Namespace.Default, "calc");
        Assert.Equal(["e-1", "e-2"], Ids(found));
        Assert.Equal(("10.0.0.1:30001", "trainer-1a2b3c4d", "1.0"), (found[0].Address, found[0].OwnerJob.ToString(), found[0].Metadata["version"]));
        Assert.Equal(["e-1", "e-2", "e-3"], Ids(await reader.ListAsync(Namespace.Default, "calc")));
        Assert.Equal(["e-4"], Ids(await reader.ListAsync(Namespace.Parse("other"), "")));
        Assert.Empty(await reader.LookupAsync(Namespace.Default, "nobody"));

        Change("default", "calc", "e-2", "e-5");
        await Shows(reader, "calc", "e-2", "e-5");
        Change("default", "calc");
        await Shows(reader, "calc");
    }

    [ToolFact("redis-server")]
    public async Task Watch_OneName_BeginsWithWhatIsThere_ThenTellsEveryChange()
    {
        _endpoints.With("default", "calc", "e-1");
        await using var reader = await StartAsync();
        await using var updates = reader.WatchAsync(Namespace.Default, "calc").GetAsyncEnumerator();

        Assert.True(await updates.MoveNextAsync());
        Assert.Equal((true, "e-1"), (updates.Current.IsReset, Assert.Single(updates.Current.Registered).Id.ToString()));
        Change("default", "other", "e-9");
        Change("default", "calc", "e-1", "e-2");
        Assert.True(await updates.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal((false, "e-2"), (updates.Current.IsReset, Assert.Single(updates.Current.Registered).Id.ToString()));
        Change("default", "calc", "e-2");
        Assert.True(await updates.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal("e-1", Assert.Single(updates.Current.Removed).ToString());
    }

    [ToolFact("redis-server")]
    public async Task Reader_ThatWasNotTold_NoticesTheOtherVersion()
    {
        _endpoints.With("default", "calc", "e-1");
        await using var reader = await StartAsync();
        await StopProjectorAsync();

        // As a write whose message was lost.
        var endpoint = JsonSerializer.SerializeToUtf8Bytes(
            ProjectedEndpoint.From(new RegisteredEndpoint(EndpointId.Parse("e-2"), Namespace.Default, "silent", "10.0.0.1:1")), ProjectionJson.Default.ProjectedEndpoint);
        await Redis.HashSetAsync("fluster:{c1}:endpoints:default:silent", "e-2", endpoint);
        await Redis.SortedSetAddAsync("fluster:{c1}:names", "default:silent", 0);
        await Redis.HashIncrementAsync("fluster:{c1}:version", "version");

        await Shows(reader, "silent", "e-2");
    }

    [ToolFact("redis-server")]
    public async Task Reader_WhoseSubscriptionIsCut_ReadsEverythingAgain()
    {
        _endpoints.With("default", "calc", "e-1");
        await using var reader = await StartAsync();

        await Redis.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
        Change("default", "calc", "e-2");

        await Shows(reader, "calc", "e-2");
    }

    [ToolFact("redis-server")]
    public async Task Redis_IsDown_ReaderGoesOnWithWhatItKnows_AndSaysHowOldThatIs()
    {
        _endpoints.With("default", "calc", "e-1");
        await using var reader = await StartAsync();
        var before = reader.AsOf;
        await Eventually.True(() => reader.AsOf > before, "The view is not confirmed while nothing changes.");

        await _server!.StopAsync();
        Change("default", "calc", "e-2");
        await Eventually.True(() => _projector!.State == ProjectionState.Unreachable, () => $"{_projector!.State}");
        var down = TimeProvider.System.GetUtcNow();
        Assert.Equal(["e-1"], Ids(await reader.LookupAsync(Namespace.Default, "calc")));
        Assert.True((await reader.LookupAsync(Namespace.Default, "calc")).AsOf < down);
        await _server.RestartAsync();

        await Shows(reader, "calc", "e-2");
        Assert.True(reader.AsOf > down);
    }

    [ToolFact("redis-server")]
    public async Task Redis_IsWipedAndTheControllerAway_ReaderKeepsWhatItKnows()
    {
        _endpoints.With("default", "calc", "e-1");
        await using var reader = await StartAsync();
        await StopProjectorAsync();

        await Redis.ExecuteAsync("FLUSHALL");
        await Redis.PublishAsync("fluster:{c1}:changes", "what is no change"); // makes it look

        await Eventually.True(async () => await Redis.KeyExistsAsync("fluster:{c1}:version") == false, () => "It is there.");
        var before = await LooksAsync();
        await Eventually.True(async () => await LooksAsync() >= before + 2, () => "The reader does not look.");
        Assert.Equal(["e-1"], Ids(await reader.LookupAsync(Namespace.Default, "calc")));
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
        await StopProjectorAsync();
        _redis?.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    public void Dispose() => _stop.Dispose();

    private IDatabase Redis => _redis!.GetDatabase();

    private static IEnumerable<string> Ids(IEnumerable<RegisteredEndpoint> endpoints) => endpoints.Select(endpoint => endpoint.Id.ToString());

    private static Task Shows(RedisEndpointReader reader, string name, params string[] ids) => Eventually.True(
        async () => Ids(await reader.LookupAsync(Namespace.Default, name)).SequenceEqual(ids), () => $"It does not show {string.Join(", ", ids)}.");

    private void Change(string @namespace, string name, params string[] ids) => _projector!.Enqueue([_endpoints.Set(@namespace, name, ids)]);

    private async Task<RedisEndpointReader> StartAsync()
    {
        _projector = EndpointProjector.TryCreate(new Registered(_redis!), ClusterId, 1, _endpoints.Snapshot, TimeProvider.System, NullLogger.Instance)!;
        _running = Task.Run(() => _projector.RunAsync(_stop.Token));
        await Eventually.True(() => _projector.WrittenVersion == _endpoints.Version, () => $"{_projector.State}");
        return await RedisEndpointReader.ConnectAsync(_redis!, ClusterId);
    }

    /// <summary>How often the version was read.</summary>
    private async Task<long> LooksAsync()
    {
        var commands = (string)(await Redis.ExecuteAsync("INFO", "commandstats"))!;
        const string Name = "cmdstat_hmget:calls=";
        var line = commands.Split('\n').FirstOrDefault(line => line.StartsWith(Name, StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line[Name.Length..line.IndexOf(',', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
    }

    private async Task StopProjectorAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>A container with nothing but the connection, which it does not own.</summary>
    private sealed class Registered(IConnectionMultiplexer redis) : IServiceProvider
    {
        public object? GetService(Type serviceType) => serviceType == typeof(IConnectionMultiplexer) ? redis : null;
    }
}
