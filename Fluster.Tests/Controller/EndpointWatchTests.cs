using System.Collections.Concurrent;
using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Watching endpoints through a real controller: nothing is missed, whoever breaks off, restarts or is slow.</summary>
public sealed class EndpointWatchTests : IAsyncLifetime
{
    private ControllerProcess _controller = null!;
    private FlusterClient _client = null!;
    private IEndpointRegistration _registration = null!;

    public async Task InitializeAsync()
    {
        _controller = await ControllerProcess.StartAsync();
        _client = _controller.Client();
        _registration = await _client.EndpointRegistry.OpenRegistrationAsync();
    }

    public async Task DisposeAsync()
    {
        await _registration.DisposeAsync();
        await _client.DisposeAsync();
        await _controller.DisposeAsync();
    }

    [Fact]
    public async Task Watch_OneName_BeginsWithWhatIsThere_ThenTellsEveryChange()
    {
        var first = await _registration.RegisterAsync("calc", "10.0.0.1:1");
        await _registration.RegisterAsync("calculator", "10.0.0.1:2");
        await using var updates = _client.EndpointRegistry.WatchAsync(Namespace.Default, "calc").GetAsyncEnumerator();

        var begin = await Next(updates);
        var second = await _registration.RegisterAsync("calc", "10.0.0.1:3");
        var added = await Next(updates);
        await _registration.UnregisterAsync(first.Id);
        var removed = await Next(updates);

        Assert.True(begin.IsReset);
        Assert.Equal(first.Id, Assert.Single(begin.Registered).Id);
        Assert.Equal((false, second.Id), (added.IsReset, Assert.Single(added.Registered).Id));
        Assert.Equal((false, first.Id), (removed.IsReset, Assert.Single(removed.Removed)));
    }

    [Fact]
    public async Task Watch_ControllerKilled_GoesOnWithTheWholeListAndThenChanges()
    {
        var first = await _registration.RegisterAsync("calc", "10.0.0.1:1");
        await using var updates = _client.EndpointRegistry.WatchPrefixAsync(Namespace.Default, "").GetAsyncEnumerator();
        await Next(updates);

        await _controller.KillAsync();
        await _controller.StartAsync();
        var again = await Next(updates);
        var second = await _registration.RegisterAsync("calc", "10.0.0.1:2");
        var added = await Next(updates);

        Assert.Equal((true, first.Id), (again.IsReset, Assert.Single(again.Registered).Id));
        Assert.Equal((false, second.Id), (added.IsReset, Assert.Single(added.Registered).Id));
    }

    [Fact]
    public async Task Watch_ResumedFromAVersion_GetsWhatCameSince_AndFromAnotherEpochEverything()
    {
        using var channel = _controller.Channel();
        var service = ControllerProcess.Service(channel);
        await _registration.RegisterAsync("calc", "10.0.0.1:1");
        V1.WatchEndpointsResponse known;
        using (var watch = service.WatchEndpoints(new V1.WatchEndpointsRequest(), _controller.Headers()))
        {
            known = await Read(watch);
        }

        var since = await _registration.RegisterAsync("other", "10.0.0.1:2");
        using var resumed = service.WatchEndpoints(new V1.WatchEndpointsRequest { Epoch = known.Epoch, Version = known.Version }, _controller.Headers());
        using var foreign = service.WatchEndpoints(new V1.WatchEndpointsRequest { Epoch = known.Epoch + 1, Version = known.Version }, _controller.Headers());
        using var named = service.WatchEndpoints(new V1.WatchEndpointsRequest { Name = "calc", Epoch = known.Epoch, Version = known.Version }, _controller.Headers());

        var changes = await Read(resumed);
        Assert.Equal((false, since.Id.ToString()), (changes.Reset, Assert.Single(changes.Changes).Endpoint.EndpointId));
        var all = await Read(foreign);
        Assert.Equal((true, 2), (all.Reset, all.Changes.Count));
        var none = await Read(named);
        Assert.Equal((false, 0, changes.Version), (none.Reset, none.Changes.Count, none.Version));
    }

    [Fact]
    public async Task Watch_TooFarBehind_GetsTheWholeListInstead_AndNobodyWaitsForIt()
    {
        using var channel = _controller.Channel();
        using var slow = ControllerProcess.Service(channel).WatchEndpoints(new V1.WatchEndpointsRequest { Prefix = "n" }, _controller.Headers());
        Assert.True((await Read(slow)).Reset);

        // More than the connection's buffers take in, and it does not read.
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["filler"] = new('x', 4_000) };
        var ids = new ConcurrentQueue<EndpointId>();
        for (var round = 0; round < 4; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 800).Select(async number => ids.Enqueue((await _registration.RegisterAsync($"n{number}", "10.0.0.1:1", metadata)).Id)));
            await Task.WhenAll(Enumerable.Range(0, 790).Select(_ => ids.TryDequeue(out var id) ? _registration.UnregisterAsync(id) : Task.CompletedTask));
        }

        var last = await _registration.RegisterAsync("n-last", "10.0.0.1:1");
        var seen = new Dictionary<string, V1.Endpoint>(StringComparer.Ordinal);
        var resets = 0;
        while (!seen.ContainsKey(last.Id.ToString()))
        {
            var part = await Read(slow);
            if (part.Reset)
            {
                resets++;
                seen.Clear();
            }

            foreach (var change in part.Changes)
            {
                if (change.Removed)
                {
                    seen.Remove(change.Endpoint.EndpointId);
                }
                else
                {
                    seen[change.Endpoint.EndpointId] = change.Endpoint;
                }
            }
        }

        Assert.True(resets > 0, "It was told every change.");
        var all = await _client.EndpointRegistry.ListAsync(Namespace.Default, "n");
        Assert.Equal(all.Select(endpoint => endpoint.Id.ToString()).Order(StringComparer.Ordinal), seen.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Watch_OfAnotherNamespace_IsRefused_AndTheirEndpointsAreNotSeen()
    {
        using var channel = _controller.Channel();
        var token = _controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "prod", ExpiresAt = 0 });
        await _registration.RegisterAsync("calc", "10.0.0.1:1");
        using var own = ControllerProcess.Service(channel).WatchEndpoints(new V1.WatchEndpointsRequest(), _controller.Headers(token));
        using var foreign = ControllerProcess.Service(channel).WatchEndpoints(new V1.WatchEndpointsRequest { Namespace = "default" }, _controller.Headers(token));

        Assert.Empty((await Read(own)).Changes);
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => Read(foreign))).StatusCode);
    }

    private static async Task<EndpointUpdate> Next(IAsyncEnumerator<EndpointUpdate> updates)
    {
        Assert.True(await updates.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
        return updates.Current;
    }

    private static async Task<V1.WatchEndpointsResponse> Read(AsyncServerStreamingCall<V1.WatchEndpointsResponse> watch)
    {
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30)));
        return watch.ResponseStream.Current;
    }
}
