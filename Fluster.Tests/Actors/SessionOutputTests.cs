using System.Net;
using System.Net.Sockets;
using Fluster.Actors;

namespace Fluster.Tests;

/// <summary>What is sent in which order when a long message is under way.</summary>
public sealed class SessionOutputTests
{
    private const int LongBytes = 64 << 20;

    /// <summary>Between a small frame and its receiver lies only what the system holds of the long message, and that is kept short: "a 64 MiB argument does not delay other calls".</summary>
    [Fact]
    public async Task SmallFrame_BehindALongMessage_LetsLittleOfItGoFirst()
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var sending = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await sending.ConnectAsync(listener.LocalEndPoint!);
        using var sender = new SocketTransport(sending);
        using var receiver = new SocketTransport(await listener.AcceptAsync());
        var output = new SessionOutput(sender, static _ => { });
        var message = new PayloadWriter();
        message.Begin(array: true);
        message.WriteRaw(RawKind.Byte, new byte[LongBytes]);
        message.End();
        output.Append(FrameType.Call, slot: 1, sequence: 1, [], message);
        output.Send(now: false);
        var frames = new Frames(receiver);

        // Read as it comes, so that the system makes as much room for the connection as it ever will; then not at all, until nothing more fits.
        while (frames.Bytes < LongBytes / 2)
        {
            Assert.NotEqual(FrameType.Ping, (await frames.NextAsync()).Type);
        }

        await Eventually.True(() => !sending.Poll(TimeSpan.Zero, SelectMode.SelectWrite), "There is room without end.");
        output.Append(FrameType.Ping);
        output.Send(now: false);
        var before = frames.Bytes;
        while ((await frames.NextAsync()).Type != FrameType.Ping)
        {
            Assert.True(frames.Bytes < LongBytes, "The long message went first as a whole.");
        }

        Assert.InRange(frames.Bytes - before, 1, 4 << 20);
        output.Close();
    }

    private sealed class Frames(SocketTransport transport)
    {
        private readonly byte[] _buffer = new byte[FrameHeader.MostLength];

        public long Bytes { get; private set; }

        public async Task<FrameHeader> NextAsync()
        {
            await FillAsync(FrameHeader.Size);
            var header = FrameHeader.Read(_buffer);
            await FillAsync(header.Length);
            return header;
        }

        private async Task FillAsync(int count)
        {
            for (var filled = 0; filled < count;)
            {
                var received = await transport.ReceiveAsync(_buffer.AsMemory(filled, count - filled));
                Assert.NotEqual(0, received);
                filled += received;
            }

            Bytes += count;
        }
    }
}
