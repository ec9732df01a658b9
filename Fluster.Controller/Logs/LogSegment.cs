using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.Win32.SafeHandles;

namespace Fluster.Controller;

/// <summary>
/// One file of an attempt's log, which only grows. A record is {length, CRC-32C, serialized LogChunk}. Belongs to its log, which locks; only
/// reading is done without.
/// </summary>
internal sealed class LogSegment : IDisposable
{
    private const int HeaderSize = 8;

    /// <summary>A chunk's data is at most 64 KiB; anything much larger is not a record.</summary>
    private const int MaxRecord = 1 << 20;

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly List<Entry> _entries = [];

    /// <param name="path">The file; made when it is not there.</param>
    /// <param name="first">The number of its first chunk.</param>
    /// <param name="linesBefore">How many lines the log has before it.</param>
    public LogSegment(string path, long first, long linesBefore)
    {
        _path = path;
        First = first;
        LinesBefore = linesBefore;
        Lines = linesBefore;
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        while (TryRead(Length, out var chunk, out var size) && chunk.Sequence == End)
        {
            Add(size, chunk.LineCount);
        }

        if (RandomAccess.GetLength(_file) != Length)
        {
            RandomAccess.SetLength(_file, Length); // what a crash tore off, or what is damaged
        }
    }

    public long First { get; }

    /// <summary>The number of the chunk after its last one.</summary>
    public long End => First + _entries.Count;

    public long LinesBefore { get; }

    /// <summary>How many lines the log has up to its end.</summary>
    public long Lines { get; private set; }

    public long Length { get; private set; }

    public void Append(V1.LogChunk chunk)
    {
        var size = chunk.CalculateSize();
        var record = new byte[HeaderSize + size];
        chunk.WriteTo(record.AsSpan(HeaderSize));
        BinaryPrimitives.WriteInt32LittleEndian(record, size);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), Checksum(record.AsSpan(HeaderSize)));
        RandomAccess.Write(_file, record, Length);
        Add(size, chunk.LineCount);
    }

    public void Flush() => RandomAccess.FlushToDisk(_file);

    /// <summary>Where a chunk is in the file, and how many lines the log has before it.</summary>
    public (long Offset, long LinesBefore, int Lines) Find(long sequence)
    {
        var entry = _entries[checked((int)(sequence - First))];
        return (entry.Offset, entry.LinesBefore, entry.Lines);
    }

    /// <summary>The chunk at a place that <see cref="Find"/> gave.</summary>
    /// <exception cref="InvalidDataException">The disk gave back something else than was written.</exception>
    public V1.LogChunk Read(long offset) => TryRead(offset, out var chunk, out _)
        ? chunk
        : throw new InvalidDataException($"'{_path}' is damaged at byte {offset}.");

    public void Delete()
    {
        _file.Dispose();
        File.Delete(_path);
    }

    public void Dispose() => _file.Dispose();

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (var rest in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, rest);
        }

        return ~crc;
    }

    private void Add(int size, int lines)
    {
        _entries.Add(new Entry(Length, Lines, lines));
        Length += HeaderSize + size;
        Lines += lines;
    }

    private bool TryRead(long offset, [NotNullWhen(true)] out V1.LogChunk? chunk, out int size)
    {
        chunk = null;
        Span<byte> header = stackalloc byte[HeaderSize];
        size = 0;
        if (ReadFully(header, offset) < HeaderSize)
        {
            return false;
        }

        size = BinaryPrimitives.ReadInt32LittleEndian(header);
        if (size is <= 0 or > MaxRecord)
        {
            return false;
        }

        var body = new byte[size];
        if (ReadFully(body, offset + HeaderSize) < size || Checksum(body) != BinaryPrimitives.ReadUInt32LittleEndian(header[4..]))
        {
            return false;
        }

        chunk = V1.LogChunk.Parser.ParseFrom(body);
        return true;
    }

    private int ReadFully(Span<byte> buffer, long offset)
    {
        var total = 0;
        while (total < buffer.Length && RandomAccess.Read(_file, buffer[total..], offset + total) is var read and > 0)
        {
            total += read;
        }

        return total;
    }

    private readonly record struct Entry(long Offset, long LinesBefore, int Lines);
}
