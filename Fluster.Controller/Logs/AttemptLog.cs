using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.Win32.SafeHandles;

namespace Fluster.Controller;

/// <summary>
/// What one attempt wrote, in one file that only grows. A record is {length, CRC-32C, serialized LogChunk}; chunk number n is the n-th
/// record. A record that a crash tore off is cut away when the file is opened, and the worker, which had no acknowledgement for it,
/// sends it again.
/// </summary>
internal sealed class AttemptLog : IDisposable
{
    private const int HeaderSize = 8;

    /// <summary>A chunk's data is at most 64 KiB; anything much larger is not a record.</summary>
    private const int MaxRecord = 1 << 20;

    private readonly Lock _gate = new();
    private readonly SafeFileHandle _file;
    private readonly List<Entry> _entries = [];
    private long _length;
    private long _lines;
    private long _flushed;

    private AttemptLog(SafeFileHandle file) => _file = file;

    /// <summary>Fires when chunks were added.</summary>
    public Pulse Changed { get; } = new();

    /// <summary>How many chunks are here: the number of the next one.</summary>
    public long Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>How many lines are here, over all streams.</summary>
    public long Lines
    {
        get
        {
            lock (_gate)
            {
                return _lines;
            }
        }
    }

    public static AttemptLog Open(string path)
    {
        var log = new AttemptLog(File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read));
        log.Recover();
        return log;
    }

    /// <summary>Adds a chunk. One that is here already is taken for the repetition that it is.</summary>
    /// <returns>False when chunks before this one are missing.</returns>
    public bool Append(V1.LogChunk chunk)
    {
        lock (_gate)
        {
            if (chunk.Sequence != _entries.Count)
            {
                return chunk.Sequence >= 0 && chunk.Sequence < _entries.Count;
            }

            var size = chunk.CalculateSize();
            var record = new byte[HeaderSize + size];
            chunk.WriteTo(record.AsSpan(HeaderSize));
            BinaryPrimitives.WriteInt32LittleEndian(record, size);
            BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), Checksum(record.AsSpan(HeaderSize)));
            RandomAccess.Write(_file, record, _length);
            Add(size, chunk.LineCount);
        }

        Changed.Fire();
        return true;
    }

    /// <summary>Puts everything that was added so far on disk.</summary>
    public void Flush()
    {
        long length;
        lock (_gate)
        {
            length = _length;
            if (length == _flushed)
            {
                return;
            }
        }

        RandomAccess.FlushToDisk(_file);
        lock (_gate)
        {
            _flushed = Math.Max(_flushed, length);
        }
    }

    /// <summary>Reads a chunk that is here.</summary>
    /// <exception cref="InvalidDataException">The disk gave back something else than was written.</exception>
    public V1.LogChunk Read(long sequence)
    {
        Entry entry;
        lock (_gate)
        {
            entry = _entries[checked((int)sequence)];
        }

        return TryRead(entry.Offset, out var chunk, out _)
            ? chunk
            : throw new InvalidDataException($"Chunk {sequence} of a log, at byte {entry.Offset} of its file, is damaged.");
    }

    /// <summary>The chunk in which the last <paramref name="lines"/> lines begin, and how many of its lines come before them.</summary>
    public (long Sequence, int SkipLines) Tail(long lines)
    {
        lock (_gate)
        {
            var first = Math.Max(0, _lines - lines);
            var low = 0;
            var high = _entries.Count;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (_entries[middle].LinesBefore + _entries[middle].Lines <= first)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }

            return low == _entries.Count ? (low, 0) : (low, (int)(first - _entries[low].LinesBefore));
        }
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

    private void Recover()
    {
        while (TryRead(_length, out var chunk, out var size) && chunk.Sequence == _entries.Count)
        {
            Add(size, chunk.LineCount);
        }

        if (RandomAccess.GetLength(_file) != _length)
        {
            RandomAccess.SetLength(_file, _length);
        }

        _flushed = _length;
    }

    private void Add(int size, int lines)
    {
        _entries.Add(new Entry(_length, _lines, lines));
        _length += HeaderSize + size;
        _lines += lines;
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
