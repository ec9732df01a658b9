using System.Buffers.Binary;

namespace Fluster.Actors;

/// <summary>What a frame is. Numbers are those of the wire.</summary>
internal enum FrameType : byte
{
    /// <summary>The first frame of a client: who it is, and which session it goes on with.</summary>
    Hello = 1,

    /// <summary>The server's answer to a hello that it accepts.</summary>
    Welcome = 2,

    /// <summary>The server's answer to one that it does not accept; the connection ends.</summary>
    Refused = 3,

    /// <summary>A number for an actor and a method, for as long as the connection lasts.</summary>
    Define = 4,

    /// <summary>A call, or its beginning.</summary>
    Call = 5,

    /// <summary>More of the message that the slot's last frame began.</summary>
    Data = 6,

    /// <summary>A value, or its beginning.</summary>
    Result = 7,

    /// <summary>Why there is no value.</summary>
    Failure = 8,

    /// <summary>One item of a stream, or its beginning.</summary>
    Item = 9,

    /// <summary>The reader of a stream has room for more.</summary>
    Credit = 10,

    /// <summary>Nobody waits for the call any more.</summary>
    Cancel = 11,

    /// <summary>Is the other side there? It answers with a pong.</summary>
    Ping = 12,

    /// <summary>It is.</summary>
    Pong = 13,

    /// <summary>The server stops: calls that it has not answered before this did not run.</summary>
    Goodbye = 14,

    /// <summary>The server is about to stop: its endpoints vanish, and the calls that it has are still answered.</summary>
    Drain = 15,

    /// <summary>The client is done with the session: the server may forget it.</summary>
    Leave = 16,

    /// <summary>The client's token was renewed.</summary>
    Token = 17,
}

/// <summary>What every frame begins with: 16 bytes, little-endian.</summary>
/// <param name="Type">What it is.</param>
/// <param name="IsPart">More of the message follows in data frames.</param>
/// <param name="Slot">Which of the session's calls it belongs to.</param>
/// <param name="Length">The bytes after the header.</param>
/// <param name="Sequence">Which call in the slot.</param>
internal readonly record struct FrameHeader(FrameType Type, bool IsPart, int Slot, int Length, ulong Sequence)
{
    public const int Size = 16;

    /// <summary>The most bytes of a message in one frame: others get their turn after that.</summary>
    public const int MostData = 256 * 1024;

    /// <summary>The most bytes of any frame.</summary>
    public const int MostLength = MostData + 4096;

    public void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to, Length);
        to[4] = (byte)Type;
        to[5] = IsPart ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt16LittleEndian(to[6..], (ushort)Slot);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], Sequence);
    }

    /// <exception cref="SessionProtocolException">No frame begins like that.</exception>
    public static FrameHeader Read(ReadOnlySpan<byte> from)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(from);
        if (length is < 0 or > MostLength)
        {
            throw new SessionProtocolException($"A frame of {(uint)length} bytes is no frame: {MostLength} is the most.");
        }

        return new FrameHeader((FrameType)from[4], (from[5] & 1) != 0, BinaryPrimitives.ReadUInt16LittleEndian(from[6..]), length, BinaryPrimitives.ReadUInt64LittleEndian(from[8..]));
    }
}

/// <summary>The other side does not keep to the protocol. The connection ends.</summary>
internal sealed class SessionProtocolException(string message) : Exception(message);
