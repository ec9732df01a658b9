using System.Net;
using System.Net.Sockets;

namespace Fluster.Benchmarks;

/// <summary>Sockets with nothing on them, which others are compared with.</summary>
internal static class BareSocket
{
    /// <summary>Serves every connection that is made to a port of this machine's own. Gives the port.</summary>
    public static int Listen(Func<Socket, Task> serve)
    {
        var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        _ = AcceptAsync();
        return ((IPEndPoint)listener.LocalEndPoint!).Port;

        async Task AcceptAsync()
        {
            while (true)
            {
                var socket = await listener.AcceptAsync();
                socket.NoDelay = true;
                _ = serve(socket);
            }
        }
    }

    public static async Task<Socket> ConnectAsync(int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
        return socket;
    }

    public static async ValueTask SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        for (var sent = 0; sent < bytes.Length;)
        {
            sent += await socket.SendAsync(bytes[sent..]);
        }
    }

    /// <summary>Fills the buffer. False: the other side has ended before that.</summary>
    public static async ValueTask<bool> ReceiveAllAsync(Socket socket, Memory<byte> buffer)
    {
        for (var received = 0; received < buffer.Length;)
        {
            var count = await socket.ReceiveAsync(buffer[received..]);
            if (count == 0)
            {
                return false;
            }

            received += count;
        }

        return true;
    }
}
