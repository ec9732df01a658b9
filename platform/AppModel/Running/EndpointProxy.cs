using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting.Running;

/// <summary>
/// Stands before processes that share an endpoint, or whose endpoint is reached by another port than they listen on. Each connection goes to the next of them, or to the one after it
/// while that one does not listen: a process that starts, ends or starts again is simply not chosen.
/// </summary>
internal sealed class EndpointProxy : IAsyncDisposable
{
    private const int BufferSize = 64 << 10;

    private readonly IReadOnlyList<int> _targets;
    private readonly List<Socket> _listeners = [];
    private readonly ConcurrentDictionary<Socket, bool> _open = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;
    private int _next = -1;

    /// <param name="everywhere">Whether callers from other machines are meant, too; else this machine's own.</param>
    /// <param name="port">Where callers connect.</param>
    /// <param name="targets">Where the processes listen, on this machine.</param>
    /// <exception cref="DistributedApplicationException">The port is taken.</exception>
    public EndpointProxy(bool everywhere, int port, IReadOnlyList<int> targets)
    {
        _targets = targets;
        foreach (var address in everywhere ? (IPAddress[])[IPAddress.Any, IPAddress.IPv6Any] : [IPAddress.Loopback, IPAddress.IPv6Loopback])
        {
            if (address.AddressFamily == AddressFamily.InterNetwork || Socket.OSSupportsIPv6)
            {
                Listen(address, port);
            }
        }

        _accepting = Task.WhenAll(_listeners.ConvertAll(AcceptAsync));
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _accepting;
        foreach (var socket in _listeners.Concat(_open.Keys))
        {
            socket.Dispose();
        }

        _stopping.Dispose();
    }

    private void Listen(IPAddress address, int port)
    {
        var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                listener.DualMode = false; // the other family has a listener of its own
            }

            listener.Bind(new IPEndPoint(address, port));
            listener.Listen();
            _listeners.Add(listener);
        }
        catch (SocketException exception)
        {
            listener.Dispose();
            if (exception.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported)
            {
                return; // no such family here
            }

            _listeners.ForEach(other => other.Dispose());
            throw new DistributedApplicationException($"The port {port} cannot be listened on: {exception.Message}. Stop the program that has it, or give the endpoint another port.", exception);
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await listener.AcceptAsync(_stopping.Token));
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // That caller is gone already.
            }
        }
    }

    private async Task ServeAsync(Socket caller)
    {
        Socket? target = null;
        _open.TryAdd(caller, true);
        try
        {
            target = await ConnectAsync();
            if (target is null)
            {
                caller.Close(timeout: 0); // refused, as by the process itself
                return;
            }

            _open.TryAdd(target, true);
            (caller.NoDelay, target.NoDelay) = (true, true);
            await Task.WhenAll(CopyAsync(caller, target), CopyAsync(target, caller));
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One of the two has broken it off, and so it is broken off for the other, too.
        }
        finally
        {
            Close(caller);
            Close(target);
        }
    }

    private void Close(Socket? socket)
    {
        if (socket is not null)
        {
            _open.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    /// <returns>The next process that listens; null when none does.</returns>
    private async Task<Socket?> ConnectAsync()
    {
        var first = (uint)Interlocked.Increment(ref _next);
        for (var tried = 0u; tried < _targets.Count; tried++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync("localhost", _targets[(int)((first + tried) % (uint)_targets.Count)], _stopping.Token);
                return socket;
            }
            catch (SocketException)
            {
                socket.Dispose();
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        return null;
    }

    /// <summary>Passes on what one side says, and that it has said all.</summary>
    private async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[BufferSize];
        try
        {
            while (await from.ReceiveAsync(buffer, _stopping.Token) is var count and > 0)
            {
                for (var sent = 0; sent < count;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _stopping.Token);
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            Close(from);
            Close(to);
            throw;
        }
    }
}
