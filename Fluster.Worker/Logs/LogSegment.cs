using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Worker;

/// <summary>
/// One file of a log spool. Its first record is what the log had before it (<see cref="V1.LogTotals"/>), each other record a chunk.
/// A record is its length in four bytes and a message.
/// </summary>
internal sealed class LogSegment(string path, V1.LogTotals before) : IDisposable
{
    /// <summary>A segment that has this much takes no more (4 MiB).</summary>
    private const int FullLength = 4 << 20;

    private const int PrefixLength = 4;

    private readonly List<Entry> _entries = [];
    private Microsoft.Win32.SafeHandles.SafeFileHandle? _file;

    /// <summary>What the log had before this segment.</summary>
    public V1.LogTotals Before { get; } = before;

    public long FirstSequence => Before.Chunks;

    public long NextSequence => FirstSequence + _entries.Count;

    public long Length { get; private set; }

    public bool IsFull => Length >= FullLength;

    /// <summary>It can take chunks with data.</summary>
    public bool HasFile => _file is not null;

    /// <summary>Its chunks were given up.</summary>
    public bool IsGone { get; private set; }

    public static LogSegment Create(string path, V1.LogTotals before)
    {
        var segment = new LogSegment(path, before);
        segment._file = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            segment.WriteRecord(before);
            return segment;
        }
        catch
        {
            segment.Delete();
            throw;
        }
    }

    /// <summary>Reads a segment that an earlier run wrote. A record that was not written in full, and what follows it, is cut off.</summary>
    /// <returns>The segment; null when it has not even its first record.</returns>
    public static LogSegment? Recover(string path, Action<V1.LogChunk> found)
    {
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var length = RandomAccess.GetLength(file);
        if (ReadRecord(file, 0, length, V1.LogTotals.Parser, out var first) is not { } totals)
        {
            file.Dispose();
            return null;
        }

        var segment = new LogSegment(path, totals) { _file = file, Length = first };
        while (ReadRecord(file, segment.Length, length, V1.LogChunk.Parser, out var size) is { } chunk && chunk.Sequence >= segment.NextSequence)
        {
            while (chunk.Sequence > segment.NextSequence)
            {
                segment.AddGap(chunk.Stream, chunk.FirstLine, 0, chunk.Time); // one that the disk had refused
            }

            segment._entries.Add(new Entry(segment.Length, size, chunk.Stream, chunk.FirstLine, chunk.LineCount, chunk.Time));
            segment.Length += size;
            segment.IsGone = chunk.Gap;
            found(chunk);
        }

        RandomAccess.SetLength(file, segment.Length);
        return segment;
    }

    /// <summary>Adds a chunk.</summary>
    /// <returns>How many bytes it takes.</returns>
    public int Append(V1.LogChunk chunk)
    {
        var start = Length;
        var size = WriteRecord(chunk);
        _entries.Add(new Entry(start, size, chunk.Stream, chunk.FirstLine, chunk.LineCount, chunk.Time));
        return size;
    }

    /// <summary>Adds a chunk whose data is given up.</summary>
    public void AddGap(V1.LogStream stream, long firstLine, int lineCount, Timestamp time) => _entries.Add(new Entry(0, 0, stream, firstLine, lineCount, time));

    public V1.LogChunk Read(long sequence)
    {
        var entry = _entries[(int)(sequence - FirstSequence)];
        return entry.Size > 0 && _file is not null && ReadRecord(_file, entry.Start, Length, V1.LogChunk.Parser, out _) is { } chunk
            ? chunk
            : GapOf(sequence, entry);
    }

    /// <summary>Gives up the data of all its chunks. What is known of them stays, also on the disk.</summary>
    /// <returns>How many bytes that freed.</returns>
    public long TurnIntoGaps()
    {
        var temporary = path + ".tmp";
        var gaps = Create(temporary, Before); // beside the old one, which stays as it is should the disk refuse
        try
        {
            for (var i = 0; i < _entries.Count; i++)
            {
                gaps.Append(GapOf(FirstSequence + i, _entries[i]));
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            gaps.Delete();
            throw;
        }

        var length = Length;
        Dispose();
        (_file, Length, IsGone) = (gaps._file, gaps.Length, true);
        for (var i = 0; i < _entries.Count; i++)
        {
            _entries[i] = gaps._entries[i];
        }

        return length - Length;
    }

    public void Delete()
    {
        Dispose();
        File.Delete(path);
    }

    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    private static V1.LogChunk GapOf(long sequence, Entry entry) => new()
    {
        Sequence = sequence,
        Stream = entry.Stream,
        FirstLine = entry.FirstLine,
        LineCount = entry.LineCount,
        Time = entry.Time,
        Gap = true,
    };

    private int WriteRecord(IMessage message)
    {
        var size = message.CalculateSize();
        var record = new byte[PrefixLength + size];
        BinaryPrimitives.WriteInt32LittleEndian(record, size);
        message.WriteTo(record.AsSpan(PrefixLength));
        RandomAccess.Write(_file!, record, Length);
        Length += record.Length;
        return record.Length;
    }

    private static T? ReadRecord<T>(Microsoft.Win32.SafeHandles.SafeFileHandle file, long start, long end, MessageParser<T> parser, out int length)
        where T : class, IMessage<T>
    {
        length = 0;
        Span<byte> prefix = stackalloc byte[PrefixLength];
        if (start + PrefixLength > end || RandomAccess.Read(file, prefix, start) != PrefixLength)
        {
            return null;
        }

        var size = BinaryPrimitives.ReadInt32LittleEndian(prefix);
        if (size <= 0 && start > 0 || size < 0 || size > end - start - PrefixLength)
        {
            return null;
        }

        var record = new byte[size];
        if (RandomAccess.Read(file, record, start + PrefixLength) != size)
        {
            return null;
        }

        try
        {
            length = PrefixLength + size;
            return parser.ParseFrom(record);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(long Start, int Size, V1.LogStream Stream, long FirstLine, int LineCount, Timestamp Time);
}
