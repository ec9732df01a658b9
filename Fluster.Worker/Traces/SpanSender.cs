using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Brings spans to the controller, some at a time and without hurry. What it was not told to have arrived is sent again; that changes nothing there.</summary>
/// <param name="connection">How the controller is reached.</param>
/// <param name="outbox">What there is to send.</param>
/// <param name="identity">Who sends; asked for at every call. Null while the worker knows no cluster.</param>
/// <param name="time">The clock of the pauses.</param>
/// <param name="logger">The log.</param>
internal sealed partial class SpanSender(ControllerConnection connection, SpanOutbox outbox, Func<V1.ReportSpansRequest?> identity, TimeProvider time, ILogger<SpanSender> logger)
{
    private const int MostPerCall = 1_000;

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private bool _failing;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        outbox.Wake = () => _wake.Writer.TryWrite(true);
        while (true)
        {
            await SendAllAsync(cancellationToken);
            try
            {
                await _wake.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(s_interval, time, cancellationToken);
            }
            catch (TimeoutException)
            {
                // It is time to look what the attempts have left.
            }
        }
    }

    /// <summary>Sends what there is, unless the controller does not take it now. Two at a time may send the same.</summary>
    public async Task SendAllAsync(CancellationToken cancellationToken)
    {
        outbox.Collect();
        try
        {
            while (outbox.Next(MostPerCall) is { Count: > 0 } spans && identity() is { } request)
            {
                request.Spans.AddRange(spans);
                var client = await connection.ClientAsync(cancellationToken);
                await client.ReportSpansAsync(request, connection.Headers(), time.GetUtcNow().UtcDateTime + s_patience, cancellationToken);
                outbox.Sent(spans);
                _failing = false;
            }
        }
        catch (Exception exception) when (exception is RpcException or HttpRequestException or IOException && !cancellationToken.IsCancellationRequested)
        {
            if (!_failing)
            {
                _failing = true;
                Log.NotSent(logger, exception is RpcException rpc ? $"{rpc.StatusCode}: {rpc.Status.Detail}" : exception.Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(270, LogLevel.Debug, "Spans are not taken ({Reason}); they are kept for a while and sent again")]
        public static partial void NotSent(ILogger logger, string reason);
    }
}
