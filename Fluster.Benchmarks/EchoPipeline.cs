using System.Diagnostics;
using System.Net.Sockets;

namespace Fluster.Benchmarks;

/// <summary>
/// What many calls at a time over one connection are compared with: so many messages outstanding on one bare socket, sent and received together as
/// they are there. Nobody waits for any of them by itself: that, and telling them apart, is what calls add.
/// </summary>
internal static class EchoPipeline
{
    private const int BufferSize = 64 * 1024;

    /// <summary>Gives the port.</summary>
    public static int Serve() => BareSocket.Listen(EchoAsync);

    /// <summary>Keeps so many messages outstanding; gives how many a second came back.</summary>
    public static async Task<double> RateAsync(int port, int size, int outstanding, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var socket = await BareSocket.ConnectAsync(port, cancellationToken);
        var (sending, receiving) = (new byte[size * outstanding], new byte[BufferSize]);
        var start = Stopwatch.GetTimestamp();
        await BareSocket.SendAllAsync(socket, sending);
        var (back, bytes) = (0L, 0);
        while (Stopwatch.GetElapsedTime(start) < duration)
        {
            bytes += await socket.ReceiveAsync(receiving, cancellationToken);
            var (whole, rest) = Math.DivRem(bytes, size);
            bytes = rest;
            back += whole;
            await BareSocket.SendAllAsync(socket, sending.AsMemory(0, whole * size));
        }

        return back / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task EchoAsync(Socket socket)
    {
        using (socket)
        {
            var buffer = new byte[BufferSize];
            try
            {
                while (await socket.ReceiveAsync(buffer) is > 0 and var count)
                {
                    await BareSocket.SendAllAsync(socket, buffer.AsMemory(0, count));
                }
            }
            catch (SocketException)
            {
                // The client has left with messages outstanding.
            }
        }
    }
}
