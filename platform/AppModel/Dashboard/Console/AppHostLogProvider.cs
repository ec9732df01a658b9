using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>The AppHost's own log is one of the consoles.</summary>
internal sealed class AppHostLogProvider(ConsoleFeed feed) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new FeedLogger(feed);

    public void Dispose()
    {
        // The feed is not the provider's.
    }

    private sealed class FeedLogger(ConsoleFeed feed) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var text = formatter(state, exception);
            foreach (var line in (exception is null ? text : $"{text}\n{exception}").Split('\n'))
            {
                feed.Append(ConsoleStore.AppHost, logLevel >= LogLevel.Warning ? $"{(logLevel == LogLevel.Warning ? "warning" : "error")}: {line}" : line, logLevel >= LogLevel.Error);
            }
        }
    }
}
