using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Aspire.Hosting.Running;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A line that a resource wrote.</summary>
public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);

/// <summary>Whether anybody watches the console of a resource.</summary>
public readonly record struct LogSubscriber(string Name, bool AnySubscribers);

/// <summary>Keeps what resources write on their consoles, and what the application model has to say about them: the newest 10,000 lines of each.</summary>
public class ResourceLoggerService : IDisposable
{
    private readonly ConcurrentDictionary<string, ConsoleLog> _logs = new(StringComparer.OrdinalIgnoreCase);
    private readonly Action<string, string, bool> _onLine;
    private readonly Lock _lock = new();
    private readonly List<Channel<LogSubscriber>> _observers = [];

    internal ResourceLoggerService(Action<string, string, bool> onLine) => _onLine = onLine;

    /// <summary>Writes to a resource's console (to that of each of its processes).</summary>
    public ILogger GetLogger(IResource resource) => new ResourceLogger(this, resource.InstanceIds());

    /// <summary>Writes to the console of a resource or of one of its processes.</summary>
    public ILogger GetLogger(string resourceName) => new ResourceLogger(this, [resourceName]);

    /// <summary>The lines so far of all processes of a resource and every later one, until the consoles are closed.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource) => WatchAsync(resource.InstanceIds());

    /// <summary>The lines so far and every later one, until the console is closed.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => WatchAsync([resourceName]);

    /// <summary>The lines so far of all processes of a resource.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IResource resource) => GetAllAsync(resource.InstanceIds());

    /// <summary>The lines so far.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName) => GetAllAsync([resourceName]);

    /// <summary>Says which consoles are watched, and every change of that.</summary>
    public async IAsyncEnumerable<LogSubscriber> WatchAnySubscribersAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var channel = Channel.CreateUnbounded<LogSubscriber>(new UnboundedChannelOptions { SingleReader = true });
        lock (_lock)
        {
            foreach (var (name, _) in _logs.Where(log => log.Value.IsWatched))
            {
                channel.Writer.TryWrite(new LogSubscriber(name, AnySubscribers: true));
            }

            _observers.Add(channel);
        }

        try
        {
            await foreach (var change in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return change;
            }
        }
        finally
        {
            lock (_lock)
            {
                _observers.Remove(channel);
            }
        }
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

        lock (_lock)
        {
            _observers.ForEach(observer => observer.Writer.TryComplete());
        }

        GC.SuppressFinalize(this);
    }

    internal void Append(string resourceId, string line, bool isError)
    {
        _onLine(resourceId, line, isError); // first: whoever sees a line finds it everywhere
        Log(resourceId).Append(line, isError);
    }

    private ConsoleLog Log(string id) => _logs.GetOrAdd(id, static _ => new ConsoleLog());

    private async IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IReadOnlyList<string> ids)
    {
        await Task.CompletedTask;
        foreach (var id in ids)
        {
            yield return Log(id).Lines;
        }
    }

    private async IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IReadOnlyList<string> ids, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var watcher = new ConsoleWatcher(ids.Count);
        foreach (var id in ids)
        {
            Watch(id, log => log.Attach(watcher));
        }

        try
        {
            while (await watcher.Lines.WaitToReadAsync(cancellationToken))
            {
                var batch = new List<LogLine>();
                while (watcher.Lines.TryRead(out var line))
                {
                    batch.Add(line);
                }

                yield return batch;
            }
        }
        finally
        {
            foreach (var id in ids)
            {
                Watch(id, log => log.Detach(watcher));
            }
        }
    }

    /// <summary>Does something by which a console may become watched or cease to be, and tells of it.</summary>
    private void Watch(string id, Action<ConsoleLog> change)
    {
        lock (_lock)
        {
            var log = Log(id);
            var before = log.IsWatched;
            change(log);
            if (log.IsWatched is var after && after != before)
            {
                _observers.ForEach(observer => observer.Writer.TryWrite(new LogSubscriber(id, after)));
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
