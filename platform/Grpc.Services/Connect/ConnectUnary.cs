using System.Buffers;
using System.IO.Pipelines;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Grpc.Connect;

/// <summary>One request, one response: the bare message in the body, the status in HTTP's.</summary>
internal static class ConnectUnary
{
    public static async Task InvokeAsync(HttpContext context, RequestDelegate grpc, ConnectCodec codec)
    {
        GrpcExchange exchange;
        var response = new Pipe(new PipeOptions(pauseWriterThreshold: 0)); // Read at the end; the message size bounds it.
        try
        {
            var headers = ConnectHeaders.ToGrpc(context.Request, "content-encoding", "accept-encoding");
            var compressed = headers.ContainsKey("grpc-encoding");
            var body = await ReadBodyAsync(context, codec.MaxMessageSize);
            var message = codec.ToGrpc(new Envelope(compressed ? Envelope.Compressed : (byte)0, body));
            var request = PipeReader.Create(new ReadOnlySequence<byte>(message.ToBytes()));
            exchange = new GrpcExchange(context, headers, request, response, _ => Task.CompletedTask);
        }
        catch (RpcException e)
        {
            await WriteErrorAsync(context, ConnectStatus.From(e));
            return;
        }

        var run = exchange.RunAsync(grpc);
        try
        {
            await exchange.Completed;
            if (!context.RequestAborted.IsCancellationRequested)
            {
                await WriteAsync(context, exchange, response.Reader, codec);
                await context.Response.CompleteAsync();
            }
        }
        finally
        {
            // The method may still run after its deadline, with this context.
            await run;
        }
    }

    private static async Task WriteAsync(HttpContext context, GrpcExchange exchange, PipeReader response, ConnectCodec codec)
    {
        if (exchange.HasStarted)
        {
            foreach (var (name, values) in ConnectHeaders.OfTheService(exchange.Headers))
            {
                context.Response.Headers[name] = values;
            }
        }

        foreach (var (name, values) in ConnectHeaders.OfTheService(exchange.EndMetadata))
        {
            context.Response.Headers[$"trailer-{name}"] = values;
        }

        var status = exchange.Status();
        if (!status.IsOk)
        {
            await WriteErrorAsync(context, status);
            return;
        }

        if (await Envelope.ReadAsync(response, int.MaxValue, CancellationToken.None) is not { } message)
        {
            await WriteErrorAsync(context, new ConnectStatus(StatusCode.Internal, "The service sent no message.", Details: null));
            return;
        }

        Envelope answer;
        try
        {
            answer = codec.FromGrpc(message);
        }
        catch (RpcException e)
        {
            await WriteErrorAsync(context, ConnectStatus.From(e));
            return;
        }

        if (answer.IsCompressed)
        {
            context.Response.Headers.ContentEncoding = Gzip.Name;
        }

        await WriteBodyAsync(context, $"application/{codec.Name}", answer.Payload);
    }

    private static Task WriteErrorAsync(HttpContext context, ConnectStatus status)
    {
        context.Response.StatusCode = status.HttpStatus;
        return WriteBodyAsync(context, "application/json", status.ToJson());
    }

    private static async Task WriteBodyAsync(HttpContext context, string contentType, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentType = contentType;
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContext context, int maxSize)
    {
        if (context.Request.ContentLength > maxSize)
        {
            throw TooLarge(maxSize);
        }

        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            if (result.Buffer.Length > maxSize)
            {
                throw TooLarge(maxSize);
            }

            if (result.IsCompleted)
            {
                var body = result.Buffer.ToArray();
                reader.AdvanceTo(result.Buffer.End);
                return body;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private static RpcException TooLarge(int maxSize) =>
        new(new Status(StatusCode.ResourceExhausted, $"The message is larger than {maxSize} bytes."));
}
