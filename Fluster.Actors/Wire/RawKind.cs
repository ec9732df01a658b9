using System.Buffers;
using System.Runtime.InteropServices;

namespace Fluster.Actors;

/// <summary>What a raw part of a message is made of. Numbers are those of the wire; values are little-endian.</summary>
internal enum RawKind : byte
{
    Byte = 1,
    SByte = 2,
    Int16 = 3,
    UInt16 = 4,
    Int32 = 5,
    UInt32 = 6,
    Int64 = 7,
    UInt64 = 8,
    Half = 9,
    Single = 10,
    Double = 11,
    Char = 12,

    /// <summary>A protobuf message as itself.</summary>
    Protobuf = 64,
}

/// <summary>Arrays that travel as their memory.</summary>
internal static class RawArrays
{
    /// <summary>The kind of an array's elements; null for types that travel as JSON.</summary>
    public static RawKind? KindOf(Type element) =>
        element == typeof(byte) ? RawKind.Byte
        : element == typeof(sbyte) ? RawKind.SByte
        : element == typeof(short) ? RawKind.Int16
        : element == typeof(ushort) ? RawKind.UInt16
        : element == typeof(int) ? RawKind.Int32
        : element == typeof(uint) ? RawKind.UInt32
        : element == typeof(long) ? RawKind.Int64
        : element == typeof(ulong) ? RawKind.UInt64
        : element == typeof(Half) ? RawKind.Half
        : element == typeof(float) ? RawKind.Single
        : element == typeof(double) ? RawKind.Double
        : element == typeof(char) ? RawKind.Char
        : null;

    /// <summary>The name of the kind for people.</summary>
    public static string Display(RawKind kind) => kind == RawKind.Protobuf ? "a protobuf message" : $"{kind}[]";

    /// <summary>The bytes of one element; 0 for a kind that is none.</summary>
    public static int SizeOf(RawKind kind) => kind switch
    {
        RawKind.Byte or RawKind.SByte or RawKind.Protobuf => 1,
        RawKind.Int16 or RawKind.UInt16 or RawKind.Half or RawKind.Char => 2,
        RawKind.Int32 or RawKind.UInt32 or RawKind.Single => 4,
        RawKind.Int64 or RawKind.UInt64 or RawKind.Double => 8,
        _ => 0,
    };

    /// <summary>An array that is received into. The length is a multiple of the element's size.</summary>
    public static Array Allocate(RawKind kind, int byteLength) => kind switch
    {
        RawKind.Byte or RawKind.Protobuf => GC.AllocateUninitializedArray<byte>(byteLength),
        RawKind.SByte => GC.AllocateUninitializedArray<sbyte>(byteLength),
        RawKind.Int16 => GC.AllocateUninitializedArray<short>(byteLength / 2),
        RawKind.UInt16 => GC.AllocateUninitializedArray<ushort>(byteLength / 2),
        RawKind.Int32 => GC.AllocateUninitializedArray<int>(byteLength / 4),
        RawKind.UInt32 => GC.AllocateUninitializedArray<uint>(byteLength / 4),
        RawKind.Int64 => GC.AllocateUninitializedArray<long>(byteLength / 8),
        RawKind.UInt64 => GC.AllocateUninitializedArray<ulong>(byteLength / 8),
        RawKind.Half => GC.AllocateUninitializedArray<Half>(byteLength / 2),
        RawKind.Single => GC.AllocateUninitializedArray<float>(byteLength / 4),
        RawKind.Double => GC.AllocateUninitializedArray<double>(byteLength / 8),
        RawKind.Char => GC.AllocateUninitializedArray<char>(byteLength / 2),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The memory of an array as bytes.</summary>
    public static Memory<byte> BytesOf(Array array, RawKind kind) => kind switch
    {
        RawKind.Byte or RawKind.Protobuf => (byte[])array,
        RawKind.SByte => Cast((sbyte[])array),
        RawKind.Int16 => Cast((short[])array),
        RawKind.UInt16 => Cast((ushort[])array),
        RawKind.Int32 => Cast((int[])array),
        RawKind.UInt32 => Cast((uint[])array),
        RawKind.Int64 => Cast((long[])array),
        RawKind.UInt64 => Cast((ulong[])array),
        RawKind.Half => Cast((Half[])array),
        RawKind.Single => Cast((float[])array),
        RawKind.Double => Cast((double[])array),
        RawKind.Char => Cast((char[])array),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    public static Memory<byte> Cast<T>(T[] array)
        where T : unmanaged => array is byte[] bytes ? bytes : new CastMemory<T>(array).Memory;

    /// <summary>Memory of another type seen as bytes, so that sockets read and write it in place.</summary>
    private sealed class CastMemory<T>(T[] array) : MemoryManager<byte>
        where T : unmanaged
    {
        public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(array.AsSpan());

        public override unsafe MemoryHandle Pin(int elementIndex = 0)
        {
            var handle = GCHandle.Alloc(array, GCHandleType.Pinned);
            return new MemoryHandle((byte*)handle.AddrOfPinnedObject() + elementIndex, handle, this);
        }

        public override void Unpin()
        {
            // The handle that Pin gave frees the array.
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
