using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Fluster.Tests;

/// <summary>Makes messages of a kind: such as a client could send, with values that mean something here, and bytes that are none.</summary>
/// <param name="random">Seeded.</param>
/// <param name="words">Strings that the receiver knows: ids, namespaces, hashes.</param>
internal sealed class MessageFuzzer(Random random, IReadOnlyList<string> words)
{
    private const int DeepestMessage = 5;

    private static readonly string[] s_oddWords = ["", "*", "default", "../../etc/passwd", "a/b", "x\0y", "\u202e", "𐍈𐍈", "-1", "99999999999999999999", new('a', 64), new('z', 20_000)];
    private static readonly long[] s_numbers = [0, 1, -1, 2, 100, 65_536, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue];

    /// <summary>Bytes to send: mostly a message; sometimes a damaged one; sometimes nothing of the kind.</summary>
    public byte[] Bytes(MessageDescriptor type)
    {
        var dice = random.Next(10);
        var bytes = dice == 9 ? RandomBytes(200) : Message(type, 0).ToByteArray();
        if (dice is 7 or 8 && bytes.Length > 0)
        {
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            bytes = random.Next(3) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
        }

        return bytes;
    }

    public IMessage Message(MessageDescriptor type, int depth)
    {
        var message = (IMessage)Activator.CreateInstance(type.ClrType)!;
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            // Rarely nothing at all: rules want to be reached.
            if (random.Next(10) < 3 || depth >= DeepestMessage && field.FieldType == FieldType.Message)
            {
                continue;
            }

            if (field.IsMap)
            {
                var (key, value) = (field.MessageType.FindFieldByNumber(1), field.MessageType.FindFieldByNumber(2));
                var map = (IDictionary)field.Accessor.GetValue(message);
                for (var i = random.Next(4); i > 0; i--)
                {
                    map[Value(key, depth)] = Value(value, depth);
                }
            }
            else if (field.IsRepeated)
            {
                var list = (IList)field.Accessor.GetValue(message);
                for (var i = random.Next(4); i > 0; i--)
                {
                    list.Add(Value(field, depth));
                }
            }
            else
            {
                field.Accessor.SetValue(message, Value(field, depth));
            }
        }

        return message;
    }

    private object Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.String => random.Next(3) == 0 ? s_oddWords[random.Next(s_oddWords.Length)] : words[random.Next(words.Count)],
        FieldType.Bytes => ByteString.CopyFrom(RandomBytes(1000)),
        FieldType.Bool => random.Next(2) == 0,
        FieldType.Enum => System.Enum.ToObject(field.EnumType.ClrType, random.Next(4) == 0 ? random.Next() : random.Next(field.EnumType.Values.Count)),
        FieldType.Message => Message(field.MessageType, depth + 1),
        FieldType.Double => random.Next(5) == 0 ? double.NaN : random.NextDouble() * Number(),
        FieldType.Float => (float)(random.NextDouble() * Number()),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => (int)Number(),
        FieldType.UInt32 or FieldType.Fixed32 => (uint)Number(),
        FieldType.UInt64 or FieldType.Fixed64 => (ulong)Number(),
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => Number(),
        _ => throw new NotSupportedException($"{field.FieldType}"),
    };

    private long Number() => random.Next(3) switch
    {
        0 => s_numbers[random.Next(s_numbers.Length)],
        1 => random.Next(50),
        _ => random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64),
    };

    private byte[] RandomBytes(int most)
    {
        var bytes = new byte[random.Next(most)];
        random.NextBytes(bytes);
        return bytes;
    }
}
