using Fluster.Tests.Interop;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fluster.Tests;

/// <summary>The .NET client of the interoperability cases. The names and figures are those of gRPC's own.</summary>
internal sealed class InteropCases : IDisposable
{
    private const int LargeRequest = 271828;
    private const int LargeResponse = 314159;
    private const string SpecialMessage = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

    private static readonly int[] s_requests = [27182, 8, 1828, 45904];
    private static readonly int[] s_responses = [31415, 9, 2653, 58979];

    private readonly ClientWire _wire = new();
    private readonly GrpcChannel _channel;
    private readonly InteropService.InteropServiceClient _client;
    private readonly bool _serverSeesCompression;

    /// <param name="address">Of any server.</param>
    /// <param name="serverSeesCompression">Whether the server knows how a request came, and refuses what it did not expect.</param>
    public InteropCases(string address, bool serverSeesCompression)
    {
        _serverSeesCompression = serverSeesCompression;
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = _wire, DisposeHttpClient = true });
        _client = new InteropService.InteropServiceClient(_channel);
    }

    public static string[] Names { get; } =
    [
        "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "cancel_after_begin",
        "cancel_after_first_response", "timeout_on_sleeping_server", "custom_metadata", "status_code_and_message",
        "special_status_message", "unimplemented_method", "unimplemented_service", "client_compressed_unary",
        "client_compressed_streaming", "server_compressed_unary", "server_compressed_streaming",
    ];

    public void Dispose() => _channel.Dispose();

    public Task RunAsync(string name) => name switch
    {
        "empty_unary" => _client.EmptyAsync(new EmptyRequest()).ResponseAsync,
        "large_unary" => LargeUnaryAsync(),
        "client_streaming" => ClientStreamingAsync(),
        "server_streaming" => ServerStreamingAsync(),
        "ping_pong" => PingPongAsync(),
        "empty_stream" => EmptyStreamAsync(),
        "cancel_after_begin" => CancelAfterBeginAsync(),
        "cancel_after_first_response" => CancelAfterFirstResponseAsync(),
        "timeout_on_sleeping_server" => TimeoutOnSleepingServerAsync(),
        "custom_metadata" => CustomMetadataAsync(),
        "status_code_and_message" => StatusAsync("test status message", alsoDuplex: true),
        "special_status_message" => StatusAsync(SpecialMessage, alsoDuplex: false),
        "unimplemented_method" => AssertCodeAsync(StatusCode.Unimplemented, () => _client.UnwrittenAsync(new UnwrittenRequest()).ResponseAsync),
        "unimplemented_service" => AssertCodeAsync(StatusCode.Unimplemented, () => new AbsentService.AbsentServiceClient(_channel).AbsentAsync(new AbsentRequest()).ResponseAsync),
        "client_compressed_unary" => ClientCompressedUnaryAsync(),
        "client_compressed_streaming" => ClientCompressedStreamingAsync(),
        "server_compressed_unary" => ServerCompressedUnaryAsync(),
        "server_compressed_streaming" => ServerCompressedStreamingAsync(),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "There is no such case."),
    };

    private async Task LargeUnaryAsync()
    {
        var response = await _client.UnaryAsync(new UnaryRequest { ResponseSize = LargeResponse, Payload = Zeros(LargeRequest) });
        Assert.Equal(LargeResponse, response.Payload.Body.Length);
    }

    private async Task ClientStreamingAsync()
    {
        using var call = _client.ClientStream();
        foreach (var size in s_requests)
        {
            await call.RequestStream.WriteAsync(new ClientStreamRequest { Payload = Zeros(size) });
        }

        await call.RequestStream.CompleteAsync();
        Assert.Equal(74922, (await call).AggregatedPayloadSize);
    }

    private async Task ServerStreamingAsync()
    {
        using var call = _client.ServerStream(new ServerStreamRequest { Parameters = { s_responses.Select(size => new ResponseParameters { Size = size }) } });
        Assert.Equal(s_responses, await SizesAsync(call.ResponseStream));
    }

    private async Task PingPongAsync()
    {
        using var call = _client.Duplex();
        for (var i = 0; i < s_requests.Length; i++)
        {
            await call.RequestStream.WriteAsync(Ping(i));
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal(s_responses[i], call.ResponseStream.Current.Payload.Body.Length);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    private async Task EmptyStreamAsync()
    {
        using var call = _client.Duplex();
        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext());
    }

    private async Task CancelAfterBeginAsync()
    {
        using var cancellation = new CancellationTokenSource();
        using var call = _client.ClientStream(cancellationToken: cancellation.Token);
        await cancellation.CancelAsync();
        await AssertCodeAsync(StatusCode.Cancelled, () => call.ResponseAsync);
    }

    private async Task CancelAfterFirstResponseAsync()
    {
        using var cancellation = new CancellationTokenSource();
        using var call = _client.Duplex(cancellationToken: cancellation.Token);
        await call.RequestStream.WriteAsync(Ping(0));
        Assert.True(await call.ResponseStream.MoveNext());
        await cancellation.CancelAsync();
        await AssertCodeAsync(StatusCode.Cancelled, () => call.ResponseStream.MoveNext());
    }

    private async Task TimeoutOnSleepingServerAsync()
    {
        using var call = _client.Duplex(deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(100));
        try
        {
            await call.RequestStream.WriteAsync(new DuplexRequest { Parameters = { new ResponseParameters { Size = 1, IntervalMs = 60_000 } } });
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.DeadlineExceeded)
        {
            // A slow machine may be over it before the request is written.
        }

        await AssertCodeAsync(StatusCode.DeadlineExceeded, () => call.ResponseStream.MoveNext());
    }

    private async Task CustomMetadataAsync()
    {
        byte[] trailing = [0xab, 0xab, 0xab];
        var headers = new Metadata { { "x-grpc-test-echo-initial", "test_initial_metadata_value" }, { "x-grpc-test-echo-trailing-bin", trailing } };
        using var unary = _client.UnaryAsync(new UnaryRequest { ResponseSize = 1 }, headers);
        Assert.Equal("test_initial_metadata_value", (await unary.ResponseHeadersAsync).GetValue("x-grpc-test-echo-initial"));
        await unary;
        Assert.Equal(trailing, unary.GetTrailers().GetValueBytes("x-grpc-test-echo-trailing-bin"));

        using var duplex = _client.Duplex(headers);
        await duplex.RequestStream.WriteAsync(Ping(0));
        await duplex.RequestStream.CompleteAsync();
        Assert.Equal("test_initial_metadata_value", (await duplex.ResponseHeadersAsync).GetValue("x-grpc-test-echo-initial"));
        await duplex.ResponseStream.ReadAllAsync().CountAsync();
        Assert.Equal(trailing, duplex.GetTrailers().GetValueBytes("x-grpc-test-echo-trailing-bin"));
    }

    private async Task StatusAsync(string message, bool alsoDuplex)
    {
        var asked = new EchoStatus { Code = (int)StatusCode.Unknown, Message = message };
        Assert.Equal(message, await AssertCodeAsync(StatusCode.Unknown, () => _client.UnaryAsync(new UnaryRequest { ResponseStatus = asked }).ResponseAsync));
        if (alsoDuplex)
        {
            using var call = _client.Duplex();
            await call.RequestStream.WriteAsync(new DuplexRequest { ResponseStatus = asked });
            Assert.Equal(message, await AssertCodeAsync(StatusCode.Unknown, () => call.ResponseStream.MoveNext()));
        }
    }

    private async Task ClientCompressedUnaryAsync()
    {
        var request = new UnaryRequest { ResponseSize = LargeResponse, Payload = Zeros(LargeRequest), ExpectCompressed = true };
        if (_serverSeesCompression)
        {
            await AssertCodeAsync(StatusCode.InvalidArgument, () => _client.UnaryAsync(request).ResponseAsync);
        }

        await _client.UnaryAsync(request, Compressing());
        Assert.Equal([1], _wire.Last.Requests.Seen);
        request.ExpectCompressed = false;
        await _client.UnaryAsync(request);
        Assert.Equal([0], _wire.Last.Requests.Seen);
    }

    private async Task ClientCompressedStreamingAsync()
    {
        using var call = _client.ClientStream(Compressing());
        await call.RequestStream.WriteAsync(new ClientStreamRequest { Payload = Zeros(27182), ExpectCompressed = true });
        call.RequestStream.WriteOptions = new WriteOptions(WriteFlags.NoCompress);
        await call.RequestStream.WriteAsync(new ClientStreamRequest { Payload = Zeros(45904), ExpectCompressed = false });
        await call.RequestStream.CompleteAsync();
        Assert.Equal(73086, (await call).AggregatedPayloadSize);
        Assert.Equal([1, 0], _wire.Last.Requests.Seen);
    }

    private async Task ServerCompressedUnaryAsync()
    {
        foreach (var compressed in new[] { true, false })
        {
            var response = await _client.UnaryAsync(new UnaryRequest { ResponseSize = LargeResponse, ResponseCompressed = compressed });
            Assert.Equal(LargeResponse, response.Payload.Body.Length);
            Assert.Equal([compressed ? (byte)1 : (byte)0], _wire.Last.Responses.Seen);
        }
    }

    private async Task ServerCompressedStreamingAsync()
    {
        using var call = _client.ServerStream(new ServerStreamRequest
        {
            Parameters = { new ResponseParameters { Size = 31415, Compressed = true }, new ResponseParameters { Size = 92653, Compressed = false } },
        });
        var sizes = await SizesAsync(call.ResponseStream);
        Assert.Equal([31415, 92653], sizes);
        Assert.Equal([1, 0], _wire.Last.Responses.Seen);
    }

    private static async Task<string> AssertCodeAsync(StatusCode code, Func<Task> call)
    {
        var exception = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(code, exception.StatusCode);
        return exception.Status.Detail;
    }

    private static async Task<int[]> SizesAsync(IAsyncStreamReader<ServerStreamResponse> responses) =>
        await responses.ReadAllAsync().Select(response => response.Payload.Body.Length).ToArrayAsync();

    private static Metadata Compressing() => new() { { "grpc-internal-encoding-request", "gzip" } };

    private static DuplexRequest Ping(int i) =>
        new() { Parameters = { new ResponseParameters { Size = s_responses[i] } }, Payload = Zeros(s_requests[i]) };

    private static Payload Zeros(int size) => new() { Body = ByteString.CopyFrom(new byte[size]) };
}
