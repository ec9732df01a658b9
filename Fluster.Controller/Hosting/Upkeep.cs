using System.Reflection;

namespace Fluster.Controller;

/// <summary>What is done now and then: old logs, spans and unused blobs go, and once what the start left.</summary>
internal sealed partial class Upkeep(LogStore logs, BlobCollector blobs, SpanStore spans, TimeProvider time, ILogger<Upkeep> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMinutes(10);

    /// <summary>By then a controller that was started serves.</summary>
    private static readonly TimeSpan s_started = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Reading the state left as much garbage as there is state. Nothing else would give that memory back while little happens.
        await Task.Delay(s_started, time, stoppingToken);
        if (Assembly.GetEntryAssembly() == typeof(Upkeep).Assembly) // in somebody else's process, memory is theirs to see to
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }

        while (true)
        {
            await Task.Delay(s_interval, time, stoppingToken);
            spans.Sweep();
            try
            {
                var logBytes = logs.Sweep(time.GetUtcNow());
                var (count, blobBytes) = blobs.Collect();
                if (logBytes > 0 || count > 0)
                {
                    Log.Collected(logger, logBytes, count, blobBytes);
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Log.Failed(logger, exception);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(150, LogLevel.Information, "Gave up {LogBytes} bytes of old logs, and {Blobs} blobs ({BlobBytes} bytes) that nothing names")]
        public static partial void Collected(ILogger logger, long logBytes, int blobs, long blobBytes);

        [LoggerMessage(151, LogLevel.Warning, "Old logs and unused blobs could not be deleted; it is tried again")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
