using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Grpc.Core;

namespace Grpc.Connect;

/// <summary>One message with its flags, as gRPC and Connect streams both frame it: flags, length (big endian), payload.</summary>
internal readonly record struct Envelope(byte Flags, ReadOnlyMemory<byte> Payload)
{
    public const byte Compressed = 0x1;

    /// <summary>Connect only: the payload is the end of the stream, not a message.</summary>
    public const byte EndOfStream = 0x2;

    private const int HeaderSize = 5;

    public bool IsCompressed => (Flags & Compressed) != 0;

    /// <summary>Reads the next message; null at the end.</summary>
    /// <exception cref="RpcException">Larger than <paramref name="maxSize"/> bytes, known before it is buffered; or cut short.</exception>
    public static async ValueTask<Envelope?> ReadAsync(PipeReader reader, int maxSize, CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            var buffer = result.Buffer;
            if (TryRead(ref buffer, maxSize, out var envelope))
            {
                reader.AdvanceTo(buffer.Start);
                return envelope;
            }

            if (result.IsCanceled)
            {
                throw new OperationCanceledException();
            }

            if (result.IsCompleted)
            {
                return buffer.IsEmpty ? null : throw new RpcException(new Status(StatusCode.InvalidArgument, "The last message is incomplete."));
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    public void WriteTo(IBufferWriter<byte> writer)
    {
        var header = writer.GetSpan(HeaderSize);
        header[0] = Flags;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], Payload.Length);
        writer.Advance(HeaderSize);
        writer.Write(Payload.Span);
    }

    public ReadOnlyMemory<byte> ToBytes()
    {
        var writer = new ArrayBufferWriter<byte>(HeaderSize + Payload.Length);
        WriteTo(writer);
        return writer.WrittenMemory;
    }

    private static bool TryRead(ref ReadOnlySequence<byte> buffer, int maxSize, out Envelope envelope)
    {
        envelope = default;
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryRead(out var flags) || !reader.TryReadBigEndian(out int length))
        {
            return false;
        }

        if ((uint)length > (uint)maxSize)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"The message has {(uint)length} bytes; the limit is {maxSize}."));
        }

        if (reader.Remaining < length)
        {
            return false;
        }

        envelope = new Envelope(flags, reader.UnreadSequence.Slice(0, length).ToArray());
        buffer = buffer.Slice(HeaderSize + length);
        return true;
    }
}
