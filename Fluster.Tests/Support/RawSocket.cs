using System.Net.Sockets;

namespace Fluster.Tests;

/// <summary>A caller that speaks no protocol.</summary>
internal static class RawSocket
{
    /// <summary>Sends these bytes and reads until the other side hangs up.</summary>
    /// <exception cref="OperationCanceledException">It did not hang up within the limit.</exception>
    public static async Task SendAsync(Uri address, byte[] bytes, TimeSpan limit)
    {
        using var patience = new CancellationTokenSource(limit);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address.Host, address.Port, patience.Token);
            await socket.SendAsync(bytes, patience.Token);
            socket.Shutdown(SocketShutdown.Send);
            var answer = new byte[4096];
            while (await socket.ReceiveAsync(answer, patience.Token) > 0)
            {
            }
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown or SocketError.ConnectionAborted)
        {
            // Hanging up is an answer too.
        }
    }
}
