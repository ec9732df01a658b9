using System.IO.Pipelines;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Grpc.Connect;

/// <summary>Streams of messages, in enveloped bodies. HTTP says 200 always; the status is in the last envelope.</summary>
internal sealed class ConnectStream
{
    private readonly HttpContext _context;
    private readonly ConnectCodec _codec;
    private readonly Pipe _request = new();
    private readonly Pipe _response = new();

    // What was wrong with a message. It explains more than what became of the call because of it.
    private RpcException? _fault;

    private ConnectStream(HttpContext context, ConnectCodec codec)
    {
        _context = context;
        _codec = codec;
    }

    public static async Task InvokeAsync(HttpContext context, RequestDelegate grpc, ConnectCodec codec, string contentType)
    {
        context.Response.ContentType = contentType;
        LiftBodyLimits(context);
        var stream = new ConnectStream(context, codec);
        HeaderDictionary headers;
        try
        {
            headers = ConnectHeaders.ToGrpc(context.Request, "connect-content-encoding", "connect-accept-encoding");
        }
        catch (RpcException e)
        {
            await stream.WriteEndAsync(ConnectStatus.From(e), []);
            return;
        }

        await stream.RunAsync(grpc, headers);
    }

    private async Task RunAsync(RequestDelegate grpc, HeaderDictionary headers)
    {
        var exchange = new GrpcExchange(_context, headers, _request.Reader, _response, StartAsync);
        var upload = UploadAsync();
        var run = exchange.RunAsync(grpc);
        try
        {
            await DownloadAsync();
            await exchange.Completed;
            if (!_context.RequestAborted.IsCancellationRequested)
            {
                var trailers = ConnectHeaders.OfTheService(exchange.EndMetadata)
                    .SelectMany(trailer => trailer.Values.Select(value => (trailer.Name, value ?? "")));
                await WriteEndAsync(_fault is null ? exchange.Status() : ConnectStatus.From(_fault), trailers);
                await _context.Response.CompleteAsync();
            }
        }
        finally
        {
            try
            {
                // The method may still run after its deadline, with this context; requests that it left unread end with it.
                await run;
            }
            finally
            {
                await _request.Reader.CompleteAsync();
                _context.Request.BodyReader.CancelPendingRead();
                await upload;
            }
        }
    }

    private Task StartAsync(GrpcExchange exchange)
    {
        foreach (var (name, values) in ConnectHeaders.OfTheService(exchange.Headers))
        {
            _context.Response.Headers[name] = values;
        }

        if (exchange.Headers["grpc-encoding"] is [Gzip.Name])
        {
            _context.Response.Headers["connect-content-encoding"] = Gzip.Name;
        }

        return _context.Response.StartAsync(_context.RequestAborted);
    }

    private async Task UploadAsync()
    {
        try
        {
            while (await Envelope.ReadAsync(_context.Request.BodyReader, _codec.MaxMessageSize, _context.RequestAborted) is { } message)
            {
                _codec.ToGrpc(message).WriteTo(_request.Writer);
                if ((await _request.Writer.FlushAsync(_context.RequestAborted)).IsCompleted)
                {
                    return;
                }
            }

            await _request.Writer.CompleteAsync();
        }
        catch (RpcException e)
        {
            _fault = e;
            await _request.Writer.CompleteAsync(e);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            await _request.Writer.CompleteAsync(e);
        }
    }

    private async Task DownloadAsync()
    {
        var writer = _context.Response.BodyWriter;
        try
        {
            while (await Envelope.ReadAsync(_response.Reader, int.MaxValue, _context.RequestAborted) is { } message)
            {
                _codec.FromGrpc(message).WriteTo(writer);
                await writer.FlushAsync(_context.RequestAborted);
            }
        }
        catch (RpcException e)
        {
            _fault = e;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client is gone; gRPC learns it by the same token.
        }
        finally
        {
            await _response.Reader.CompleteAsync();
        }
    }

    private async Task WriteEndAsync(ConnectStatus status, IEnumerable<(string, string)> trailers)
    {
        status.ToEndOfStream(trailers).WriteTo(_context.Response.BodyWriter);
        await _context.Response.BodyWriter.FlushAsync(_context.RequestAborted);
    }

    // A stream may be slow, and as long as it likes; each message has its limit.
    private static void LiftBodyLimits(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }
}
