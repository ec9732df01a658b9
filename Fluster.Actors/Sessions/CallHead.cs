using System.Buffers.Binary;
using System.Diagnostics;
using Fluster.Actors.V1;
using Google.Protobuf;

namespace Fluster.Actors;

/// <summary>What comes before the arguments of a call: which method, the deadline, and where the call comes from.</summary>
internal readonly record struct CallHead(int Definition, long Deadline, ChainEntry[] Chain, ActivityContext Trace)
{
    public const int Size = 24;

    private const int HasDeadline = 1;
    private const int IsMonotonic = 2;

    // A chain of 64 names is some kilobytes; it has to fit into a frame beside the table.
    public const int MostOrigin = 16 * 1024;

    /// <summary>The bytes of a head. Without an origin they are written where the caller says.</summary>
    public static ReadOnlySpan<byte> Write(Span<byte> room, int definition, PendingCall call, bool sameMachine)
    {
        var origin = OriginOf(call);
        var length = origin?.CalculateSize() ?? 0;
        var head = room.Length >= Size + length ? room[..(Size + length)] : new byte[Size + length];
        var flags = call.Deadline == 0 ? 0 : sameMachine ? HasDeadline | IsMonotonic : HasDeadline;
        BinaryPrimitives.WriteInt32LittleEndian(head, definition);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], flags);
        BinaryPrimitives.WriteInt64LittleEndian(head[8..], call.Deadline == 0 ? 0 : sameMachine ? call.Deadline : (long)CallScope.Left(call.Deadline).TotalMicroseconds);
        BinaryPrimitives.WriteInt32LittleEndian(head[16..], length);
        BinaryPrimitives.WriteInt32LittleEndian(head[20..], 0);
        origin?.WriteTo(head.Slice(Size, length));
        return head;
    }

    /// <exception cref="SessionProtocolException">This is no head.</exception>
    public static CallHead Read(ReadOnlySpan<byte> from, out int used)
    {
        var origin = from.Length < Size ? -1 : BinaryPrimitives.ReadInt32LittleEndian(from[16..]);
        if (origin is < 0 or > MostOrigin || from.Length < Size + origin)
        {
            throw new SessionProtocolException("A call ends before its head.");
        }

        used = Size + origin;
        var flags = BinaryPrimitives.ReadInt32LittleEndian(from[4..]);
        var time = BinaryPrimitives.ReadInt64LittleEndian(from[8..]);
        var deadline = (flags & HasDeadline) == 0 ? 0
            : (flags & IsMonotonic) != 0 ? Math.Max(time, 1)
            : CallScope.After(TimeSpan.FromMicroseconds(Math.Clamp(time, 0, TimeSpan.TicksPerDay * 30)));
        if (origin == 0)
        {
            return new CallHead(BinaryPrimitives.ReadInt32LittleEndian(from), deadline, [], default);
        }

        var parsed = CallOrigin.Parser.ParseFrom(from.Slice(Size, origin));
        var trace = ActivityContext.TryParse(parsed.Traceparent, parsed.Tracestate.Length > 0 ? parsed.Tracestate : null, isRemote: true, out var remote) ? remote : default;
        ChainEntry[] chain = parsed.Chain.Count > CallScope.MostEntries
            ? throw new SessionProtocolException($"A call comes from {parsed.Chain.Count} others: {CallScope.MostEntries} is the most.")
            : [.. parsed.Chain.Select(link => new ChainEntry(GuidOf(link.Actor), link.Call, link.Name))];
        return new CallHead(BinaryPrimitives.ReadInt32LittleEndian(from), deadline, chain, trace);
    }

    public static Guid GuidOf(ByteString bytes) => bytes.Length switch
    {
        0 => Guid.Empty,
        16 => new Guid(bytes.Span),
        _ => throw new SessionProtocolException($"{bytes.Length} bytes are no id."),
    };

    public static ByteString BytesOf(Guid guid) => guid == Guid.Empty ? ByteString.Empty : ByteString.CopyFrom(guid.ToByteArray());

    private static CallOrigin? OriginOf(PendingCall call)
    {
        if (call.Chain.Length == 0 && call.Trace == default)
        {
            return null;
        }

        var origin = new CallOrigin();
        if (call.Trace != default)
        {
            origin.Traceparent = $"00-{call.Trace.TraceId}-{call.Trace.SpanId}-{(int)call.Trace.TraceFlags:x2}";
            origin.Tracestate = call.Trace.TraceState ?? "";
        }

        origin.Chain.AddRange(call.Chain.Select(entry => new CallLink { Actor = BytesOf(entry.Actor), Call = entry.Call, Name = entry.Name }));
        return origin;
    }
}

/// <summary>Which machine this is, as far as its monotonic clock goes: containers of one machine share it.</summary>
internal static class MachineClock
{
    public static string Id { get; } = Read();

    private static string Read()
    {
        try
        {
            return OperatingSystem.IsLinux()
                ? $"{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()}/{new FileInfo("/proc/self/ns/time").LinkTarget}"
                : "";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
