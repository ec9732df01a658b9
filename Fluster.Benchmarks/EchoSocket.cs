using System.Net.Sockets;

namespace Fluster.Benchmarks;

/// <summary>What actor calls are compared with: the same bytes over a bare socket and back.</summary>
internal static class EchoSocket
{
    /// <summary>Gives the port.</summary>
    public static int Serve() => BareSocket.Listen(EchoAsync);

    /// <summary>Sends so many bytes and waits for them to come back; one such exchange at a time.</summary>
    public static async Task<Func<Task>> ConnectAsync(int port, int size, CancellationToken cancellationToken)
    {
        var socket = await BareSocket.ConnectAsync(port, cancellationToken);
        await socket.SendAsync(BitConverter.GetBytes(size));
        var message = new byte[size];
        return async () =>
        {
            await BareSocket.SendAllAsync(socket, message);
            await BareSocket.ReceiveAllAsync(socket, message);
        };
    }

    private static async Task EchoAsync(Socket socket)
    {
        using (socket)
        {
            var size = new byte[4];
            await BareSocket.ReceiveAllAsync(socket, size);
            var message = new byte[BitConverter.ToInt32(size)];
            while (await BareSocket.ReceiveAllAsync(socket, message))
            {
                await BareSocket.SendAllAsync(socket, message);
            }
        }
    }
}
