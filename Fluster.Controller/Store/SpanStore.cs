using System.Collections.Concurrent;
using System.Data.Common;
using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>
/// Keeps spans: 10,000 for each job, for seven days (spec section 9). Whoever adds one never waits: a thread of its own writes them, some at a time, and what it
/// cannot keep up with, or finds no room for, is given up. Not part of the state of the cluster: nothing is decided by it.
/// </summary>
internal sealed partial class SpanStore : IDisposable
{
    /// <summary>Spans that are kept for a job.</summary>
    public const int MostPerJob = 10_000;

    /// <summary>Spans of one trace that are read.</summary>
    public const int MostRead = 10_000;

    /// <summary>Added and not written yet.</summary>
    private const int MostWaiting = 50_000;

    /// <summary>Written in one transaction.</summary>
    private const int MostPerWrite = 2_000;

    /// <summary>Jobs whose number of spans is remembered.</summary>
    private const int MostCounted = 10_000;

    /// <summary>Deleted at a time when there is too much.</summary>
    private const int Slice = 1_000;

    /// <summary>On the disk, all jobs together.</summary>
    private const long MostBytes = 512L << 20;

    private static readonly TimeSpan s_kept = TimeSpan.FromDays(7);

    private readonly SpanDatabase _database;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly BlockingCollection<object> _waiting = new(MostWaiting);
    private readonly Dictionary<long, long> _counts = [];
    private readonly Thread _thread;
    private readonly long _mostBytes;
    private long _givenUp;
    private bool _failing;

    public SpanStore(string dataDirectory, TimeProvider time, ILogger<SpanStore> logger, long mostBytes = MostBytes)
    {
        (_time, _logger, _mostBytes) = (time, logger, mostBytes);
        _database = SpanDatabase.Open(Path.Combine(dataDirectory, "spans.db"));
        _thread = new Thread(Run) { IsBackground = true, Name = "span store" };
        _thread.Start();
    }

    /// <summary>Is told of each span that has ended and was written. Called on the store's thread: takes note and returns.</summary>
    public Action<V1.Span> Ended { get; set; } = static _ => { };

    /// <summary>Spans that were given up because they came faster than they could be written.</summary>
    public long GivenUp => Interlocked.Read(ref _givenUp);

    /// <summary>Adds a span, or what is newly known of it. Never waits.</summary>
    public void Add(StoredSpan span) => Put(span);

    /// <summary>Forgets what there is of a job. Never waits.</summary>
    public void Forget(long jobUid) => Put(new ForgetJob(jobUid));

    /// <summary>What was added before is read from now on.</summary>
    public Task FlushAsync(CancellationToken cancellationToken)
    {
        var flushed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _waiting.IsAddingCompleted || !_waiting.TryAdd(flushed) ? Task.CompletedTask : flushed.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The spans of a trace, by their start.</summary>
    public IReadOnlyList<(long JobUid, V1.Span Span)> Read(string traceId, Func<long, bool> isVisible) =>
        [.. _database.Read(traceId, MostRead * 2).Where(span => isVisible(span.Job)).OrderBy(span => span.Span.Start.ToDateTimeOffset()).Take(MostRead)];

    /// <summary>Spans of a job that were given up because it had too many.</summary>
    public long DroppedOf(long jobUid) => _database.DroppedOf(jobUid);

    /// <summary>Gives up what is too old, and the oldest of what is too much. Never waits.</summary>
    public void Sweep() => Put(new SweepAll());

    public void Dispose()
    {
        _waiting.CompleteAdding();
        _thread.Join();
        _waiting.Dispose();
        _database.Dispose();
    }

    private void Put(object note)
    {
        try
        {
            if (!_waiting.TryAdd(note))
            {
                Interlocked.Increment(ref _givenUp);
            }
        }
        catch (InvalidOperationException)
        {
            // The controller stops.
        }
    }

    private void Run()
    {
        var notes = new List<object>();
        while (_waiting.TryTake(out var note, Timeout.Infinite))
        {
            notes.Add(note);
            while (notes.Count < MostPerWrite && _waiting.TryTake(out note))
            {
                notes.Add(note);
            }

            try
            {
                Write(notes);
                _failing = false;
            }
            catch (Exception exception) when (exception is DbException or IOException or InvalidProtocolBufferException)
            {
                _counts.Clear();
                if (!_failing)
                {
                    _failing = true;
                    Log.NotWritten(_logger, exception);
                }
            }

            foreach (var flushed in notes.OfType<TaskCompletionSource>())
            {
                flushed.TrySetResult();
            }

            notes.Clear();
        }
    }

    private void Write(List<object> notes)
    {
        var now = _time.GetUtcNow();
        using (var transaction = _database.Begin())
        {
            foreach (var note in notes)
            {
                switch (note)
                {
                    case StoredSpan span:
                        Write(span, now.ToUnixTimeMilliseconds());
                        break;
                    case ForgetJob forget:
                        _counts.Remove(forget.JobUid);
                        _database.DeleteJob(forget.JobUid);
                        break;
                    case SweepAll:
                        _counts.Clear();
                        _database.DeleteBefore((now - s_kept).ToUnixTimeMilliseconds());
                        break;
                }
            }

            transaction.Commit();
        }

        while (notes.OfType<SweepAll>().Any() && _database.UsedBytes > _mostBytes)
        {
            _database.DeleteOldest(Slice);
        }

        foreach (var span in notes.OfType<StoredSpan>().Where(span => span.Rank != SpanRank.Open))
        {
            Ended(span.Span);
        }
    }

    private void Write(StoredSpan span, long at)
    {
        var job = span.JobUid;
        if (!_counts.TryGetValue(job, out var count))
        {
            if (_counts.Count >= MostCounted)
            {
                _counts.Clear();
            }

            count = _database.CountOf(job);
        }

        if (count >= MostPerJob)
        {
            count -= _database.DeleteOldestOfOthers(job, Slice);
        }

        if (count < MostPerJob)
        {
            count += _database.Put(span, at) ? 1 : 0;
        }
        else if (!_database.Replace(span, at))
        {
            _database.Dropped(job, 1);
        }

        _counts[job] = count;
    }

    private sealed record ForgetJob(long JobUid);

    private sealed record SweepAll;

    private static partial class Log
    {
        [LoggerMessage(180, LogLevel.Warning, "Spans could not be written and are lost; the jobs do not notice")]
        public static partial void NotWritten(ILogger logger, Exception exception);
    }
}
