using System.Net.Sockets;

namespace Fluster.Actors;

/// <summary>Bytes both ways: a socket itself where nothing is between, else a stream over it.</summary>
internal abstract class SessionTransport : IDisposable
{
    // What lies in the system's buffers goes before any small frame: left to itself Linux lets that grow to tens of megabytes while a large
    // message is under way, and calls wait as long as those take. Linux doubles both for its own needs.
    private const int SendBuffer = 512 * 1024;
    private const int ReceiveBuffer = 1024 * 1024;

    /// <summary>Receives what is there, at least one byte; 0 at the end.</summary>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>Sends all of it.</summary>
    public abstract ValueTask SendAsync(ReadOnlyMemory<byte> bytes);

    /// <summary>Sends one after the other, if possible so that the receiver wakes up once.</summary>
    /// <param name="first">What goes first.</param>
    /// <param name="second">What follows.</param>
    /// <param name="more">Whether more of the kind is about to be sent: a last bit may wait for it, until <see cref="Push"/>.</param>
    public virtual async ValueTask SendAsync(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second, bool more)
    {
        await SendAsync(first).ConfigureAwait(false);
        await SendAsync(second).ConfigureAwait(false);
    }

    /// <summary>Nothing waits for more any longer.</summary>
    public virtual void Push()
    {
    }

    /// <summary>Tells the other side that nothing more is sent.</summary>
    public abstract void Shutdown();

    public abstract void Dispose();

    protected static void Prepare(Socket socket)
    {
        if (socket.ProtocolType == ProtocolType.Tcp)
        {
            socket.NoDelay = true;
            socket.SendBufferSize = SendBuffer;
            socket.ReceiveBufferSize = ReceiveBuffer;
        }
    }

    protected static void ShutDown(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is closed already.
        }
    }
}

/// <summary>A socket, without anything between it and the frames: large parts are received into the arrays that they are for.</summary>
internal sealed class SocketTransport : SessionTransport
{
    private const int TcpLevel = 6;
    private const int TcpCork = 3;

    private static readonly byte[] s_on = [1, 0, 0, 0];
    private static readonly byte[] s_off = [0, 0, 0, 0];

    private readonly Socket _socket;
    private readonly bool _corks;
    private bool _corked;

    public SocketTransport(Socket socket)
    {
        _socket = socket;
        _corks = OperatingSystem.IsLinux() && socket.ProtocolType == ProtocolType.Tcp;
        Prepare(socket);
    }

    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => _socket.ReceiveAsync(buffer, SocketFlags.None);

    public override ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        var sent = _socket.SendAsync(bytes, SocketFlags.None);
        return sent.IsCompletedSuccessfully ? SendRestAsync(sent.Result, bytes) : SendRestAsync(sent, bytes);
    }

    // A header that is sent alone is a segment of its own, for which the receiver wakes up and finds nothing to do.
    public override async ValueTask SendAsync(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second, bool more)
    {
        if (_corks && !_corked)
        {
            _corked = true;
            _socket.SetRawSocketOption(TcpLevel, TcpCork, s_on);
        }

        await SendAsync(first).ConfigureAwait(false);
        await SendAsync(second).ConfigureAwait(false);
        if (!more)
        {
            Push();
        }
    }

    public override void Push()
    {
        if (_corked)
        {
            _corked = false;
            _socket.SetRawSocketOption(TcpLevel, TcpCork, s_off);
        }
    }

    public override void Shutdown() => ShutDown(_socket);

    public override void Dispose() => _socket.Dispose();

    private ValueTask SendRestAsync(int sent, ReadOnlyMemory<byte> bytes) => sent == bytes.Length ? default : SendAsync(bytes[sent..]);

    private async ValueTask SendRestAsync(ValueTask<int> first, ReadOnlyMemory<byte> bytes)
    {
        for (var sent = await first.ConfigureAwait(false); sent < bytes.Length;)
        {
            sent += await _socket.SendAsync(bytes[sent..], SocketFlags.None).ConfigureAwait(false);
        }
    }
}

/// <summary>A stream, as TLS makes one of a socket.</summary>
internal sealed class StreamTransport : SessionTransport
{
    private readonly Stream _stream;
    private readonly Socket _socket;

    public StreamTransport(Stream stream, Socket socket)
    {
        _stream = stream;
        _socket = socket;
        Prepare(socket);
    }

    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => _stream.ReadAsync(buffer);

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        await _stream.WriteAsync(bytes).ConfigureAwait(false);
        await _stream.FlushAsync().ConfigureAwait(false);
    }

    public override void Shutdown() => ShutDown(_socket);

    public override void Dispose() => _stream.Dispose();
}
