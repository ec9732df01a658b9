using Fluster.Tests.Interop;
using Google.Protobuf;
using Grpc.Core;

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
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
        {
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
