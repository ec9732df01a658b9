using System.Net;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Asks the metadata server of Compute Engine whether this machine is about to be taken away, and tells the attempts.</summary>
/// <param name="host">The server; empty: this machine has none.</param>
/// <param name="post">Takes the event.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The worker's log.</param>
internal sealed partial class MetadataWatch(string host, Action<WorkerEvent> post, TimeProvider time, ILogger<MetadataWatch> logger)
{
    /// <summary>From the notice of a spot machine to its power-off, and from that of a maintenance that ends it.</summary>
    private static TimeSpan PreemptionNotice { get; } = TimeSpan.FromSeconds(30);

    private static TimeSpan MaintenanceNotice { get; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the server holds a question open in which nothing changes.</summary>
    private const int WaitSeconds = 60;

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(WaitSeconds + 30);
    private static readonly TimeSpan s_afterFailure = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestAfterFailure = TimeSpan.FromSeconds(30);

    /// <summary>Runs until it is cancelled, also when there is nothing left to ask.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (host.Length > 0)
        {
            await Task.WhenAll(
                WatchAsync("preempted", value => value == "TRUE" ? PreemptionNotice : null, cancellationToken),
                WatchAsync("maintenance-event", value => value == "TERMINATE_ON_HOST_MAINTENANCE" ? MaintenanceNotice : null, cancellationToken));
        }

        await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
    }

    private async Task WatchAsync(string name, Func<string, TimeSpan?> noticeOf, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { BaseAddress = new Uri($"{(host.Contains("://", StringComparison.Ordinal) ? "" : "http://")}{host.TrimEnd('/')}/computeMetadata/v1/instance/"), Timeout = s_timeout };
        client.DefaultRequestHeaders.Add("Metadata-Flavor", "Google");
        var etag = "0"; // what the server never has: the first answer comes at once
        var pause = s_afterFailure;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                using var response = await client.GetAsync(new Uri($"{name}?wait_for_change=true&timeout_sec={WaitSeconds}&last_etag={etag}", UriKind.Relative), cancellationToken);
                response.EnsureSuccessStatusCode();
                var value = (await response.Content.ReadAsStringAsync(cancellationToken)).Trim();
                if (noticeOf(value) is { } left)
                {
                    Log.MachineGoes(logger, name, value, left.TotalSeconds);
                    post(new WorkerEvent.Preempted(left));
                    return;
                }

                etag = response.Headers.TryGetValues("ETag", out var etags) ? Uri.EscapeDataString(etags.First()) : etag;
                pause = s_afterFailure;
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException || exception is OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                if (exception is HttpRequestException { StatusCode: HttpStatusCode.NotFound })
                {
                    return; // a metadata server that does not have it
                }

                Log.NotAnswered(logger, name, host, exception.Message);
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = pause * 2 < s_longestAfterFailure ? pause * 2 : s_longestAfterFailure;
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(280, LogLevel.Warning, "The metadata server says {Name} = {Value}: this machine is gone in {Seconds} s, and what runs here is told")]
        public static partial void MachineGoes(ILogger logger, string name, string value, double seconds);

        [LoggerMessage(281, LogLevel.Information, "The metadata server at {Host} did not answer about {Name}: {Problem}")]
        public static partial void NotAnswered(ILogger logger, string name, string host, string problem);
    }
}
