using System.Buffers.Binary;

namespace Fluster.Actors;

/// <summary>
/// How a payload lies on the wire: the length of its JSON, the number of its raw parts, a line of eight bytes for each of them, the JSON, and
/// the parts one after the other.
/// </summary>
internal static class PayloadFrames
{
    public const int HeadSize = 8;
    public const int LineSize = 8;
    public const int MostRaws = 255;

    /// <summary>The bytes before the JSON.</summary>
    public static int TableSize(int raws) => HeadSize + (raws * LineSize);

    public static void WriteTable(Span<byte> to, PayloadWriter payload)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to, payload.Json.Length);
        BinaryPrimitives.WriteInt32LittleEndian(to[4..], payload.Raws.Count);
        var line = HeadSize;
        foreach (var raw in payload.Raws)
        {
            to[line] = (byte)raw.Index;
            to[line + 1] = (byte)raw.Kind;
            BinaryPrimitives.WriteInt16LittleEndian(to[(line + 2)..], 0);
            BinaryPrimitives.WriteInt32LittleEndian(to[(line + 4)..], raw.Bytes.Length);
            line += LineSize;
        }
    }
}

/// <summary>Puts a payload together as its bytes arrive, each part in the array that it is for.</summary>
internal sealed class PayloadAssembler
{
    private Payload? _payload;
    private readonly List<Memory<byte>> _targets = [];
    private int _target;
    private int _position;

    /// <summary>The bytes of the whole payload but for its table; known once it has begun.</summary>
    public long Size { get; private set; }

    /// <summary>Bytes that are still to come.</summary>
    public long Left { get; private set; }

    public bool IsComplete => Left == 0;

    /// <summary>The payload; null when it is only read past.</summary>
    public Payload? Payload => _payload;

    /// <summary>Why it is only read past.</summary>
    public CallFailure? Refusal { get; private set; }

    /// <summary>
    /// Reads the table and makes room. A payload over the limit gets none: its bytes are read past, and <see cref="Refusal"/> says so.
    /// </summary>
    /// <param name="bytes">The beginning; at least the table.</param>
    /// <param name="limit">The most bytes.</param>
    /// <param name="reserve">Takes so many bytes from what all connections may use; false when there are not as many.</param>
    /// <returns>The bytes of the table.</returns>
    /// <exception cref="SessionProtocolException">This is no payload.</exception>
    public int Begin(ReadOnlySpan<byte> bytes, long limit, Func<long, bool>? reserve)
    {
        _targets.Clear();
        (_target, _position, _payload, Refusal) = (0, 0, null, null);
        if (bytes.Length < PayloadFrames.HeadSize)
        {
            throw new SessionProtocolException("A message ends before its table.");
        }

        var json = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        var raws = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]);
        if (json < 0 || raws is < 0 or > PayloadFrames.MostRaws || bytes.Length < PayloadFrames.TableSize(raws))
        {
            throw new SessionProtocolException("A message has a table that cannot be.");
        }

        Size = json;
        for (var i = 0; i < raws; i++)
        {
            var line = bytes[(PayloadFrames.HeadSize + (i * PayloadFrames.LineSize))..];
            var kind = (RawKind)line[1];
            var length = BinaryPrimitives.ReadInt32LittleEndian(line[4..]);
            if (length < 0 || RawArrays.SizeOf(kind) is var element && (element == 0 || length % element != 0))
            {
                throw new SessionProtocolException($"A message has a part of {length} bytes of kind {line[1]}, which cannot be.");
            }

            Size += length;
        }

        Left = Size;
        if (Size > limit)
        {
            Refusal = CallFailure.Of(ActorErrorKind.ResourceExhausted, $"A message of {Size} bytes is larger than the {limit} that are taken.");
        }
        else if (reserve is not null && !reserve(Size))
        {
            Refusal = CallFailure.Of(ActorErrorKind.ResourceExhausted, $"There is no room for a message of {Size} bytes: too many large ones arrive at the same time.");
        }
        else
        {
            MakeRoom(bytes, json, raws);
        }

        return PayloadFrames.TableSize(raws);
    }

    /// <summary>Takes in bytes that have arrived.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Left)
        {
            throw new SessionProtocolException("A message is longer than its table says.");
        }

        while (bytes.Length > 0)
        {
            if (_payload is null)
            {
                Left -= bytes.Length;
                return;
            }

            var room = NextRoom();
            var part = Math.Min(room.Length, bytes.Length);
            bytes[..part].CopyTo(room.Span);
            bytes = bytes[part..];
            Advance(part);
        }
    }

    /// <summary>Where the next bytes belong; empty when they are only read past.</summary>
    public Memory<byte> NextRoom()
    {
        if (_payload is null)
        {
            return default;
        }

        while (_target < _targets.Count && _position == _targets[_target].Length)
        {
            _target++;
            _position = 0;
        }

        return _target < _targets.Count ? _targets[_target][_position..] : default;
    }

    /// <summary>So many bytes were put into <see cref="NextRoom"/>.</summary>
    public void Advance(int count)
    {
        _position += count;
        Left -= count;
    }

    /// <summary>Gives up what was not taken over.</summary>
    public Payload? Take()
    {
        var payload = _payload;
        _payload = null;
        _targets.Clear();
        return payload;
    }

    private void MakeRoom(ReadOnlySpan<byte> bytes, int json, int raws)
    {
        _payload = PayloadPool.RentPayload();
        if (json > 0)
        {
            _targets.Add(_payload.ReserveJson(json));
        }

        for (var i = 0; i < raws; i++)
        {
            var line = bytes[(PayloadFrames.HeadSize + (i * PayloadFrames.LineSize))..];
            var (kind, length) = ((RawKind)line[1], BinaryPrimitives.ReadInt32LittleEndian(line[4..]));
            var values = RawArrays.Allocate(kind, length);
            _payload.AddRaw(line[0], kind, values);
            if (length > 0)
            {
                _targets.Add(RawArrays.BytesOf(values, kind));
            }
        }
    }
}
