using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>
/// Brings the chunks of all log spools to the controller, on a stream of their own so that they never delay a report. A chunk leaves its spool when
/// the controller says that it is on its disk; after every break everything that was not acknowledged is sent again.
/// </summary>
/// <param name="connection">How the controller is reached.</param>
/// <param name="hello">What to say first; asked for at every connection.</param>
/// <param name="acknowledged">Called when all chunks that a spool has were acknowledged. Must not wait.</param>
/// <param name="time">The clock of the pauses between tries.</param>
/// <param name="logger">The log.</param>
internal sealed partial class LogSender(
    ControllerConnection connection, Func<V1.WorkerLogsHello> hello, Action<Fence> acknowledged, TimeProvider time, ILogger<LogSender> logger)
{
    /// <summary>Chunks under way at most (of 64 KiB at most: 16 MiB). Enough to keep a connection busy between two flushes of the controller.</summary>
    private const int Window = 256;

    /// <summary>Chunks of one spool in a row, so that a flood does not keep others from being followed.</summary>
    private const int Turn = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<Fence, Source> _sources = [];
    private readonly ReconnectDelay _delay = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private int _underWay;

    /// <summary>Takes care of a spool from now on.</summary>
    public void Add(Fence fence, LogSpool spool)
    {
        lock (_gate)
        {
            _sources[fence] = new Source(spool) { Next = spool.FirstUnacknowledged };
        }

        Signal();
    }

    /// <summary>Leaves a spool alone and closes it.</summary>
    public void Remove(Fence fence)
    {
        lock (_gate)
        {
            if (_sources.Remove(fence, out var source))
            {
                _underWay -= source.UnderWay;
                source.Spool.Dispose();
            }
        }
    }

    /// <summary>Whether a spool has chunks that were not acknowledged.</summary>
    public bool IsPending(Fence fence)
    {
        lock (_gate)
        {
            return _sources.TryGetValue(fence, out var source) && source.Spool.FirstUnacknowledged < source.Spool.Totals.Chunks;
        }
    }

    /// <summary>There may be new chunks. Cheap, for any thread.</summary>
    public void Signal() => _wake.Writer.TryWrite(true);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ServeAsync(cancellationToken);
            }
            catch (Exception exception) when (exception is RpcException or HttpRequestException or IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                Log.Broken(logger, exception is RpcException rpc ? $"{rpc.StatusCode}: {rpc.Status.Detail}" : exception.Message);
            }

            try
            {
                await Task.Delay(_delay.Next(), time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var client = await connection.ClientAsync(ended.Token);
        using var call = client.WorkerLogs(connection.Headers(), cancellationToken: ended.Token);
        await call.RequestStream.WriteAsync(new V1.WorkerLogsRequest { Hello = hello() }, ended.Token);
        BeginAgain();
        var sending = SendAllAsync(call.RequestStream, ended);
        try
        {
            while (await call.ResponseStream.MoveNext(ended.Token))
            {
                _delay.Reset();
                Acknowledge(new Fence(call.ResponseStream.Current.Fence), call.ResponseStream.Current.Sequence);
            }
        }
        finally
        {
            await ended.CancelAsync();
            await sending;
        }
    }

    private async Task SendAllAsync(IClientStreamWriter<V1.WorkerLogsRequest> stream, CancellationTokenSource ended)
    {
        try
        {
            while (true)
            {
                while (await SendTurnsAsync(stream, ended.Token))
                {
                }

                await _wake.Reader.ReadAsync(ended.Token);
            }
        }
        catch (Exception exception) when (exception is RpcException or IOException or InvalidOperationException or OperationCanceledException)
        {
            // The reading side tells why the stream ended; make sure that it does end.
            await ended.CancelAsync();
        }
    }

    /// <summary>A turn for every spool. False when none had anything to send, or the window is full.</summary>
    private async Task<bool> SendTurnsAsync(IClientStreamWriter<V1.WorkerLogsRequest> stream, CancellationToken cancellationToken)
    {
        Source[] sources;
        lock (_gate)
        {
            sources = [.. _sources.Values];
        }

        var sent = false;
        foreach (var source in sources)
        {
            for (var turn = 0; turn < Turn && Take(source) is { } chunk; turn++)
            {
                await stream.WriteAsync(new V1.WorkerLogsRequest { Chunk = chunk }, cancellationToken);
                sent = true;
            }
        }

        return sent;
    }

    private V1.LogChunk? Take(Source source)
    {
        lock (_gate)
        {
            if (_underWay >= Window || source.Spool.Read(source.Next) is not { } chunk)
            {
                return null;
            }

            source.Next++;
            source.UnderWay++;
            _underWay++;
            return chunk;
        }
    }

    private void Acknowledge(Fence fence, long sequence)
    {
        lock (_gate)
        {
            if (!_sources.TryGetValue(fence, out var source))
            {
                return;
            }

            source.Spool.Acknowledge(sequence);
            var left = (int)Math.Max(0, source.Next - source.Spool.FirstUnacknowledged);
            _underWay -= source.UnderWay - left;
            source.UnderWay = left;
            if (left > 0 || source.Spool.Totals.Chunks > source.Next)
            {
                fence = default;
            }
        }

        Signal();
        if (!fence.IsNone)
        {
            acknowledged(fence);
        }
    }

    private void BeginAgain()
    {
        lock (_gate)
        {
            _underWay = 0;
            foreach (var source in _sources.Values)
            {
                source.Next = source.Spool.FirstUnacknowledged;
                source.UnderWay = 0;
            }
        }

        Signal();
    }

    private sealed class Source(LogSpool spool)
    {
        public LogSpool Spool { get; } = spool;

        /// <summary>The chunk to send next.</summary>
        public long Next { get; set; }

        /// <summary>Sent on this stream and not acknowledged.</summary>
        public int UnderWay { get; set; }
    }

    private static partial class Log
    {
        [LoggerMessage(220, LogLevel.Warning, "No log stream to the controller ({Reason}); trying again. Nothing is lost")]
        public static partial void Broken(ILogger logger, string reason);
    }
}
