using Fluster.Tests.Platform;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Fluster.Tests;

/// <summary>What the Connect tests call.</summary>
internal sealed class NoteTarget : NoteService.NoteServiceBase
{
    public override async Task<EchoResponse> Echo(EchoRequest request, ServerCallContext context)
    {
        if (context.RequestHeaders.GetValue("x-echo") is { } text)
        {
            await context.WriteResponseHeadersAsync(new Metadata { { "x-echo", text } });
            context.ResponseTrailers.Add("x-echo-end", text);
        }

        return new EchoResponse { Note = request.Note };
    }

    public override async Task Repeat(RepeatRequest request, IServerStreamWriter<RepeatResponse> responseStream, ServerCallContext context)
    {
        for (var i = 0; i < request.Times; i++)
        {
            await responseStream.WriteAsync(new RepeatResponse { Note = request.Note });
        }

        context.ResponseTrailers.Add("x-times", request.Times.ToString());
        if (request.Fail)
        {
            throw new RpcException(new Status(StatusCode.DataLoss, "enough"));
        }
    }

    public override Task<RefuseResponse> Refuse(RefuseRequest request, ServerCallContext context)
    {
        var details = new Google.Rpc.Status { Details = { Any.Pack(new Note { Number = 7 }) } };
        throw new RpcException(
            new Status(StatusCode.FailedPrecondition, "not ☺ now"),
            new Metadata { { "grpc-status-details-bin", details.ToByteArray() }, { "x-why", "because" } });
    }

    public override Task<OddResponse> Odd(OddRequest request, ServerCallContext context) =>
        Task.FromResult(new OddResponse { Note = Unwritable() });

    public override Task OddStream(OddStreamRequest request, IServerStreamWriter<OddStreamResponse> responseStream, ServerCallContext context) =>
        responseStream.WriteAsync(new OddStreamResponse { Note = Unwritable() });

    public override async Task<WaitResponse> Wait(WaitRequest request, ServerCallContext context)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
        return new WaitResponse();
    }

    // Of a type that nobody knows.
    private static Note Unwritable() => new() { Any = new Any { TypeUrl = "type.googleapis.com/no.Such" } };
}
