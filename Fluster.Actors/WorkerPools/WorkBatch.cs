using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Fluster.Actors;

/// <summary>What a part of a batch is.</summary>
internal enum WorkPartKind : byte
{
    /// <summary>To a worker: a method that the items after it are called with.</summary>
    Function = 1,

    /// <summary>To a worker: no item with that method comes any more.</summary>
    Forget = 2,

    /// <summary>To a worker: an item that is a whole call.</summary>
    Call = 3,

    /// <summary>To a worker: an item that is the argument of a method.</summary>
    Argument = 4,

    /// <summary>From a worker: the result as JSON, or nothing.</summary>
    Value = 5,

    /// <summary>From a worker: what the item threw.</summary>
    Thrown = 6,

    /// <summary>From a worker: why the item could not be run, or its result cannot travel.</summary>
    Unusable = 7,

    /// <summary>From a worker: it has not begun the item, and will not.</summary>
    NotBegun = 8,

    /// <summary>From a worker: it was told to stop, and the item gave up because of that.</summary>
    Interrupted = 9,

    /// <summary>From a worker: it stops, and begins nothing more.</summary>
    Leaving = 10,
}

/// <summary>One part of a batch.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Number">The item's number.</param>
/// <param name="Function">The method's number; 0 for none.</param>
/// <param name="Body">The rest.</param>
internal readonly record struct WorkPart(WorkPartKind Kind, long Number, int Function, ReadOnlyMemory<byte> Body);

/// <summary>Items on their way to a worker, or results on their way back: many in one message.</summary>
internal sealed class WorkBatch
{
    private const int HeadSize = 1 + 8 + 4 + 4;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public int Size => _bytes.WrittenCount;

    public int Count { get; private set; }

    public void Add(WorkPartKind kind, long number, int function, ReadOnlySpan<byte> body)
    {
        var part = _bytes.GetSpan(HeadSize + body.Length);
        part[0] = (byte)kind;
        BinaryPrimitives.WriteInt64LittleEndian(part[1..], number);
        BinaryPrimitives.WriteInt32LittleEndian(part[9..], function);
        BinaryPrimitives.WriteInt32LittleEndian(part[13..], body.Length);
        body.CopyTo(part[HeadSize..]);
        _bytes.Advance(HeadSize + body.Length);
        Count++;
    }

    public void Add(WorkPartKind kind, long number, string text) => Add(kind, number, 0, Encoding.UTF8.GetBytes(text));

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();

    public void Clear()
    {
        _bytes.ResetWrittenCount();
        Count = 0;
    }

    public static IEnumerable<WorkPart> Read(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var head = bytes.Span[..HeadSize];
            var length = BinaryPrimitives.ReadInt32LittleEndian(head[13..]);
            yield return new WorkPart(
                (WorkPartKind)head[0], BinaryPrimitives.ReadInt64LittleEndian(head[1..]), BinaryPrimitives.ReadInt32LittleEndian(head[9..]), bytes.Slice(HeadSize, length));
            bytes = bytes[(HeadSize + length)..];
        }
    }

    /// <summary>An exception as it travels.</summary>
    public static byte[] Write(CallFailure failure) => JsonSerializer.SerializeToUtf8Bytes((string[])[failure.Type, failure.Message, failure.Stack]);

    /// <summary>What was thrown at the other side.</summary>
    public static CallFailure ReadFailure(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize<string[]>(json) is [var type, var message, var stack]
        ? new CallFailure(ActorErrorKind.Exception, type, message, stack)
        : new CallFailure(ActorErrorKind.Exception, "", "");
}
