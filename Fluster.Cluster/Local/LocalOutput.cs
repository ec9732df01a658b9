using System.Text;

namespace Fluster.Cluster;

/// <summary>What one attempt writes, cut into lines on the way into the log of its job. Keeps the last ones for the message about a failure.</summary>
internal sealed class LocalOutput(LocalLog log, int taskIndex, Fence fence, TimeProvider time)
{
    /// <summary>A longer line is cut into pieces of so many characters.</summary>
    private const int LongestLine = LogLineReader.MaxLineBytes;

    private const int MostLastLines = 20;
    private const int LongestLastLine = 2 * 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<JobLogStream, (StringBuilder Text, long Next)> _streams = [];
    private readonly Queue<string> _last = new(MostLastLines);
    private bool _ended;

    /// <summary>The last lines, oldest first, each cut at 2 KiB.</summary>
    public IReadOnlyList<string> LastLines
    {
        get
        {
            lock (_gate)
            {
                return [.. _last];
            }
        }
    }

    /// <returns>False when the attempt has ended and this is not its log's any more.</returns>
    public bool Write(JobLogStream stream, ReadOnlySpan<char> text)
    {
        lock (_gate)
        {
            if (_ended)
            {
                return false;
            }

            while (!text.IsEmpty)
            {
                var (line, _) = Of(stream);
                var feed = text.IndexOf('\n');
                var length = Math.Min(feed < 0 ? text.Length : feed, LongestLine - line.Length);
                line.Append(text[..length]);
                text = text[length..];
                if (text is ['\n', ..])
                {
                    text = text[1..];
                    Take(stream, isPartial: false);
                }
                else if (line.Length == LongestLine)
                {
                    Take(stream, isPartial: true);
                }
            }

            return true;
        }
    }

    /// <summary>What was begun is a line, too; then nothing is taken any more.</summary>
    public void End()
    {
        lock (_gate)
        {
            foreach (var stream in _streams.Keys.ToList())
            {
                if (Of(stream).Text.Length > 0)
                {
                    Take(stream, isPartial: false);
                }
            }

            _ended = true;
        }
    }

    private (StringBuilder Text, long Next) Of(JobLogStream stream)
    {
        if (!_streams.TryGetValue(stream, out var state))
        {
            _streams[stream] = state = (new StringBuilder(), 0);
        }

        return state;
    }

    private void Take(JobLogStream stream, bool isPartial)
    {
        var (text, number) = Of(stream);
        var line = OperatingSystem.IsWindows() ? text.ToString().TrimEnd('\r') : text.ToString();
        text.Clear();
        _streams[stream] = (text, number + 1);
        log.Append(new JobLogLine(taskIndex, fence, stream, number, time.GetUtcNow(), line) { IsPartial = isPartial });
        if (_last.Count == MostLastLines)
        {
            _last.Dequeue();
        }

        _last.Enqueue(line.Length <= LongestLastLine ? line : line[..LongestLastLine]);
    }
}
