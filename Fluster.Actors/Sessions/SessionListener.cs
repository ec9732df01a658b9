using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Fluster.Actors;

#pragma warning disable CA1001 // The factory of contexts lives as long as the process that listens; what it pools ends with its connections.

/// <summary>
/// Listens on one port for sessions and for HTTP: looks at the first bytes of a connection without taking them, keeps sessions, and gives the rest
/// to the web server, those of HTTP/2 to one of its endpoints and those of HTTP/1 to another, for it cannot tell them apart itself without TLS.
/// With TLS the client says in the handshake what it wants, and whoever does not begin with one is told so.
/// </summary>
internal sealed class SessionListener(SessionHost host, TlsDoor? tls, ILoggerFactory loggers) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly byte[] s_http2 = "PRI * HT"u8.ToArray();

    private readonly SocketConnectionContextFactory _contexts = new(new SocketConnectionFactoryOptions(), loggers.CreateLogger<SessionListener>());
    private readonly Channel<ConnectionContext> _http1 = Channel.CreateUnbounded<ConnectionContext>();

    /// <summary>The endpoint that HTTP/1 connections of the other one are given to.</summary>
    public static EndPoint Http1 { get; } = new Http1EndPoint();

    public bool CanBind(EndPoint endpoint) => true;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        if (endpoint is Http1EndPoint)
        {
            return ValueTask.FromResult<IConnectionListener>(new Listener(endpoint, _http1, socket: null));
        }

        var socket = endpoint is UnixDomainSocketEndPoint
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(endpoint);
            socket.Listen(512);
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            throw exception.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? new AddressInUseException(exception.Message, exception)
                : exception;
        }

        var http2 = Channel.CreateUnbounded<ConnectionContext>();
        var listener = new Listener(socket.LocalEndPoint!, http2, socket);
        _ = AcceptAsync(socket, http2);
        return ValueTask.FromResult<IConnectionListener>(listener);
    }

    private async Task AcceptAsync(Socket listener, Channel<ConnectionContext> http2)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync().ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is ObjectDisposedException || exception is SocketException && !listener.IsBound)
            {
                break;
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.OperationAborted or SocketError.InvalidArgument)
            {
                break; // It was closed.
            }
            catch (SocketException)
            {
                continue; // This one is gone before it was here.
            }

            _ = tls is not null && socket.ProtocolType == ProtocolType.Tcp ? OpenAsync(tls, socket, http2) : SortAsync(socket, http2);
        }

        http2.Writer.TryComplete();
        _http1.Writer.TryComplete();
    }

    // A client that sends nothing holds up nobody but itself.
    private async Task SortAsync(Socket socket, Channel<ConnectionContext> http2)
    {
        try
        {
            using var patience = new CancellationTokenSource(s_patience);
            var first = new byte[SessionHost.Preface.Length];
            while (true)
            {
                var count = await socket.ReceiveAsync(first, SocketFlags.Peek, patience.Token).ConfigureAwait(false);
                if (count == 0)
                {
                    socket.Dispose();
                    return;
                }

                if (first.AsSpan(0, count).SequenceEqual(SessionHost.Preface.AsSpan(0, count)))
                {
                    if (count == first.Length)
                    {
                        await socket.ReceiveAsync(first, SocketFlags.None, patience.Token).ConfigureAwait(false);
                        host.Serve(new SocketTransport(socket));
                        return;
                    }
                }
                else if (!first.AsSpan(0, count).SequenceEqual(s_http2.AsSpan(0, count)))
                {
                    await _http1.Writer.WriteAsync(Http(socket), patience.Token).ConfigureAwait(false);
                    return;
                }
                else if (count == first.Length)
                {
                    await http2.Writer.WriteAsync(Http(socket), patience.Token).ConfigureAwait(false);
                    return;
                }

                // The rest of the first word is under way.
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, patience.Token).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException or ChannelClosedException)
        {
            socket.Dispose();
        }
    }

    private async Task OpenAsync(TlsDoor door, Socket socket, Channel<ConnectionContext> http2)
    {
        try
        {
            using var patience = new CancellationTokenSource(s_patience);
            socket.NoDelay = true;
            var first = new byte[SessionHost.Preface.Length];
            var count = await socket.ReceiveAsync(first, SocketFlags.Peek, patience.Token).ConfigureAwait(false);
            if (count == 0 || first[0] != TlsDoor.FirstByte)
            {
                await RefuseAsync(socket, first.AsMemory(0, count), patience.Token).ConfigureAwait(false);
                return;
            }

            var stream = await door.OpenAsync(socket, patience.Token).ConfigureAwait(false);
            if (stream.NegotiatedApplicationProtocol != TlsDoor.Session)
            {
                var writer = stream.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2 ? http2.Writer : _http1.Writer;
                await writer.WriteAsync(TlsDoor.Http(stream, socket), patience.Token).ConfigureAwait(false);
                return;
            }

            await stream.ReadExactlyAsync(first, patience.Token).ConfigureAwait(false);
            if (first.AsSpan().SequenceEqual(SessionHost.Preface))
            {
                host.Serve(new StreamTransport(stream, socket));
            }
            else
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is SocketException or IOException or AuthenticationException or OperationCanceledException or ObjectDisposedException or ChannelClosedException)
        {
            socket.Dispose();
        }
    }

    // Who sent a token in the clear is told what to do instead, in the protocol that it speaks.
    private static async Task RefuseAsync(Socket socket, ReadOnlyMemory<byte> first, CancellationToken cancellationToken)
    {
        const string Reason = "This port speaks TLS: call it at https://.";
        if (!first.IsEmpty)
        {
            var answer = first.Span[0] == SessionHost.Preface[0] && first.Span.SequenceEqual(SessionHost.Preface.AsSpan(0, first.Length))
                ? ServerConnection.Refusal(CallFailure.Of(ActorErrorKind.PermissionDenied, Reason))
                : Encoding.ASCII.GetBytes($"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {Reason.Length}\r\nConnection: close\r\n\r\n{Reason}");
            await socket.SendAsync(answer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
            socket.Shutdown(SocketShutdown.Send);

            // Closed with bytes unread the answer might not arrive.
            var rest = new byte[4096];
            while (await socket.ReceiveAsync(rest, SocketFlags.None, cancellationToken).ConfigureAwait(false) > 0)
            {
            }
        }

        socket.Dispose();
    }

    private ConnectionContext Http(Socket socket)
    {
        if (socket.ProtocolType == ProtocolType.Tcp)
        {
            socket.NoDelay = true;
        }

        return _contexts.Create(socket);
    }

    private sealed class Http1EndPoint : EndPoint
    {
        public override string ToString() => "same-port";
    }

    private sealed class Listener(EndPoint endpoint, Channel<ConnectionContext> connections, Socket? socket) : IConnectionListener
    {
        public EndPoint EndPoint => endpoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            try
            {
                return await connections.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (ChannelClosedException)
            {
                return null;
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            socket?.Dispose();
            connections.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}
