using Fluster.Tests.Interop;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace Fluster.Tests;

/// <summary>The .NET server of the interoperability cases.</summary>
internal sealed class InteropTarget : InteropService.InteropServiceBase
{
    private const string EchoInitial = "x-grpc-test-echo-initial";
    private const string EchoTrailing = "x-grpc-test-echo-trailing-bin";

    public override Task<EmptyResponse> Empty(EmptyRequest request, ServerCallContext context) =>
        Task.FromResult(new EmptyResponse());

    public override async Task<UnaryResponse> Unary(UnaryRequest request, ServerCallContext context)
    {
        ThrowIfOtherwise(request.HasExpectCompressed ? request.ExpectCompressed : null, context, message: 0);
        await EchoMetadataAsync(context);
        ThrowIfAsked(request.ResponseStatus);
        context.WriteOptions = new WriteOptions(request.ResponseCompressed ? default : WriteFlags.NoCompress);
        return new UnaryResponse { Payload = Zeros(request.ResponseSize) };
    }

    public override async Task ServerStream(ServerStreamRequest request, IServerStreamWriter<ServerStreamResponse> responseStream, ServerCallContext context)
    {
        await EchoMetadataAsync(context);
        foreach (var response in request.Parameters)
        {
            await WaitAsync(response, context);
            responseStream.WriteOptions = new WriteOptions(response.Compressed ? default : WriteFlags.NoCompress);
            await responseStream.WriteAsync(new ServerStreamResponse { Payload = Zeros(response.Size) });
        }

        ThrowIfAsked(request.ResponseStatus);
    }

    public override async Task<ClientStreamResponse> ClientStream(IAsyncStreamReader<ClientStreamRequest> requestStream, ServerCallContext context)
    {
        await EchoMetadataAsync(context);
        var sum = 0;
        var message = 0;
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
        {
            ThrowIfOtherwise(request.HasExpectCompressed ? request.ExpectCompressed : null, context, message++);
            sum += request.Payload.Body.Length;
        }

        return new ClientStreamResponse { AggregatedPayloadSize = sum };
    }

    public override async Task Duplex(IAsyncStreamReader<DuplexRequest> requestStream, IServerStreamWriter<DuplexResponse> responseStream, ServerCallContext context)
    {
        await EchoMetadataAsync(context);
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
        {
            foreach (var response in request.Parameters)
            {
                await WaitAsync(response, context);
                await responseStream.WriteAsync(new DuplexResponse { Payload = Zeros(response.Size) });
            }

            ThrowIfAsked(request.ResponseStatus);
        }
    }

    /// <summary>Holds what the client says of a message's compression against what was seen on the wire.</summary>
    private static void ThrowIfOtherwise(bool? expected, ServerCallContext context, int message)
    {
        if (expected is null)
        {
            return;
        }

        // A unary Connect request is the bare message; it was translated, encoding and all.
        var http = context.GetHttpContext();
        var flags = WireRecord.Of(http).Requests.Seen;
        var isBare = http.Features.Get<IHttpResetFeature>() is Grpc.Connect.GrpcExchange && context.Method.EndsWith("/Unary", StringComparison.Ordinal);
        var compressed = isBare ? http.Request.Headers.ContainsKey("grpc-encoding") : flags[message] == 1;
        if (compressed != expected)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"Message {message} was {(compressed ? "" : "not ")}compressed."));
        }
    }

    private static async Task EchoMetadataAsync(ServerCallContext context)
    {
        if (context.RequestHeaders.GetValue(EchoInitial) is { } initial)
        {
            await context.WriteResponseHeadersAsync(new Metadata { { EchoInitial, initial } });
        }

        if (context.RequestHeaders.GetValueBytes(EchoTrailing) is { } trailing)
        {
            context.ResponseTrailers.Add(EchoTrailing, trailing);
        }
    }

    private static Task WaitAsync(ResponseParameters response, ServerCallContext context) => response.IntervalMs > 0
        ? Task.Delay(TimeSpan.FromMilliseconds(response.IntervalMs), TimeProvider.System, context.CancellationToken)
        : Task.CompletedTask;

    private static void ThrowIfAsked(EchoStatus? status)
    {
        if (status is not null)
        {
            throw new RpcException(new Status((StatusCode)status.Code, status.Message));
        }
    }

    private static Payload Zeros(int size) => new() { Body = ByteString.CopyFrom(new byte[size]) };
}
