using System.Buffers.Binary;
using System.Text;

namespace Aspire.Hosting.Dashboard;

/// <summary>Reads the wire format of protocol buffers, field by field.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> data)
{
    private const int LongestVarint = 10;

    private ReadOnlySpan<byte> _rest = data;
    private int _type;

    /// <summary>The number of the field that <see cref="Next"/> has come to.</summary>
    public int Field { get; private set; }

    /// <summary>Goes on to the next field; false at the end. The value is to be read, or skipped, before the next call.</summary>
    /// <exception cref="InvalidDataException">The data is no message.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint();
        Field = (int)(tag >> 3);
        _type = (int)(tag & 7);
        return true;
    }

    public ulong Varint()
    {
        ulong value = 0;
        for (var i = 0; i < LongestVarint; i++)
        {
            var b = Take(1)[0];
            value |= (ulong)(b & 0x7f) << (7 * i);
            if (b < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("A number is longer than any number is.");
    }

    public ulong Fixed64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public double Double() => BitConverter.UInt64BitsToDouble(Fixed64());

    public ReadOnlySpan<byte> Bytes()
    {
        var length = Varint();
        return length <= (ulong)_rest.Length ? Take((int)length) : throw new InvalidDataException("The message ends in the middle of a field.");
    }

    public string Text() => Encoding.UTF8.GetString(Bytes());

    public string Hex() => Convert.ToHexStringLower(Bytes());

    public void Skip()
    {
        switch (_type)
        {
            case 0:
                Varint();
                break;
            case 1:
                Take(8);
                break;
            case 2:
                Bytes();
                break;
            case 5:
                Take(4);
                break;
            default:
                throw new InvalidDataException($"There is no wire type {_type}.");
        }
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw new InvalidDataException("The message ends in the middle of a field.");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
