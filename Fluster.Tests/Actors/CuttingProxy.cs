using System.Net;
using System.Net.Sockets;

namespace Fluster.Tests;

/// <summary>A TCP proxy that cuts one connection after a number of bytes in one direction; later connections pass.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly EndPoint _target;
    private readonly long _limit;
    private readonly bool _toServer;
    private readonly Task _accepting;
    private readonly List<Socket> _sockets = [];
    private int _connections;
    private long _passed;

    /// <param name="target">Where connections lead.</param>
    /// <param name="limit">The bytes of the first connection that pass.</param>
    /// <param name="toServer">Whether those to the server are counted, or those to the client.</param>
    public CuttingProxy(Uri target, long limit, bool toServer)
    {
        _target = new IPEndPoint(IPAddress.Parse(target.Host), target.Port);
        _limit = limit;
        _toServer = toServer;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}";

    /// <summary>Whether the limit was reached.</summary>
    public bool HasCut { get; private set; }

    /// <summary>The bytes that passed on the first connection in the counted direction.</summary>
    public long Passed => Volatile.Read(ref _passed);

    /// <summary>Cuts every connection that there is.</summary>
    public void CutAll()
    {
        lock (_sockets)
        {
            _sockets.ForEach(socket => socket.Dispose());
            _sockets.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        lock (_sockets)
        {
            _sockets.ForEach(socket => socket.Dispose());
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync();
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                return;
            }

            var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            client.NoDelay = true;
            await server.ConnectAsync(_target);
            lock (_sockets)
            {
                _sockets.AddRange([client, server]);
            }

            var isFirst = _connections++ == 0;
            _ = PassAsync(client, server, isFirst && _toServer);
            _ = PassAsync(server, client, isFirst && !_toServer);
        }
    }

    private async Task PassAsync(Socket from, Socket to, bool counted)
    {
        var buffer = new byte[64 * 1024];
        var left = counted ? _limit : long.MaxValue;
        try
        {
            while (await from.ReceiveAsync(buffer) is var count && count > 0)
            {
                var part = (int)Math.Min(count, left);
                for (var sent = 0; sent < part;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, part - sent));
                }

                left -= part;
                if (counted)
                {
                    Interlocked.Add(ref _passed, part);
                }

                if (left == 0)
                {
                    HasCut = true;
                    break;
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The other direction was cut.
        }

        from.Dispose();
        to.Dispose();
    }
}
