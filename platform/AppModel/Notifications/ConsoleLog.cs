using System.Threading.Channels;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Running;

/// <summary>The newest lines of one console, and who watches it.</summary>
internal sealed class ConsoleLog
{
    /// <summary>As many as Aspire keeps by default.</summary>
    public const int MostLines = 10_000;

    private readonly Lock _lock = new();
    private readonly Queue<LogLine> _lines = new();
    private readonly List<ConsoleWatcher> _watchers = [];
    private int _count;

    public IReadOnlyList<LogLine> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    public bool IsWatched
    {
        get
        {
            lock (_lock)
            {
                return _watchers.Count > 0;
            }
        }
    }

    public void Append(string text, bool isError)
    {
        lock (_lock)
        {
            var line = new LogLine(++_count, text, isError);
            _lines.Enqueue(line);
            if (_lines.Count > MostLines)
            {
                _lines.Dequeue();
            }

            _watchers.ForEach(watcher => watcher.Write(line));
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            _lines.Clear();
        }
    }

    public void Complete()
    {
        lock (_lock)
        {
            _watchers.ForEach(watcher => watcher.Complete());
            _watchers.Clear();
        }
    }

    /// <summary>Gives the watcher the lines so far, and from now on each new one.</summary>
    public void Attach(ConsoleWatcher watcher)
    {
        lock (_lock)
        {
            foreach (var line in _lines)
            {
                watcher.Write(line);
            }

            _watchers.Add(watcher);
        }
    }

    public void Detach(ConsoleWatcher watcher)
    {
        lock (_lock)
        {
            _watchers.Remove(watcher);
        }
    }
}

/// <summary>Somebody who watches the consoles of a resource. A watcher that is slow loses the oldest lines, as the log itself does.</summary>
internal sealed class ConsoleWatcher(int consoles)
{
    private readonly Channel<LogLine> _lines = Channel.CreateBounded<LogLine>(
        new BoundedChannelOptions(ConsoleLog.MostLines * consoles) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private int _open = consoles;

    public ChannelReader<LogLine> Lines => _lines.Reader;

    public void Write(LogLine line) => _lines.Writer.TryWrite(line);

    /// <summary>One of the consoles was closed.</summary>
    public void Complete()
    {
        if (Interlocked.Decrement(ref _open) == 0)
        {
            _lines.Writer.TryComplete();
        }
    }
}
