using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Grpc.Connect;

/// <summary>Turns the messages of one method from a Connect body into gRPC messages and back.</summary>
internal abstract class ConnectCodec(int maxMessageSize)
{
    /// <summary>The largest message in bytes, inflated.</summary>
    public int MaxMessageSize { get; } = maxMessageSize;

    /// <summary>The end of the media type.</summary>
    public abstract string Name { get; }

    /// <summary>What gRPC reads in place of <paramref name="message"/>.</summary>
    /// <exception cref="RpcException">The message is not what the method takes.</exception>
    public abstract Envelope ToGrpc(Envelope message);

    /// <summary>What the client reads in place of <paramref name="message"/>.</summary>
    public abstract Envelope FromGrpc(Envelope message);
}

/// <summary>gRPC and Connect agree on protobuf, compressed or not: nothing to do.</summary>
internal sealed class ProtoConnectCodec(int maxMessageSize) : ConnectCodec(maxMessageSize)
{
    public override string Name => "proto";

    public override Envelope ToGrpc(Envelope message) => message;

    public override Envelope FromGrpc(Envelope message) => message;
}

/// <summary>Protobuf's JSON mapping. Unknown fields are ignored, because older servers meet newer clients.</summary>
internal sealed class JsonConnectCodec : ConnectCodec
{
    // Google's parser counts objects and not arrays on its way down, and takes a stack frame for each.
    private const int MaxDepth = 64;

    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly MessageDescriptor _input;
    private readonly MessageDescriptor _output;
    private readonly JsonParser _parser;
    private readonly JsonFormatter _formatter;

    public JsonConnectCodec(MessageDescriptor input, MessageDescriptor output, int maxMessageSize)
        : base(maxMessageSize)
    {
        _input = input;
        _output = output;
        var types = TypeRegistry.FromFiles(input.File, output.File);
        _parser = new JsonParser(new JsonParser.Settings(MaxDepth, types).WithIgnoreUnknownFields(true));
        _formatter = new JsonFormatter(new JsonFormatter.Settings(formatDefaultValues: false, types));
    }

    public override string Name => "json";

    public override Envelope ToGrpc(Envelope message)
    {
        var json = message.IsCompressed ? Gzip.Inflate(message.Payload, MaxMessageSize) : message.Payload;
        try
        {
            CheckDepth(json.Span);
            return new Envelope(0, _parser.Parse(s_utf8.GetString(json.Span), _input).ToByteArray());
        }
        catch (Exception e) when (e is JsonException or InvalidProtocolBufferException or ArgumentException or FormatException or OverflowException or InvalidOperationException)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"The request is not the JSON of {_input.FullName}: {e.Message}"));
        }
    }

    public override Envelope FromGrpc(Envelope message)
    {
        var proto = message.IsCompressed ? Gzip.Inflate(message.Payload, MaxMessageSize) : message.Payload;
        ReadOnlyMemory<byte> json;
        try
        {
            json = Encoding.UTF8.GetBytes(_formatter.Format(_output.Parser.ParseFrom(proto.Span)));
        }
        catch (InvalidOperationException e)
        {
            // An Any of a type that the method's files do not mention, say.
            throw new RpcException(new Status(StatusCode.Internal, $"The response has no JSON: {e.Message}"));
        }

        return message.IsCompressed
            ? new Envelope(Envelope.Compressed, Gzip.Deflate(json))
            : new Envelope(0, json);
    }

    private static void CheckDepth(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
        }
    }
}
