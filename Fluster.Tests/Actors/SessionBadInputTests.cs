using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fluster.Actors;
using Fluster.Cluster;
using Google.Protobuf;
using V1 = Fluster.Actors.V1;

namespace Fluster.Tests;

/// <summary>Whatever arrives at a session's port, and whatever a method gives back: a clear error, and a server that goes on.</summary>
public sealed class SessionBadInputTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private ActorServer _server = null!;

    public interface IOdd
    {
        Task<int> Add(int a, int b);

        Task<object> Endless();

        Task<int> Deep(object value);

        Task Hidden();

        Task<int> Missing(int a);

        Task<int> Length(byte[] bytes);

        Task<byte[]> Make(int size);

        Task Throw();
    }

    public async Task InitializeAsync()
    {
        _server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        _server.Register("odd", new Odd());
        await _server.StartAsync();
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    async ValueTask IAsyncDisposable.DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Call_WhatCannotBe_IsAClearErrorAndTheServerGoesOn()
    {
        using var client = Client<IOdd>();

        var hidden = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Hidden());
        var missing = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Missing(1));
        var endless = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Endless());
        var unknown = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Throw());

        Assert.Equal((ActorErrorKind.NotFound, "Method 'Hidden' not found on actor 'odd'."), (hidden.Kind, hidden.Message));
        Assert.Equal(ActorErrorKind.NotFound, missing.Kind);
        Assert.Equal(ActorErrorKind.Result, endless.Kind);
        Assert.Contains("cannot be written", endless.Message, StringComparison.Ordinal);
        Assert.Equal(ActorErrorKind.Exception, unknown.Kind);
        Assert.Equal(typeof(Odd.OwnException).FullName, unknown.Origin.Type);
        Assert.Equal(3, await client.Actor.Add(1, 2));
    }

    [Fact]
    public async Task Call_OfAnotherType_NamesTheArgument()
    {
        using var client = Client<IWrong>();

        var number = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Add(1, "two"));
        var array = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Length([1f, 2f]));

        Assert.Equal(ActorErrorKind.InvalidArgument, number.Kind);
        Assert.Contains("Argument 2 ('b') of Add", number.Message, StringComparison.Ordinal);
        Assert.Contains("it was sent as Single[]", array.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_TooLarge_IsRefusedBeforeItIsSent_AndSoIsTooLargeAResult()
    {
        using var client = Client<IOdd>();
        Assert.Equal(3, await client.Actor.Add(1, 2));

        var sent = await Assert.ThrowsAsync<ClusterException>(() => client.Actor.Length(new byte[65 << 20]));
        var result = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Make(65 << 20));

        Assert.Equal(ClusterError.ResourceExhausted, sent.Error);
        Assert.Contains("larger than the 67108864", sent.Message, StringComparison.Ordinal);
        Assert.Equal(ActorErrorKind.Result, result.Kind);
        Assert.Equal(64 << 20, await client.Actor.Length(new byte[64 << 20]));
    }

    [Fact]
    public async Task Frame_AnnouncesAGigabyte_IsRefusedWithoutRoomForIt()
    {
        using var raw = await RawSession.OpenAsync(_server);
        raw.Send(FrameType.Define, 0, 0, new V1.SessionDefine { Number = 0, Actor = "odd", Method = "Length", Arguments = 1 }.ToByteArray());
        var before = GC.GetTotalMemory(forceFullCollection: true);

        var body = new byte[CallHead.Size + PayloadFrames.TableSize(1)];
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(CallHead.Size + 4), 1);
        body[CallHead.Size + PayloadFrames.HeadSize + 1] = (byte)RawKind.Byte;
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(CallHead.Size + PayloadFrames.HeadSize + 4), 1 << 30);
        raw.Send(FrameType.Call, 3, 1, body, isPart: true);
        for (var sent = 0L; sent < 1L << 30; sent += FrameHeader.MostData)
        {
            raw.Send(FrameType.Data, 3, 1, RawSession.Zeros, isPart: sent + FrameHeader.MostData < 1L << 30);
        }

        var (header, answer) = await raw.ReceiveAsync();
        Assert.Equal((FrameType.Failure, 3, 1UL), (header.Type, header.Slot, header.Sequence));
        Assert.Equal("A message of 1073741824 bytes is larger than the 67108864 that are taken.", V1.ActorError.Parser.ParseFrom(answer).Message);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 256 << 20);
        await StillServesAsync();
    }

    [Fact]
    public async Task Bytes_OfAnyKind_EndTheirConnectionOnly()
    {
        var random = new Random(TestScale.Seed);
        for (var round = 0; round < TestScale.Of(200, 10_000); round++)
        {
            using var raw = round % 2 == 0 ? await RawSession.OpenAsync(_server) : await RawSession.ConnectAsync(_server);
            var bytes = new byte[random.Next(1, 400)];
            random.NextBytes(bytes);
            if (round % 3 == 0)
            {
                // Looks like a frame at least.
                var header = new FrameHeader((FrameType)random.Next(0, 20), random.Next(2) == 0, random.Next(0, 70_000) & 0xffff, Math.Max(0, bytes.Length - FrameHeader.Size), (ulong)random.Next(0, 3));
                if (bytes.Length >= FrameHeader.Size)
                {
                    header.Write(bytes);
                }
            }

            await raw.FinishAsync(bytes);
        }

        await StillServesAsync();
    }

    [Fact]
    public async Task Hello_WithoutATokenOrOfAnotherVersion_IsRefusedNamingBoth()
    {
        using var stranger = await RawSession.ConnectAsync(_server);
        stranger.Send(FrameType.Hello, 0, 0, new V1.SessionHello { Version = SessionHost.Version, SessionId = ByteString.CopyFrom(new byte[16]) }.ToByteArray());
        using var foreign = await RawSession.ConnectAsync(_server);
        foreign.Send(FrameType.Hello, 0, 0, new V1.SessionHello { Version = 7, SessionId = ByteString.CopyFrom(new byte[16]), Token = _server.Token }.ToByteArray());

        var (first, none) = await stranger.ReceiveAsync();
        var (second, version) = await foreign.ReceiveAsync();

        Assert.Equal((FrameType.Refused, FrameType.Refused), (first.Type, second.Type));
        Assert.Equal("The session carries no token.", V1.ActorError.Parser.ParseFrom(none).Message);
        Assert.Equal("The client speaks version 7 of sessions, and this server version 1.", V1.ActorError.Parser.ParseFrom(version).Message);
    }

    [Fact]
    public async Task Sequence_OlderThanTheSlots_IsUnknownAndNeverRuns()
    {
        using var raw = await RawSession.OpenAsync(_server);
        raw.Send(FrameType.Define, 0, 0, new V1.SessionDefine { Number = 0, Actor = "odd", Method = "Add", Arguments = 2 }.ToByteArray());
        raw.Send(FrameType.Call, 0, 5, RawSession.Call("[1,2]"));
        var (result, _) = await raw.ReceiveAsync();
        raw.Send(FrameType.Call, 0, 5, RawSession.Call("[1,2]"));
        var (again, _) = await raw.ReceiveAsync();
        raw.Send(FrameType.Call, 0, 4, RawSession.Call("[1,2]"));
        var (old, error) = await raw.ReceiveAsync();

        Assert.Equal((FrameType.Result, FrameType.Result, FrameType.Failure), (result.Type, again.Type, old.Type));
        Assert.Equal(V1.ActorErrorKind.OutcomeUnknown, V1.ActorError.Parser.ParseFrom(error).Kind);
        Assert.Equal(1, Odd.AddsOf(_server));
    }

    [Fact]
    public async Task Hello_IsAnsweredWithTheSlotsAndTheLargestMessage()
    {
        using var raw = await RawSession.ConnectAsync(_server);
        raw.Send(FrameType.Hello, 0, 0, new V1.SessionHello { Version = SessionHost.Version, SessionId = ByteString.CopyFrom(new byte[16]), Token = _server.Token }.ToByteArray());

        var (header, body) = await raw.ReceiveAsync();

        var welcome = V1.SessionWelcome.Parser.ParseFrom(body);
        Assert.Equal((FrameType.Welcome, false, 64L << 20), (header.Type, welcome.Resumed, welcome.MaxMessageSize));
        Assert.False(welcome.SameMachine); // the client did not say which machine it is on
        Assert.InRange(welcome.Slots, 256u, 4096u);
        raw.Send(FrameType.Define, 0, 0, new V1.SessionDefine { Number = 0, Actor = "odd", Method = "Add", Arguments = 2 }.ToByteArray());
        raw.Send(FrameType.Call, (int)welcome.Slots - 1, 1, RawSession.Call("[1,2]"));
        Assert.Equal(FrameType.Result, (await raw.ReceiveAsync()).Header.Type);
        raw.Send(FrameType.Call, (int)welcome.Slots, 1, RawSession.Call("[1,2]"));
        await raw.FinishAsync([]); // there is no such slot: the server hangs up
        await StillServesAsync();
        Assert.Equal(2, Odd.AddsOf(_server));
    }

    [Fact]
    public async Task Result_IsSentAgainUntilTheNextCallInItsSlot_UnlessItIsLargerThanAMebibyte()
    {
        using var raw = await RawSession.OpenAsync(_server);
        raw.Send(FrameType.Define, 0, 0, new V1.SessionDefine { Number = 0, Actor = "odd", Method = "Make", Arguments = 1 }.ToByteArray());

        var small = await raw.AskAsync(slot: 0, sequence: 1, "[1000000]");
        var smallAgain = await raw.AskAsync(slot: 0, sequence: 1, "[1000000]");
        var large = await raw.AskAsync(slot: 1, sequence: 1, "[2000000]");
        var largeAgain = large;
        for (var i = 0; i < 100 && largeAgain.Type == FrameType.Result; i++)
        {
            largeAgain = await raw.AskAsync(slot: 1, sequence: 1, "[2000000]"); // its last byte may be here before the server has put it away
        }

        Assert.Equal((FrameType.Result, FrameType.Result, small.Bytes), (small.Type, smallAgain.Type, smallAgain.Bytes));
        Assert.InRange(large.Bytes, 2_000_000, 2_100_000);
        Assert.Equal((FrameType.Failure, V1.ActorErrorKind.OutcomeUnknown), (largeAgain.Type, V1.ActorError.Parser.ParseFrom(largeAgain.First).Kind));
        Assert.Equal(2, Odd.MakesOf(_server));
    }

    [Fact]
    public async Task Results_OfMoreThan64Mebibytes_AreNotAllKept_AndNoneIsMadeAgain()
    {
        const int Calls = 66;
        using var raw = await RawSession.OpenAsync(_server);
        raw.Send(FrameType.Define, 0, 0, new V1.SessionDefine { Number = 0, Actor = "odd", Method = "Make", Arguments = 1 }.ToByteArray());
        for (var slot = 0; slot < Calls; slot++)
        {
            Assert.Equal(FrameType.Result, (await raw.AskAsync(slot, sequence: 1, "[1048000]")).Type);
        }

        Assert.Equal(FrameType.Result, (await raw.AskAsync(slot: 0, sequence: 1, "[1048000]")).Type);
        var last = await raw.AskAsync(slot: Calls - 1, sequence: 1, "[1048000]");
        for (var i = 0; i < 100 && last.Type == FrameType.Result; i++)
        {
            last = await raw.AskAsync(slot: Calls - 1, sequence: 1, "[1048000]");
        }

        Assert.Equal(V1.ActorErrorKind.OutcomeUnknown, V1.ActorError.Parser.ParseFrom(last.First).Kind);
        await raw.AskAsync(slot: 0, sequence: 2, "[1]"); // says that the first one arrived
        Assert.Equal(FrameType.Result, (await raw.AskAsync(slot: 1, sequence: 2, "[1048000]")).Type);
        Assert.Equal(FrameType.Result, (await raw.AskAsync(slot: 1, sequence: 2, "[1048000]")).Type); // there is room for it now
        Assert.Equal(Calls + 2, Odd.MakesOf(_server));
    }

    [Fact]
    public async Task Json_TenThousandDeep_IsRefused()
    {
        using var raw = await RawSession.OpenAsync(_server);
        raw.Send(FrameType.Define, 0, 0, new V1.SessionDefine { Number = 0, Actor = "odd", Method = "Deep", Arguments = 1 }.ToByteArray());

        var deep = await raw.AskAsync(slot: 0, sequence: 1, new string('[', 10_000) + new string(']', 10_000));

        Assert.Equal((FrameType.Failure, V1.ActorErrorKind.InvalidArgument), (deep.Type, V1.ActorError.Parser.ParseFrom(deep.First).Kind));
        await StillServesAsync();
    }

    private ActorClient<T> Client<T>()
        where T : class => new(_server.Address.ToString(), token: _server.Token);

    private async Task StillServesAsync()
    {
        using var client = Client<IOdd>();
        Assert.Equal(3, await client.Actor.Add(1, 2).WaitAsync(s_patience));
    }

    public interface IWrong
    {
        Task<int> Add(int a, string b);

        Task<int> Length(float[] bytes);
    }

    private sealed class Odd
    {
        private int _adds;
        private int _makes;

        public static int AddsOf(ActorServer server) => ((Odd)server.InstanceOf("odd"))._adds;

        public int Add(int a, int b)
        {
            Interlocked.Increment(ref _adds);
            return a + b;
        }

        public object Endless()
        {
            var loop = new List<object>();
            loop.Add(loop);
            return loop;
        }

        public int Deep(object value) => value.GetHashCode();

        public int Length(byte[] bytes) => bytes.Length;

        public static int MakesOf(ActorServer server) => ((Odd)server.InstanceOf("odd"))._makes;

        public byte[] Make(int size)
        {
            _makes++;
            return new byte[size];
        }

        public void Throw() => throw new OwnException();

        private void Hidden() => throw new InvalidOperationException($"{_adds}");

        public sealed class OwnException : Exception
        {
            public override string Message => "mine";
        }
    }

    /// <summary>A client that sends whatever a test says.</summary>
    private sealed class RawSession : IDisposable
    {
        private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        public static byte[] Zeros { get; } = new byte[FrameHeader.MostData];

        public static async Task<RawSession> ConnectAsync(ActorServer server)
        {
            var raw = new RawSession();
            await raw._socket.ConnectAsync(IPAddress.Loopback, server.Address.Port);
            await raw._socket.SendAsync(SessionHost.Preface);
            return raw;
        }

        public static async Task<RawSession> OpenAsync(ActorServer server)
        {
            var raw = await ConnectAsync(server);
            raw.Send(FrameType.Hello, 0, 0, new V1.SessionHello { Version = SessionHost.Version, SessionId = ByteString.CopyFrom(Guid.NewGuid().ToByteArray()), Token = server.Token }.ToByteArray());
            var (welcome, _) = await raw.ReceiveAsync();
            Assert.Equal(FrameType.Welcome, welcome.Type);
            return raw;
        }

        public static byte[] Call(string json)
        {
            var body = new byte[CallHead.Size + PayloadFrames.HeadSize + json.Length];
            BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(CallHead.Size), json.Length);
            System.Text.Encoding.ASCII.GetBytes(json, body.AsSpan(CallHead.Size + PayloadFrames.HeadSize));
            return body;
        }

        public void Send(FrameType type, int slot, ulong sequence, byte[] body, bool isPart = false)
        {
            var header = new byte[FrameHeader.Size];
            new FrameHeader(type, isPart, slot, body.Length, sequence).Write(header);
            _socket.Send(header);
            _socket.Send(body);
        }

        public async Task<(FrameHeader Header, byte[] Body)> ReceiveAsync()
        {
            using var patience = new CancellationTokenSource(s_patience);
            var header = await ReadAsync(FrameHeader.Size, patience.Token);
            var read = FrameHeader.Read(header);
            return (read, await ReadAsync(read.Length, patience.Token));
        }

        /// <summary>Makes a call and reads its whole answer: the type of its first frame, the content of that, and the bytes of all.</summary>
        public async Task<(FrameType Type, byte[] First, int Bytes)> AskAsync(int slot, ulong sequence, string json)
        {
            Send(FrameType.Call, slot, sequence, Call(json));
            var (first, body) = await ReceiveAsync();
            var bytes = body.Length;
            for (var header = first; header.IsPart;)
            {
                (header, var more) = await ReceiveAsync();
                bytes += more.Length;
            }

            return (first.Type, body, bytes);
        }

        /// <summary>Sends these bytes and reads until the other side hangs up.</summary>
        public async Task FinishAsync(byte[] bytes)
        {
            using var patience = new CancellationTokenSource(s_patience);
            try
            {
                await _socket.SendAsync(bytes, patience.Token);
                _socket.Shutdown(SocketShutdown.Send);
                var rest = new byte[4096];
                while (await _socket.ReceiveAsync(rest, patience.Token) > 0)
                {
                }
            }
            catch (SocketException)
            {
                // Hanging up is an answer too.
            }
        }

        public void Dispose() => _socket.Dispose();

        private async Task<byte[]> ReadAsync(int length, CancellationToken cancellationToken)
        {
            var bytes = new byte[length];
            for (var read = 0; read < length;)
            {
                var count = await _socket.ReceiveAsync(bytes.AsMemory(read), cancellationToken);
                Assert.True(count > 0, "The server hung up.");
                read += count;
            }

            return bytes;
        }
    }
}
