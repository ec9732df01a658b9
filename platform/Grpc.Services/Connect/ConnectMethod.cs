using Fluster.Rpc;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Grpc.Connect;

/// <summary>One gRPC method as the Connect protocol offers it.</summary>
internal sealed class ConnectMethod
{
    private const string UnaryPrefix = "application/";
    private const string StreamPrefix = "application/connect+";

    private readonly bool _streaming;
    private readonly ConnectCodec _json;
    private readonly ConnectCodec _proto;

    private ConnectMethod(bool streaming, ConnectCodec json, ConnectCodec proto)
    {
        _streaming = streaming;
        _json = json;
        _proto = proto;
    }

    /// <summary>Null for a method whose messages are not protobuf.</summary>
    public static ConnectMethod? TryCreate(IMethod method, RpcLimits limits)
    {
        if (method.GetType().GetGenericArguments() is not [var request, var response] ||
            Descriptor(request) is not { } input ||
            Descriptor(response) is not { } output)
        {
            return null;
        }

        return new ConnectMethod(
            method.Type != MethodType.Unary,
            new JsonConnectCodec(input, output, limits.MaxMessageSize),
            new ProtoConnectCodec(limits.MaxMessageSize));
    }

    /// <summary>Answers a Connect request; everything else is left to <paramref name="grpc"/>.</summary>
    public Task InvokeAsync(HttpContext context, RequestDelegate grpc)
    {
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var contentType))
        {
            return grpc(context);
        }

        var mediaType = contentType.MediaType;
        var streaming = mediaType.StartsWith(StreamPrefix, StringComparison.OrdinalIgnoreCase);
        if (Codec(mediaType, streaming ? StreamPrefix : UnaryPrefix) is not { } codec)
        {
            return grpc(context);
        }

        if (streaming != _streaming)
        {
            // The kind of a method is part of its media type; the answer names the right ones.
            context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            var prefix = _streaming ? StreamPrefix : UnaryPrefix;
            context.Response.Headers["Accept-Post"] = $"{prefix}json, {prefix}proto";
            return Task.CompletedTask;
        }

        return streaming
            ? ConnectStream.InvokeAsync(context, grpc, codec, $"{StreamPrefix}{codec.Name}")
            : ConnectUnary.InvokeAsync(context, grpc, codec);
    }

    private ConnectCodec? Codec(Microsoft.Extensions.Primitives.StringSegment mediaType, string prefix)
    {
        if (!mediaType.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var name = mediaType.Subsegment(prefix.Length);
        return name.Equals(_json.Name, StringComparison.OrdinalIgnoreCase) ? _json
            : name.Equals(_proto.Name, StringComparison.OrdinalIgnoreCase) ? _proto
            : null;
    }

    private static MessageDescriptor? Descriptor(Type type) => typeof(IMessage).IsAssignableFrom(type)
        ? (MessageDescriptor?)type.GetProperty("Descriptor", typeof(MessageDescriptor))?.GetValue(null)
        : null;
}
