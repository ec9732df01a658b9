using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Worker;

/// <summary>Whose output it is.</summary>
internal sealed record LogOwner(Fence Fence, string JobId, int TaskIndex);

/// <summary>
/// The output of one attempt on the worker's disk, until the controller has it on its own: chunks, numbered from 0, in files of a few
/// megabytes that are deleted from the front as they are acknowledged. Past its limit the oldest file becomes gaps. A disk that refuses
/// to write makes gaps too: a log never fails a job.
/// </summary>
internal sealed class LogSpool : IDisposable
{
    /// <summary>Not acknowledged and kept per attempt (256 MiB).</summary>
    public const long DefaultLimit = 256L << 20;

    private readonly Lock _gate = new();
    private readonly string _directory;
    private readonly Action? _appended;
    private readonly long _limit;
    private readonly LogOwner _owner;
    private readonly Queue<LogSegment> _segments = [];
    private readonly V1.LogTotals _totals = new();
    private LogSegment? _last;
    private long _firstUnacknowledged;
    private long _kept; // bytes in all segments

    private LogSpool(string directory, LogOwner owner, Action? appended, long limit)
    {
        _appended = appended;
        _directory = directory;
        _owner = owner;
        _limit = limit;
    }

    public V1.LogTotals Totals
    {
        get
        {
            lock (_gate)
            {
                return _totals.Clone();
            }
        }
    }

    /// <summary>The first chunk that is still to be acknowledged; the number of chunks when there is none.</summary>
    public long FirstUnacknowledged
    {
        get
        {
            lock (_gate)
            {
                return _firstUnacknowledged;
            }
        }
    }

    /// <summary>Opens the spool in a directory, with what an earlier run of the worker left there.</summary>
    /// <param name="directory">The attempt's own.</param>
    /// <param name="owner">Whose output it is.</param>
    /// <param name="appended">Called after each chunk that came in, on the thread that brought it. Must not wait.</param>
    /// <param name="limit">The most bytes that are kept.</param>
    public static LogSpool Open(string directory, LogOwner owner, Action? appended = null, long limit = DefaultLimit)
    {
        Directory.CreateDirectory(directory);
        var spool = new LogSpool(directory, owner, appended, limit);
        spool.Recover();
        return spool;
    }

    public void Append(V1.LogStream stream, long firstLine, int lineCount, DateTimeOffset time, ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            var chunk = new V1.LogChunk
            {
                Sequence = _totals.Chunks,
                Stream = stream,
                FirstLine = firstLine,
                LineCount = lineCount,
                Time = time.ToTimestamp(),
                Data = ByteString.CopyFrom(data),
            };
            try
            {
                Write(chunk);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The disk is full or broken. The chunk becomes a gap, which needs no disk.
                _last ??= AddSegment(new LogSegment(PathOf(chunk.Sequence), new V1.LogTotals()));
                _last.AddGap(stream, firstLine, lineCount, chunk.Time);
            }

            Count(chunk);
        }

        _appended?.Invoke();
    }

    /// <summary>Chunk number <paramref name="sequence"/>; null when there is none yet, or it was acknowledged.</summary>
    public V1.LogChunk? Read(long sequence)
    {
        lock (_gate)
        {
            if (sequence < _firstUnacknowledged || sequence >= _totals.Chunks)
            {
                return null;
            }

            var segment = _segments.Last(candidate => candidate.FirstSequence <= sequence);
            var chunk = segment.Read(sequence);
            (chunk.Fence, chunk.JobId, chunk.TaskIndex) = (_owner.Fence.Value, _owner.JobId, _owner.TaskIndex);
            return chunk;
        }
    }

    /// <summary>Everything up to and including this chunk is on the controller's disk.</summary>
    public void Acknowledge(long sequence)
    {
        lock (_gate)
        {
            _firstUnacknowledged = Math.Clamp(sequence + 1, _firstUnacknowledged, _totals.Chunks);

            // The newest stays: it knows the totals.
            while (_segments.TryPeek(out var oldest) && oldest != _last && oldest.NextSequence <= _firstUnacknowledged)
            {
                _segments.Dequeue();
                _kept -= oldest.Length;
                oldest.Delete();
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var segment in _segments)
            {
                segment.Dispose();
            }
        }
    }

    private void Write(V1.LogChunk chunk)
    {
        if (_last is not { HasFile: true, IsFull: false })
        {
            _last = AddSegment(LogSegment.Create(PathOf(chunk.Sequence), _totals.Clone()));
        }

        _kept += _last.Append(chunk);
        try
        {
            while (_kept > _limit && _segments.FirstOrDefault(segment => segment != _last && !segment.IsGone) is { } oldest)
            {
                _kept -= oldest.TurnIntoGaps();
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It stays over its limit until the disk takes the gaps.
        }
    }

    private LogSegment AddSegment(LogSegment segment)
    {
        _segments.Enqueue(segment);
        return segment;
    }

    private string PathOf(long sequence) => Path.Combine(_directory, $"log-{sequence:d12}");

    private void Count(V1.LogChunk chunk)
    {
        _totals.Chunks = chunk.Sequence + 1;
        var lines = chunk.FirstLine + chunk.LineCount;
        switch (chunk.Stream)
        {
            case V1.LogStream.Stdout:
                _totals.StdoutLines = lines;
                break;
            case V1.LogStream.Stderr:
                _totals.StderrLines = lines;
                break;
            case V1.LogStream.Build:
                _totals.BuildLines = lines;
                break;
        }
    }

    private void Recover()
    {
        foreach (var path in Directory.GetFiles(_directory, "log-*").Where(path => !path.EndsWith(".tmp", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            if (LogSegment.Recover(path, Count) is not { } segment)
            {
                File.Delete(path); // not even its beginning was written
                continue;
            }

            if (_segments.Count == 0)
            {
                _firstUnacknowledged = segment.FirstSequence; // what came before was deleted: it had been acknowledged
            }

            var before = segment.Before;
            _totals.Chunks = Math.Max(_totals.Chunks, before.Chunks);
            _totals.StdoutLines = Math.Max(_totals.StdoutLines, before.StdoutLines);
            _totals.StderrLines = Math.Max(_totals.StderrLines, before.StderrLines);
            _totals.BuildLines = Math.Max(_totals.BuildLines, before.BuildLines);
            _kept += segment.Length;
            _last = AddSegment(segment);
        }
    }
}
