using System.Net;
using System.Net.Sockets;
using Fluster.Actors;
using Google.Protobuf;
using V1 = Fluster.Actors.V1;

namespace Fluster.Tests;

/// <summary>What is sent in which order when a long message is under way.</summary>
public sealed class SessionOutputTests
{
    private const int LongBytes = 64 << 20;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

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

    /// <summary>"Writes coalesced": whatever is there when a write begins leaves with it.</summary>
    [Fact]
    public async Task SmallFrames_AppendedWhileOneIsSent_LeaveTogether()
    {
        using var transport = new Gated();
        var output = new SessionOutput(transport, static _ => { });
        output.Append(FrameType.Ping);
        output.Send(now: true);
        for (var i = 0; i < 1000; i++)
        {
            output.Append(FrameType.Ping);
            output.Send(now: true);
        }

        transport.Gate.SetResult();
        await output.DrainAsync().WaitAsync(s_patience);

        Assert.Equal([FrameHeader.Size, 1000 * FrameHeader.Size], transport.Writes);
    }

    /// <summary>A session has as many slots as the server grants; calls beyond that wait for one.</summary>
    [Fact]
    public async Task Calls_MoreThanTheServerGrants_WaitForASlot()
    {
        const int granted = 300;
        const int calls = 400;
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var client = new ActorClient<ICounted>($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndPoint!).Port}", "counted", "token");
        var made = Enumerable.Range(0, calls).Select(_ => client.Actor.Get()).ToArray();
        using var server = new SocketTransport(await listener.AcceptAsync());
        var frames = new Frames(server);
        await frames.SkipAsync(SessionHost.Preface.Length);
        Assert.Equal(FrameType.Hello, (await frames.NextAsync()).Type);
        await server.SendAsync(Frame(new FrameHeader(FrameType.Welcome, false, 0, 0, 0), new V1.SessionWelcome { Incarnation = "one", Slots = granted, MaxMessageSize = 1 << 20 }));

        var sent = await CallsUntilPongAsync();
        Assert.Equal(granted, sent.Count);
        await server.SendAsync(Frame(new FrameHeader(FrameType.Failure, false, sent[7].Slot, 0, sent[7].Sequence), new V1.ActorError { Kind = V1.ActorErrorKind.Exception, Message = "the answer of the seventh" }));
        var next = Assert.Single(await CallsUntilPongAsync());

        Assert.Equal((sent[7].Slot, sent[7].Sequence + 1), (next.Slot, next.Sequence));
        var answer = await Record.ExceptionAsync(() => made[7].WaitAsync(s_patience));
        Assert.Contains("the answer of the seventh", answer?.Message, StringComparison.Ordinal);

        async Task<List<FrameHeader>> CallsUntilPongAsync()
        {
            var received = new List<FrameHeader>();
            while (true)
            {
                var frame = await frames.NextAsync().WaitAsync(s_patience);
                if (frame.Type == FrameType.Pong)
                {
                    return received;
                }

                if (frame.Type == FrameType.Call)
                {
                    received.Add(frame);
                    if (received.Count == 1)
                    {
                        await server.SendAsync(Frame(new FrameHeader(FrameType.Ping, false, 0, 0, 0), message: null));
                    }
                }
            }
        }
    }

    private static byte[] Frame(FrameHeader header, IMessage? message)
    {
        var body = message?.ToByteArray() ?? [];
        var frame = new byte[FrameHeader.Size + body.Length];
        (header with { Length = body.Length }).Write(frame);
        body.CopyTo(frame, FrameHeader.Size);
        return frame;
    }

    public interface ICounted
    {
        Task<int> Get();
    }

    /// <summary>The first write takes until the gate opens.</summary>
    private sealed class Gated : SessionTransport
    {
        public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<int> Writes { get; } = [];

        public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => ValueTask.FromResult(0);

        public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
        {
            Writes.Add(bytes.Length);
            await Gate.Task;
        }

        public override void Shutdown()
        {
        }

        public override void Dispose()
        {
        }
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

        public Task SkipAsync(int count) => FillAsync(count);

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
