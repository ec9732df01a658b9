using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Endpoints of processes that are no job, through a real controller that is killed and left alone.</summary>
public sealed class RegistrationTests : IAsyncLifetime
{
    private ControllerProcess _controller = null!;

    public async Task InitializeAsync() => _controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["Fluster__Controller__RegistrationLostSeconds"] = "4",
    });

    public async Task DisposeAsync() => await _controller.DisposeAsync();

    [Fact]
    public async Task Registration_Disposed_TakesItsEndpointsAlongAtOnce()
    {
        await using var client = Service();
        await using var registration = await client.EndpointRegistry.OpenRegistrationAsync();
        var kept = await registration.RegisterAsync("calc", "10.0.0.1:1", new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" });
        var removed = await registration.RegisterAsync("calc", "10.0.0.1:2");
        await registration.UnregisterAsync(removed.Id);
        await registration.UnregisterAsync(removed.Id);

        var found = Assert.Single(await Lookup(client, "calc"));
        await registration.DisposeAsync();

        Assert.Equal((kept.Id, "10.0.0.1:1", "b"), (found.Id, found.Address, found.Metadata["a"]));
        Assert.Null(found.OwnerJob);
        Assert.StartsWith("reg-", found.OwnerRegistration.ToString(), StringComparison.Ordinal);
        Assert.Empty(await Lookup(client, "calc"));
    }

    [Fact]
    public async Task Stream_Lost_EndpointsVanishAfterTheTicksAndNotBefore()
    {
        await using var client = Service();
        using var lost = new CancellationTokenSource();
        var stream = await OpenAsync("reg-1", lost.Token);
        await RegisterAsync("e1", "reg-1");
        await lost.CancelAsync();
        stream.Dispose();
        Assert.Single(await Lookup(client, "calc"));
        var since = TimeProvider.System.GetTimestamp();
        await Eventually.True(async () => (await Lookup(client, "calc")).Count == 0, () => "The endpoint is there.");

        // Four ticks, of which the first may come at once.
        Assert.InRange(TimeProvider.System.GetElapsedTime(since).TotalSeconds, 2, 25);
        var ended = await Assert.ThrowsAsync<RpcException>(() => RegisterAsync("e2", "reg-1"));
        var again = await Assert.ThrowsAsync<RpcException>(() => OpenAsync("reg-1", CancellationToken.None));
        var unknown = await Assert.ThrowsAsync<RpcException>(() => RegisterAsync("e2", "reg-2"));
        Assert.Equal((StatusCode.FailedPrecondition, StatusCode.FailedPrecondition, StatusCode.NotFound), (ended.StatusCode, again.StatusCode, unknown.StatusCode));
    }

    [Fact]
    public async Task Stream_OpenButSilent_IsLostToo()
    {
        await using var client = Service();
        using var stream = await OpenAsync("reg-1", CancellationToken.None);
        await RegisterAsync("e1", "reg-1");

        await Eventually.True(async () => (await Lookup(client, "calc")).Count == 0, () => "The endpoint is there.");
        await stream.RequestStream.WriteAsync(new V1.OpenRegistrationRequest { Beat = new V1.RegistrationBeat() });
        var told = await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(CancellationToken.None));

        Assert.Equal(StatusCode.FailedPrecondition, told.StatusCode);
    }

    [Fact]
    public async Task Controller_KilledAndBack_TheSameEndpointsAreThere()
    {
        await using var client = Service();
        await using var registration = await client.EndpointRegistry.OpenRegistrationAsync();
        var before = await registration.RegisterAsync("calc", "10.0.0.1:1");

        await _controller.KillAsync();
        await _controller.StartAsync();

        // Another one, opened later and silent, has lived its ticks: by then the first would be gone too, had it not been heard of.
        using var silent = await OpenAsync("reg-1", CancellationToken.None);
        await RegisterAsync("e1", "reg-1", "silent");
        await Eventually.True(async () => (await Lookup(client, "silent")).Count == 0, () => "The silent endpoint is there.");

        // On a machine so busy that the first was not heard in time either, it is filled again with the same ones.
        await Eventually.True(async () => (await Lookup(client, "calc")) is [var found] && found.Id == before.Id, () => "The endpoint is not there, or is another one.");
    }

    [Fact]
    public async Task Registration_EndedWhileNotHeardOf_IsOpenedAndFilledAgain()
    {
        await using var client = Service();
        await using var registration = await client.EndpointRegistry.OpenRegistrationAsync();
        var before = await registration.RegisterAsync("calc", "10.0.0.1:1");
        var id = Assert.Single(await Lookup(client, "calc")).OwnerRegistration!.Value;

        // Somebody else closes it behind its back, as the ticks would after a long silence.
        using (var other = await OpenAsync(id.ToString(), CancellationToken.None))
        {
            await other.RequestStream.WriteAsync(new V1.OpenRegistrationRequest { Close = new V1.RegistrationClose() });
            Assert.False(await other.ResponseStream.MoveNext(CancellationToken.None));
        }

        var added = await registration.RegisterAsync("calc", "10.0.0.1:2");
        await Eventually.True(async () => (await Lookup(client, "calc")).Count == 2, () => "They are not back.");

        var found = await Lookup(client, "calc");
        Assert.Equal(new[] { before.Id, added.Id }.Select(known => known.ToString()).Order(StringComparer.Ordinal), found.Select(known => known.Id.ToString()));
        Assert.All(found, endpoint => Assert.NotEqual(id, endpoint.OwnerRegistration));
    }

    [Fact]
    public async Task Roles_OfJobsAndWorkers_OpenNoRegistration()
    {
        var worker = await Assert.ThrowsAsync<RpcException>(() => OpenAsync("reg-1", CancellationToken.None, _controller.WorkerToken("w1")));
        var foreign = await Assert.ThrowsAsync<RpcException>(() => OpenAsync("reg-1", CancellationToken.None, ServiceToken(), "prod"));

        Assert.Equal((StatusCode.PermissionDenied, StatusCode.PermissionDenied), (worker.StatusCode, foreign.StatusCode));
    }

    [Fact]
    public async Task Register_OutsideAJob_SaysWhatToOpen()
    {
        await using var client = Service();

        var local = await Assert.ThrowsAsync<InvalidOperationException>(() => client.EndpointRegistry.RegisterAsync("calc", "10.0.0.1:1"));
        var remote = await Assert.ThrowsAsync<RpcException>(() => RegisterAsync("e1", ""));

        Assert.Contains("OpenRegistration", local.Message, StringComparison.Ordinal);
        Assert.Equal(StatusCode.InvalidArgument, remote.StatusCode);
        Assert.Contains("OpenRegistration", remote.Status.Detail, StringComparison.Ordinal);
    }

    private static Task<EndpointList> Lookup(FlusterClient client, string name) => client.EndpointRegistry.LookupAsync(Namespace.Default, name);

    private string ServiceToken() => _controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "default", ExpiresAt = 0 });

    private FlusterClient Service() => new(new FlusterClientOptions { Address = _controller.GrpcAddress, Token = ServiceToken() });

    private async Task<AsyncDuplexStreamingCall<V1.OpenRegistrationRequest, V1.OpenRegistrationResponse>> OpenAsync(
        string id, CancellationToken cancellationToken, string? token = null, string @namespace = "")
    {
        var channel = _controller.Channel();
        var call = ControllerProcess.Service(channel).OpenRegistration(_controller.Headers(token ?? ServiceToken()), cancellationToken: cancellationToken);
        await call.RequestStream.WriteAsync(new V1.OpenRegistrationRequest { Open = new V1.RegistrationOpen { RegistrationId = id, Namespace = @namespace } }, CancellationToken.None);
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        return call;
    }

    private async Task RegisterAsync(string id, string registration, string name = "calc")
    {
        using var channel = _controller.Channel();
        var endpoint = new V1.Endpoint { EndpointId = id, Name = name, Address = "10.0.0.1:1", OwnerRegistrationId = registration };
        await ControllerProcess.Service(channel).RegisterEndpointAsync(new V1.RegisterEndpointRequest { Endpoint = endpoint }, _controller.Headers(ServiceToken()));
    }
}
