using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Aspire.Hosting.Running;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A line that a resource wrote.</summary>
public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);

/// <summary>Keeps what resources write on their consoles, and what the application model has to say about them.</summary>
public class ResourceLoggerService : IDisposable
{
    private readonly ConcurrentDictionary<string, ConsoleLog> _logs = new(StringComparer.OrdinalIgnoreCase);
    private readonly Action<string, string, bool> _onLine;

    internal ResourceLoggerService(Action<string, string, bool> onLine) => _onLine = onLine;

    /// <summary>Writes to a resource's console (to that of each of its processes).</summary>
    public ILogger GetLogger(IResource resource) => new ResourceLogger(this, resource.InstanceIds());

    /// <summary>Writes to the console of a resource or of one of its processes.</summary>
    public ILogger GetLogger(string resourceName) => new ResourceLogger(this, [resourceName]);

    /// <summary>The lines so far and every later one, until the console is closed.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource) => WatchAsync(resource.InstanceIds()[0]);

    /// <summary>The lines so far and every later one, until the console is closed.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => Log(resourceName).WatchAsync();

    /// <summary>The lines so far.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IResource resource) => GetAllAsync(resource.InstanceIds()[0]);

    /// <summary>The lines so far.</summary>
    public async IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName)
    {
        await Task.CompletedTask;
        yield return Log(resourceName).Lines;
    }

    /// <summary>Closes a console: who watches comes to an end.</summary>
    public void Complete(IResource resource)
    {
        foreach (var id in resource.InstanceIds())
        {
            Complete(id);
        }
    }

    /// <summary>Closes a console: who watches comes to an end.</summary>
    public void Complete(string name) => Log(name).Complete();

    /// <summary>Forgets the lines so far.</summary>
    public void ClearBacklog(string resourceName) => Log(resourceName).Clear();

    /// <summary>Closes every console.</summary>
    public void Dispose()
    {
        foreach (var log in _logs.Values)
        {
            log.Complete();
        }

        GC.SuppressFinalize(this);
    }

    internal void Append(string resourceId, string line, bool isError)
    {
        Log(resourceId).Append(line, isError);
        _onLine(resourceId, line, isError);
    }

    private ConsoleLog Log(string id) => _logs.GetOrAdd(id, static _ => new ConsoleLog());

    /// <summary>The newest lines of one console.</summary>
    private sealed class ConsoleLog
    {
        private const int MostLines = 10_000;

        private readonly Lock _lock = new();
        private readonly Queue<LogLine> _lines = new();
        private readonly List<Channel<LogLine>> _watchers = [];
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

                foreach (var watcher in _watchers)
                {
                    watcher.Writer.TryWrite(line);
                }
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
                foreach (var watcher in _watchers)
                {
                    watcher.Writer.TryComplete();
                }

                _watchers.Clear();
            }
        }

        public async IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var channel = Channel.CreateUnbounded<LogLine>(new UnboundedChannelOptions { SingleReader = true });
            lock (_lock)
            {
                foreach (var line in _lines)
                {
                    channel.Writer.TryWrite(line);
                }

                _watchers.Add(channel);
            }

            try
            {
                while (await channel.Reader.WaitToReadAsync(cancellationToken))
                {
                    var batch = new List<LogLine>();
                    while (channel.Reader.TryRead(out var line))
                    {
                        batch.Add(line);
                    }

                    yield return batch;
                }
            }
            finally
            {
                lock (_lock)
                {
                    _watchers.Remove(channel);
                }
            }
        }
    }

    private sealed class ResourceLogger(ResourceLoggerService service, IReadOnlyList<string> ids) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var text = formatter(state, exception);
            var lines = (exception is null ? text : $"{text}\n{exception}").Split('\n');
            foreach (var id in ids)
            {
                foreach (var line in lines)
                {
                    service.Append(id, line.TrimEnd('\r'), logLevel >= LogLevel.Error);
                }
            }
        }
    }
}
