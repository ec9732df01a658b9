using System.Buffers;

namespace Grpc.Core;

/// <summary>Collects one message in an array.</summary>
internal sealed class ArraySerializationContext : SerializationContext
{
    private ArrayBufferWriter<byte>? _writer;
    private byte[]? _payload;

    public byte[] Payload => _payload ?? throw new InvalidOperationException("The marshaller did not complete the message.");

    public override void SetPayloadLength(int payloadLength) =>
        _writer ??= payloadLength > 0 ? new ArrayBufferWriter<byte>(payloadLength) : new ArrayBufferWriter<byte>();

    public override IBufferWriter<byte> GetBufferWriter() => _writer ??= new ArrayBufferWriter<byte>();

    public override void Complete() => _payload = _writer?.WrittenSpan.ToArray() ?? [];

    public override void Complete(byte[] payload) => _payload = payload;
}

/// <summary>Reads one message from an array.</summary>
internal sealed class ArrayDeserializationContext(byte[] payload) : DeserializationContext
{
    public override int PayloadLength => payload.Length;

    public override byte[] PayloadAsNewBuffer() => [.. payload];

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(payload);
}
