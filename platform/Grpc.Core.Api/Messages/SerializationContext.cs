using System.Buffers;

namespace Grpc.Core;

/// <summary>Where a marshaller writes one message. A library overrides what it supports; the rest throws, as in the published package.</summary>
public abstract class SerializationContext
{
    /// <summary>Ends the message, which is all of <paramref name="payload"/>.</summary>
    public virtual void Complete(byte[] payload) => throw new NotImplementedException();

    /// <summary>The buffer to write the message into, followed by <see cref="Complete()"/>.</summary>
    public virtual IBufferWriter<byte> GetBufferWriter() => throw new NotImplementedException();

    /// <summary>Announces the size of the message in bytes, before anything is written.</summary>
    public virtual void SetPayloadLength(int payloadLength) => throw new NotImplementedException();

    /// <summary>Ends the message that was written into <see cref="GetBufferWriter"/>.</summary>
    public virtual void Complete() => throw new NotImplementedException();
}

/// <summary>Where a marshaller reads one message from. A library overrides what it supports; the rest throws, as in the published package.</summary>
public abstract class DeserializationContext
{
    /// <summary>The size of the message in bytes.</summary>
    public abstract int PayloadLength { get; }

    /// <summary>The message, in an array of its own.</summary>
    public virtual byte[] PayloadAsNewBuffer() => throw new NotImplementedException();

    /// <summary>The message where it lies; only valid until the marshaller returns.</summary>
    public virtual ReadOnlySequence<byte> PayloadAsReadOnlySequence() => throw new NotImplementedException();
}
