using System.Globalization;
using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>What a job of a <see cref="LocalClient"/> wrote, in memory. Past a limit the oldest lines go, and readers are told how many.</summary>
internal sealed class LocalLog(TimeProvider time)
{
    /// <summary>Characters that are kept of one job.</summary>
    private const long MostKept = 32 << 20;

    /// <summary>What a line costs beside its text.</summary>
    private const int LineCost = 64;

    private readonly Lock _gate = new();
    private readonly List<JobLogLine> _lines = [];
    private TaskCompletionSource _changed = NewChanged();
    private long _first; // the number of the oldest line that is kept, over all streams
    private long _kept;
    private bool _complete;

    public void Append(JobLogLine line)
    {
        lock (_gate)
        {
            _lines.Add(line);
            _kept += line.Text.Length + LineCost;
            if (_kept > MostKept)
            {
                Shorten();
            }

            Tell();
        }
    }

    /// <summary>The job has ended: nothing comes any more.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _complete = true;
            Tell();
        }
    }

    /// <exception cref="ClusterException">The cursor is not one of a log.</exception>
    public async IAsyncEnumerable<JobLogLine> ReadAsync(LogOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = FirstOf(options);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (lines, complete, changed) = Take(ref next, options.TaskIndex);
            foreach (var line in lines)
            {
                yield return line;
            }

            if (lines.Count == 0)
            {
                if (complete || !options.Follow)
                {
                    yield break;
                }

                await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static TaskCompletionSource NewChanged() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private long FirstOf(LogOptions options)
    {
        if (!string.IsNullOrEmpty(options.Cursor))
        {
            return long.TryParse(options.Cursor, NumberStyles.None, null, out var next)
                ? next
                : throw new ClusterException(ClusterError.InvalidArgument, "The cursor is not one that this client gave out.");
        }

        if (options.Tail is not { } tail)
        {
            return 0;
        }

        lock (_gate)
        {
            var index = _lines.Count;
            for (var left = tail; index > 0 && left > 0; index--)
            {
                left -= IsWanted(_lines[index - 1], options.TaskIndex) ? 1 : 0;
            }

            return _first + index;
        }
    }

    private (List<JobLogLine> Lines, bool Complete, Task Changed) Take(ref long next, int? task)
    {
        const int Most = 1_000;
        lock (_gate)
        {
            var lines = new List<JobLogLine>();
            if (next < _first)
            {
                var missing = (int)Math.Min(int.MaxValue, _first - next);
                lines.Add(new JobLogLine(task ?? 0, default, JobLogStream.Stdout, 0, time.GetUtcNow(), $"[{missing} lines are missing here]")
                {
                    MissingLines = missing,
                    Cursor = _first.ToString(CultureInfo.InvariantCulture),
                });
                next = _first;
            }

            for (; next < _first + _lines.Count && lines.Count < Most; next++)
            {
                var line = _lines[(int)(next - _first)];
                if (IsWanted(line, task))
                {
                    lines.Add(line with { Cursor = (next + 1).ToString(CultureInfo.InvariantCulture) });
                }
            }

            return (lines, _complete, _changed.Task);
        }
    }

    private static bool IsWanted(JobLogLine line, int? task) => task is null || line.TaskIndex == task;

    private void Shorten()
    {
        var count = 0;
        for (; count < _lines.Count && _kept > MostKept / 4 * 3; count++)
        {
            _kept -= _lines[count].Text.Length + LineCost;
        }

        _lines.RemoveRange(0, count);
        _first += count;
    }

    private void Tell()
    {
        _changed.TrySetResult();
        _changed = NewChanged();
    }
}
