using System.Globalization;
using Google.Protobuf;

namespace Fluster.Cluster;

/// <summary>
/// Where a job's process leaves its spans for the worker: files in a directory that the worker reads and empties. Whoever adds one only fills memory; a timer writes it.
/// All of it is bounded: what finds no room is given up, and a process that is killed loses what it ended in its last moments.
/// </summary>
internal sealed class SpanSpool : IDisposable
{
    /// <summary>The end of the names of the files.</summary>
    public const string Extension = ".spans";

    /// <summary>A file is followed by another one when it has so many bytes; the worker then deletes it.</summary>
    internal const int SegmentBytes = 1 << 20;

    /// <summary>Files that wait to be read; while there are more, spans are given up.</summary>
    internal const int MostSegments = 8;

    /// <summary>Bytes in memory.</summary>
    private const int MostPending = 4 << 20;

    /// <summary>Spans are on the disk this soon.</summary>
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly Lock _writing = new();
    private readonly string _directory;
    private readonly string _process = Guid.NewGuid().ToString("N")[..8];
    private readonly ITimer _timer;
    private MemoryStream _pending = new();
    private MemoryStream _spare = new();
    private FileStream? _file;
    private int _segments;

    public SpanSpool(string directory, TimeProvider time)
    {
        _directory = directory;
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            _timer = time.CreateTimer(_ => Flush(), null, s_interval, s_interval);
        }
    }

    public void Add(V1.Span span)
    {
        lock (_gate)
        {
            if (_pending.Length < MostPending)
            {
                span.WriteDelimitedTo(_pending);
            }
        }
    }

    /// <summary>What was added is on the disk when this returns.</summary>
    public void Flush()
    {
        lock (_writing)
        {
            MemoryStream taken;
            lock (_gate)
            {
                if (_pending.Length == 0)
                {
                    return;
                }

                taken = _pending;
                (_pending, _spare) = (_spare, _pending);
            }

            try
            {
                if (Segment() is { } file)
                {
                    file.Write(taken.GetBuffer(), 0, (int)taken.Length);
                    file.Flush();
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // A job does not fail for what is only looked at.
            }

            taken.SetLength(0);
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        Flush();
        lock (_writing)
        {
            _file?.Dispose();
            _file = null;
        }
    }

    private FileStream? Segment()
    {
        if (_file is { Length: < SegmentBytes })
        {
            return _file;
        }

        if (Directory.EnumerateFiles(_directory, $"{_process}-*{Extension}").Take(MostSegments).Count() == MostSegments)
        {
            return null; // nobody reads them
        }

        _file?.Dispose();
        var name = string.Create(CultureInfo.InvariantCulture, $"{_process}-{_segments++:d8}{Extension}");
        return _file = new FileStream(Path.Combine(_directory, name), FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0);
    }
}
