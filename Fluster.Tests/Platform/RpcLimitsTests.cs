using System.Net;
using System.Net.Sockets;
using Fluster.Rpc;
using Fluster.Tests.Platform;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Fluster.Tests;

/// <summary>What the gRPC libraries leave open, with the limits on.</summary>
public sealed class RpcLimitsTests : IAsyncLifetime
{
    private static readonly RpcLimits s_limits = new() { MaxMessageSize = 100_000, MaxStreamsPerConnection = 7 };

    private GrpcTestServer _server = null!;

    public async Task InitializeAsync() =>
        _server = await GrpcTestServer.StartAsync(
            builder => builder.Services.AddRpcLimits(s_limits).AddGrpc(grpc => grpc.ResponseCompressionAlgorithm = "gzip"),
            app => app.MapGrpcService<NoteTarget>());

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    public async Task Server_MessageThatInflatesOverTheLimit_RefusesIt(string encoding)
    {
        // Zeros: 5 MB that travel as some 20 kB.
        using var channel = GrpcChannel.ForAddress(_server.Address);
        var call = new NoteService.NoteServiceClient(channel).EchoAsync(
            Note(5_000_000), new Metadata { { "grpc-internal-encoding-request", encoding } });

        await AssertExhaustedAsync(call, "inflates to more than 100000 bytes");
    }

    [Fact]
    public async Task Client_MessageThatInflatesOverTheLimit_RefusesIt()
    {
        // A server without limits of its own.
        await using var generous = await GrpcTestServer.StartAsync(
            builder => builder.Services.AddGrpc(grpc =>
            {
                grpc.ResponseCompressionAlgorithm = "gzip";
                grpc.MaxReceiveMessageSize = null;
            }),
            app => app.MapGrpcService<NoteTarget>());
        using var channel = RpcChannel.ForAddress(new Uri(generous.Address), s_limits, options => options.MaxSendMessageSize = null);

        await AssertExhaustedAsync(new NoteService.NoteServiceClient(channel).EchoAsync(Note(5_000_000)), "inflates to more than 100000 bytes");
    }

    [Fact]
    public async Task Client_CompressedMessageUnderTheLimit_ReadsIt()
    {
        using var channel = RpcChannel.ForAddress(new Uri(_server.Address), s_limits);
        var response = await new NoteService.NoteServiceClient(channel).EchoAsync(
            Note(50_000), new Metadata { { "grpc-internal-encoding-request", "gzip" } });

        Assert.Equal(50_000, response.Note.Data.Length);
    }

    [Fact]
    public async Task Server_MessageOverTheLimit_RefusesIt()
    {
        using var channel = GrpcChannel.ForAddress(_server.Address);
        await AssertExhaustedAsync(new NoteService.NoteServiceClient(channel).EchoAsync(Note(100_001)), "exceeds the maximum");
    }

    [Fact]
    public async Task Server_MoreCallsThanStreams_QueuesThemOrTakesAnotherConnection()
    {
        using var channel = RpcChannel.ForAddress(new Uri(_server.Address), s_limits);
        var client = new NoteService.NoteServiceClient(channel);
        using var cancellation = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 20).Select(_ => client.WaitAsync(new WaitRequest(), cancellationToken: cancellation.Token).ResponseAsync).ToArray();

        // Seven streams are taken by the first connection's waiters; this call does not wait behind them.
        var response = await client.EchoAsync(Note(1)).ResponseAsync.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(1, response.Note.Data.Length);

        await cancellation.CancelAsync();
        await Assert.ThrowsAsync<RpcException>(() => Task.WhenAll(waiting));
    }

    [Fact]
    public async Task Client_PeerThatStopsAnswering_IsGivenUpAfterThePing()
    {
        // Accepts, and never says a word: a machine that lost its power.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var accepted = listener.AcceptTcpClientAsync();
        var limits = new RpcLimits { KeepAlivePingDelay = TimeSpan.FromSeconds(1), KeepAlivePingTimeout = TimeSpan.FromSeconds(1) };
        using var channel = RpcChannel.ForAddress(new Uri($"http://{listener.LocalEndpoint}"), limits);

        var exception = await Assert.ThrowsAsync<RpcException>(async () => await new NoteService.NoteServiceClient(channel).EchoAsync(Note(1)));
        Assert.Contains(exception.StatusCode, (IEnumerable<StatusCode>)[StatusCode.Unavailable, StatusCode.Internal]);
        (await accepted).Dispose();
    }

    [Fact]
    public void Kestrel_Limits_AreTheGivenOnes()
    {
        var limits = _server.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;

        Assert.Equal(7, limits.Http2.MaxStreamsPerConnection);
        Assert.Equal(s_limits.KeepAlivePingDelay, limits.Http2.KeepAlivePingDelay);
        Assert.Equal(s_limits.KeepAlivePingTimeout, limits.Http2.KeepAlivePingTimeout);
        Assert.Equal(s_limits.IdleTimeout, limits.KeepAliveTimeout);
        Assert.Equal(s_limits.MaxHeadersSize, limits.MaxRequestHeadersTotalSize);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1, 2, 3 })]
    public void Compression_OfAnyMessage_IsAStreamOfItsFormat(byte[] message)
    {
        foreach (var provider in BoundedCompressionProvider.All(maxMessageSize: 1000))
        {
            using var compressed = new MemoryStream();
            using (var stream = provider.CreateCompressionStream(compressed, compressionLevel: null))
            {
                stream.Write(message);
            }

            // .NET's own readers take nothing at all for an empty stream; other languages do not.
            Assert.NotEqual(0, compressed.Length);
            compressed.Position = 0;
            using var inflated = new MemoryStream();
            using (var stream = provider.CreateDecompressionStream(compressed))
            {
                stream.CopyTo(inflated);
            }

            Assert.Equal(message, inflated.ToArray());
        }
    }

    private static EchoRequest Note(int size) => new() { Note = new Note { Data = Google.Protobuf.ByteString.CopyFrom(new byte[size]) } };

    private static async Task AssertExhaustedAsync(AsyncUnaryCall<EchoResponse> call, string detail)
    {
        using (call)
        {
            var exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
            Assert.Equal(StatusCode.ResourceExhausted, exception.StatusCode);
            Assert.Contains(detail, exception.Status.Detail, StringComparison.Ordinal);
        }
    }
}
