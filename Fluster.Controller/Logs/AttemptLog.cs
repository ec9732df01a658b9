using System.Globalization;

namespace Fluster.Controller;

/// <summary>
/// What one attempt wrote: chunks with numbers that grow by one, in a row of files. When it has more than it may have, the oldest file goes,
/// and readers are told of a gap. A record that a crash tore off is cut away when the log is opened, and the worker, which had no
/// acknowledgement for it, sends it again.
/// </summary>
internal sealed class AttemptLog : IDisposable
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly LogLimits _limits;
    private readonly List<LogSegment> _segments;
    private long _appended;
    private long _flushed;

    private AttemptLog(string path, LogLimits limits, List<LogSegment> segments) => (_path, _limits, _segments) = (path, limits, segments);

    /// <summary>Fires when chunks were added.</summary>
    public Pulse Changed { get; } = new();

    /// <summary>The number of the next chunk.</summary>
    public long Count
    {
        get
        {
            lock (_gate)
            {
                return Last.End;
            }
        }
    }

    /// <summary>How many lines it has, over all streams, with those that were given up.</summary>
    public long Lines
    {
        get
        {
            lock (_gate)
            {
                return Last.Lines;
            }
        }
    }

    private LogSegment Last => _segments[^1];

    public static bool Exists(string path) => File.Exists(path) || LaterFiles(path).Any();

    public static AttemptLog Open(string path, LogLimits? limits = null)
    {
        var later = LaterFiles(path).Select(file => (File: file, Start: StartOf(file))).OrderBy(file => file.Start.First).ToList();
        var segments = later.ConvertAll(file => new LogSegment(file.File, file.Start.First, file.Start.LinesBefore));
        if (segments.Count == 0 || File.Exists(path))
        {
            segments.Insert(0, new LogSegment(path, 0, 0));
        }

        return new AttemptLog(path, limits ?? new LogLimits(), segments);
    }

    /// <summary>What a file of a log begins with: its name says so after that of the first file.</summary>
    public static (long First, long LinesBefore) StartOf(string file)
    {
        var parts = Path.GetFileName(file).Split('.');
        return parts.Length == 4
            && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && long.TryParse(parts[3], NumberStyles.None, CultureInfo.InvariantCulture, out var lines)
            ? (first, lines)
            : (0, 0);
    }

    /// <summary>Adds a chunk. One that is here already is taken for the repetition that it is.</summary>
    /// <returns>False when chunks before this one are missing.</returns>
    public bool Append(V1.LogChunk chunk)
    {
        lock (_gate)
        {
            if (chunk.Sequence != Last.End)
            {
                return chunk.Sequence >= 0 && chunk.Sequence < Last.End;
            }

            if (Last.Length >= _limits.PerSegment)
            {
                Roll();
                while (_segments.Count > 1 && _segments.Sum(segment => segment.Length) > _limits.PerAttempt - _limits.PerSegment)
                {
                    DropOldest();
                }
            }

            Last.Append(chunk);
            _appended++;
        }

        Changed.Fire();
        return true;
    }

    /// <summary>Puts everything that was added so far on disk.</summary>
    public void Flush()
    {
        LogSegment last;
        long appended;
        lock (_gate)
        {
            (last, appended) = (Last, _appended);
            if (appended == _flushed)
            {
                return;
            }
        }

        try
        {
            last.Flush();
        }
        catch (ObjectDisposedException)
        {
            // Given up meanwhile.
        }

        lock (_gate)
        {
            _flushed = Math.Max(_flushed, appended);
        }
    }

    /// <summary>The first chunk with at least this number that is here; the number of the next one when there is none.</summary>
    public long NextKept(long sequence)
    {
        lock (_gate)
        {
            foreach (var segment in _segments)
            {
                if (sequence < segment.End)
                {
                    return Math.Max(sequence, segment.First);
                }
            }

            return Last.End;
        }
    }

    /// <summary>How many lines are in a gap between two chunks; 0 when nobody knows any more.</summary>
    public long LinesBetween(long from, long to)
    {
        lock (_gate)
        {
            var before = from == 0 ? 0 : _segments.Find(segment => segment.End == from)?.Lines;
            var after = _segments.Find(segment => segment.First == to)?.LinesBefore;
            return before is null || after is null ? 0 : after.Value - before.Value;
        }
    }

    /// <summary>Reads a chunk; null when it is not here any more.</summary>
    /// <exception cref="InvalidDataException">The disk gave back something else than was written.</exception>
    public V1.LogChunk? Read(long sequence)
    {
        LogSegment? segment;
        long offset;
        lock (_gate)
        {
            segment = _segments.Find(segment => sequence >= segment.First && sequence < segment.End);
            if (segment is null)
            {
                return null;
            }

            offset = segment.Find(sequence).Offset;
        }

        try
        {
            return segment.Read(offset);
        }
        catch (ObjectDisposedException)
        {
            return null; // given up between the look and the reading
        }
    }

    /// <summary>Gives up a file of the log and those before it.</summary>
    public void DropThrough(long firstOfSegment)
    {
        lock (_gate)
        {
            if (Last.First <= firstOfSegment && Last.Length > 0)
            {
                Roll();
            }

            while (_segments.Count > 1 && _segments[0].First <= firstOfSegment)
            {
                DropOldest();
            }
        }
    }

    /// <summary>The chunk in which the last <paramref name="lines"/> lines begin, and how many of its lines come before them.</summary>
    public (long Sequence, int SkipLines) Tail(long lines)
    {
        lock (_gate)
        {
            var wanted = Math.Max(0, Last.Lines - lines);
            var segment = _segments.Find(segment => segment.Lines > wanted) ?? Last;
            var (low, high) = (segment.First, segment.End);
            while (low < high)
            {
                var middle = (low + high) / 2;
                var chunk = segment.Find(middle);
                if (chunk.LinesBefore + chunk.Lines <= wanted)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }

            return low == segment.End ? (low, 0) : (low, (int)Math.Max(0, wanted - segment.Find(low).LinesBefore));
        }
    }

    public void Dispose()
    {
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }
    }

    private static IEnumerable<string> LaterFiles(string path) =>
        Path.GetDirectoryName(path) is { } directory && Directory.Exists(directory) ? Directory.EnumerateFiles(directory, Path.GetFileName(path) + ".*") : [];

    /// <summary>Goes on in a new file. The old one is on the disk then.</summary>
    private void Roll()
    {
        var last = Last;
        last.Flush();
        _segments.Add(new LogSegment(string.Create(CultureInfo.InvariantCulture, $"{_path}.{last.End}.{last.Lines}"), last.End, last.Lines));
        DurableFile.SyncDirectory(Path.GetDirectoryName(_path)!);
        _flushed = _appended;
    }

    private void DropOldest()
    {
        _segments[0].Delete();
        _segments.RemoveAt(0);
    }
}
