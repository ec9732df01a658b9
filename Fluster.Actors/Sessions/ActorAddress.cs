using System.Net;
using System.Net.Sockets;

namespace Fluster.Actors;

/// <summary>The addresses of actor servers, and how they are reached.</summary>
internal static class ActorAddress
{
    public const string Unix = "unix";

    public static bool IsValid(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" or Unix or "local";

    public static async Task<SessionTransport> ConnectAsync(Uri address, CancellationToken cancellationToken)
    {
        if (address.Scheme == Unix)
        {
            var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            return await ConnectAsync(local, new UnixDomainSocketEndPoint(address.LocalPath), cancellationToken).ConfigureAwait(false);
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        return await ConnectAsync(socket, new DnsEndPoint(address.Host, address.Port), cancellationToken).ConfigureAwait(false);
    }

    private static async Task<SessionTransport> ConnectAsync(Socket socket, EndPoint endpoint, CancellationToken cancellationToken)
    {
        try
        {
            await socket.ConnectAsync(endpoint, cancellationToken).ConfigureAwait(false);
            return new SocketTransport(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
