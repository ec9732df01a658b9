using Fluster.Tests.Interop;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Builder;

namespace Fluster.Tests;

/// <summary>The published client and server, on our API assemblies, over a real socket.</summary>
public sealed class GrpcSmokeTests : IAsyncLifetime
{
    private GrpcTestServer _server = null!;

    private InteropService.InteropServiceClient Client => new(_server.Connect());

    public async Task InitializeAsync() =>
        _server = await GrpcTestServer.StartAsync(_ => { }, app => app.MapGrpcService<InteropTarget>());

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Unary_Request_IsAnswered()
    {
        var response = await Client.UnaryAsync(new UnaryRequest { ResponseSize = 1000 });

        Assert.Equal(1000, response.Payload.Body.Length);
    }

    [Fact]
    public void BlockingUnary_Request_IsAnswered() =>
        Assert.Equal(10, Client.Unary(new UnaryRequest { ResponseSize = 10 }).Payload.Body.Length);

    [Fact]
    public async Task Duplex_ThreeRequests_AreAnsweredInTurn()
    {
        using var call = Client.Duplex();
        foreach (var size in new[] { 1, 20, 300 })
        {
            await call.RequestStream.WriteAsync(new DuplexRequest { Parameters = { new ResponseParameters { Size = size } } });
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal(size, call.ResponseStream.Current.Payload.Body.Length);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Metadata_TextAndBytes_ComesBack()
    {
        byte[] bytes = [0xab, 0x00, 0xff];
        using var call = Client.UnaryAsync(
            new UnaryRequest(),
            new Metadata { { "x-grpc-test-echo-initial", "text" }, { "x-grpc-test-echo-trailing-bin", bytes } });

        Assert.Equal("text", (await call.ResponseHeadersAsync).GetValue("x-grpc-test-echo-initial"));
        await call;
        Assert.Equal(bytes, call.GetTrailers().GetValueBytes("x-grpc-test-echo-trailing-bin"));
    }

    [Fact]
    public async Task UnwrittenMethod_Call_IsUnimplemented() =>
        Assert.Equal(StatusCode.Unimplemented, await CodeOfAsync(async () => await Client.UnwrittenAsync(new UnwrittenRequest())));

    [Fact]
    public async Task Deadline_SleepingServer_IsExceeded()
    {
        var deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(50);
        using var call = Client.ServerStream(Slow(), deadline: deadline);

        Assert.Equal(StatusCode.DeadlineExceeded, await CodeOfAsync(() => call.ResponseStream.MoveNext()));
    }

    [Fact]
    public async Task Cancellation_SleepingServer_EndsTheCall()
    {
        using var cancellation = new CancellationTokenSource();
        using var call = Client.ServerStream(Slow(), cancellationToken: cancellation.Token);
        var next = call.ResponseStream.MoveNext();
        await cancellation.CancelAsync();

        Assert.Equal(StatusCode.Cancelled, await CodeOfAsync(() => next));
    }

    [Fact]
    public async Task Interceptor_OnTheChannel_AddsHeaders()
    {
        var invoker = _server.Connect().Intercept(headers => [.. headers, new Metadata.Entry("x-grpc-test-echo-initial", "added")]);
        using var call = new InteropService.InteropServiceClient(invoker).UnaryAsync(new UnaryRequest());

        Assert.Equal("added", (await call.ResponseHeadersAsync).GetValue("x-grpc-test-echo-initial"));
    }

    [Fact]
    public async Task Status_ServiceThrows_ArrivesWithItsMessage()
    {
        var status = new EchoStatus { Code = (int)StatusCode.FailedPrecondition, Message = "not now: ☺" };
        var exception = await Assert.ThrowsAsync<RpcException>(async () => await Client.UnaryAsync(new UnaryRequest { ResponseStatus = status }));

        Assert.Equal(new Status(StatusCode.FailedPrecondition, "not now: ☺"), exception.Status);
    }

    private static ServerStreamRequest Slow() =>
        new() { Parameters = { new ResponseParameters { Size = 1, IntervalMs = 60_000 } } };

    private static async Task<StatusCode> CodeOfAsync(Func<Task> call) =>
        (await Assert.ThrowsAsync<RpcException>(call)).StatusCode;
}
