using System.Net.Sockets;

namespace Fluster.Actors;

/// <summary>Bytes both ways: a socket itself where nothing is between, else a stream over it.</summary>
internal abstract class SessionTransport : IDisposable
{
    /// <summary>Receives what is there, at least one byte; 0 at the end.</summary>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>Sends all of it.</summary>
    public abstract ValueTask SendAsync(ReadOnlyMemory<byte> bytes);

    /// <summary>Tells the other side that nothing more is sent.</summary>
    public abstract void Shutdown();

    public abstract void Dispose();
}

/// <summary>A socket, without anything between it and the frames: large parts are received into the arrays that they are for.</summary>
internal sealed class SocketTransport : SessionTransport
{
    private readonly Socket _socket;

    public SocketTransport(Socket socket)
    {
        _socket = socket;
        if (socket.ProtocolType == ProtocolType.Tcp)
        {
            socket.NoDelay = true;
        }
    }

    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => _socket.ReceiveAsync(buffer, SocketFlags.None);

    public override ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        var sent = _socket.SendAsync(bytes, SocketFlags.None);
        return sent.IsCompletedSuccessfully ? SendRestAsync(sent.Result, bytes) : SendRestAsync(sent, bytes);
    }

    public override void Shutdown()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is closed already.
        }
    }

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
internal sealed class StreamTransport(Stream stream) : SessionTransport
{
    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => stream.ReadAsync(buffer);

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        await stream.WriteAsync(bytes).ConfigureAwait(false);
        await stream.FlushAsync().ConfigureAwait(false);
    }

    public override void Shutdown() => Dispose();

    public override void Dispose() => stream.Dispose();
}
