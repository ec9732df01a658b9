using System.Runtime.CompilerServices;

namespace Fluster.Controller;

/// <summary>
/// Reads the log of a job: its tasks side by side, the attempts of one task one after the other, each chunk once. Following, it ends when
/// the job has ended and everything that its attempts say they wrote was given out, or is given up and declared missing.
/// </summary>
/// <param name="store">The logs.</param>
/// <param name="view">The job as it is now; null when it is not known any more.</param>
/// <param name="changed">Fires when the job may have changed.</param>
/// <param name="time">The clock of <paramref name="patience"/>.</param>
/// <param name="patience">How long a follower waits, after the job's end, for chunks that its worker still owes. Default: 30 s.</param>
internal sealed class JobLogReader(LogStore store, Func<JobLogView?> view, Pulse changed, TimeProvider time, TimeSpan? patience = null) : IDisposable
{
    /// <summary>About so many bytes go into one answer: large enough to be quick, small enough to share a connection.</summary>
    private const int BatchBytes = 256 * 1024;

    private readonly TimeSpan _patience = patience ?? TimeSpan.FromSeconds(30);
    private readonly Dictionary<Fence, LogStore.Lease> _open = [];

    /// <summary>The chunks after a cursor, with the cursor after them.</summary>
    /// <param name="cursor">Where to begin. Moves on as chunks are given out.</param>
    /// <param name="follow">Wait for more until the job has ended.</param>
    /// <param name="tailLines">Begin so many lines before the end of each task's newest log; 0: at the beginning. Only counts for an empty cursor.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<IReadOnlyList<V1.LogChunk>> ReadAsync(
        LogCursor cursor, bool follow, int tailLines, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var skip = tailLines > 0 && cursor.ToString().Length == 0 ? MoveToTail(cursor, tailLines) : [];
        long? stuckSince = null;
        while (view() is { } job)
        {
            // Taken before looking: what changes from here on ends the wait below.
            var wakes = new List<Task> { changed.Next, store.Created.Next };
            var batch = new List<V1.LogChunk>();
            var complete = Collect(job, cursor, skip, batch, wakes, giveUp: follow && stuckSince is { } since && time.GetElapsedTime(since) >= _patience);
            if (batch.Count > 0)
            {
                stuckSince = null;
                yield return batch;
                continue;
            }

            if (!follow || job.Ended && complete)
            {
                yield break;
            }

            stuckSince = job.Ended ? stuckSince ?? time.GetTimestamp() : null;
            using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            if (job.Ended)
            {
                wakes.Add(Task.Delay(_patience, time, wait.Token));
            }

            wakes.Add(Task.Delay(Timeout.InfiniteTimeSpan, time, wait.Token));
            await Task.WhenAny(wakes);
            await wait.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    public void Dispose()
    {
        foreach (var lease in _open.Values)
        {
            lease.Dispose();
        }

        _open.Clear();
    }

    /// <summary>Takes what is there, up to a batch. True when nothing more is to come from the attempts that the view has.</summary>
    private bool Collect(JobLogView job, LogCursor cursor, Dictionary<int, int> skip, List<V1.LogChunk> batch, List<Task> wakes, bool giveUp)
    {
        var complete = true;
        var bytes = 0;
        foreach (var task in job.Attempts.GroupBy(attempt => attempt.TaskIndex))
        {
            foreach (var attempt in task)
            {
                var at = cursor[attempt.TaskIndex];
                if (at is { } begun && begun.Fence > attempt.Fence)
                {
                    continue; // read to its end before
                }

                var next = at is { } here && here.Fence == attempt.Fence ? here.Chunk : 0;
                var log = LogOf(attempt.Fence);
                if (log is not null)
                {
                    wakes.Add(log.Changed.Next);
                    for (var count = log.Count; next < count && bytes < BatchBytes; next++)
                    {
                        if (log.NextKept(next) is var kept && kept > next)
                        {
                            batch.Add(LogChunks.Missing(attempt, next, kept - next, log.LinesBetween(next, kept)));
                            skip.Remove(attempt.TaskIndex);
                            next = kept - 1;
                            continue;
                        }

                        if (log.Read(next) is not { } chunk)
                        {
                            next--; // given up this moment: the next look finds the gap
                            continue;
                        }

                        if (skip.Remove(attempt.TaskIndex, out var lines))
                        {
                            chunk = LogChunks.WithoutFirstLines(chunk, lines);
                        }

                        bytes += chunk.Data.Length + 32;
                        batch.Add(chunk);
                    }
                }

                var owed = attempt.Totals is { } totals ? totals.Chunks - next : 0;
                if (owed > 0 && giveUp && bytes < BatchBytes)
                {
                    batch.Add(LogChunks.Missing(attempt, next, owed, attempt.Totals!.Lines - (log?.Lines ?? 0)));
                    next += owed;
                    owed = 0;
                }

                if (attempt.Totals is { UnknownTail: true } && next == (log?.Count ?? 0) && bytes < BatchBytes)
                {
                    batch.Add(LogChunks.UnknownTail(attempt, next)); // takes a number, so that it is said once
                    next++;
                }

                cursor[attempt.TaskIndex] = new LogCursor.Position(attempt.Fence, next);
                if (attempt.Totals is null || owed > 0 || log is not null && next < log.Count)
                {
                    complete = false;
                    break; // the next attempt of this task comes after all of this one
                }

                Close(attempt.Fence);
            }
        }

        return complete;
    }

    private Dictionary<int, int> MoveToTail(LogCursor cursor, int lines)
    {
        var skip = new Dictionary<int, int>();
        foreach (var attempt in (view()?.Attempts ?? []).GroupBy(attempt => attempt.TaskIndex).Select(task => task.Last()))
        {
            if (LogOf(attempt.Fence) is { } log)
            {
                var (chunk, skipLines) = log.Tail(lines);
                cursor[attempt.TaskIndex] = new LogCursor.Position(attempt.Fence, chunk);
                if (skipLines > 0)
                {
                    skip[attempt.TaskIndex] = skipLines;
                }
            }
        }

        return skip;
    }

    private AttemptLog? LogOf(Fence fence)
    {
        if (!_open.TryGetValue(fence, out var lease))
        {
            lease = store.OpenIfExists(fence);
            if (lease is null)
            {
                return null;
            }

            _open.Add(fence, lease);
        }

        return lease.Log;
    }

    private void Close(Fence fence)
    {
        if (_open.Remove(fence, out var lease))
        {
            lease.Dispose();
        }
    }
}
