using System.Runtime.InteropServices;
using Fluster.Actors;
using Fluster.Cluster;
using Fluster.Rpc;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using V1 = Fluster.Actors.V1;

namespace Fluster.Tests;

/// <summary>What travels beside the JSON of a call as its memory: arrays of every primitive, and messages of protobuf; by sessions, and within a process.</summary>
public sealed class ActorArraysTests : IAsyncLifetime, IDisposable
{
    private static readonly bool[] s_bools = [true, false];
    private static readonly int?[] s_numbers = [1, null, -3];

    private readonly ActorServer _server = new(new ActorServerOptions { Announcements = TextWriter.Null });
    private readonly ActorTable _table = new(TimeProvider.System);
    private readonly LocalServer _local;
    private readonly List<ActorClient<IBack>> _clients = [];

    public ActorArraysTests()
    {
        _table.Add("back", new Back(), options: null);
        _local = LocalServers.Open(_table);
        _server.Register("back", new Back());
    }

    public interface IBack
    {
        Task<byte[]?> Bytes(byte[]? values);
        Task<sbyte[]> SBytes(sbyte[] values);
        Task<short[]> Shorts(short[] values);
        Task<ushort[]> UShorts(ushort[] values);
        Task<int[]> Ints(int[] values);
        Task<uint[]> UInts(uint[] values);
        Task<long[]> Longs(long[] values);
        Task<ulong[]> ULongs(ulong[] values);
        Task<Half[]> Halves(Half[] values);
        Task<float[]> Floats(float[] values);
        Task<double[]> Doubles(double[] values);
        Task<char[]> Chars(char[] values);
        Task<Memory<byte>> Memory(Memory<byte> values);
        Task<ReadOnlyMemory<byte>> ReadOnly(ReadOnlyMemory<byte> values);
        Task<int?[]> Nullables(int?[] values);
        Task<bool[]> Bools(bool[] values);
        Task<string> Mixed(int number, float[] values, string text, long[] more, Timestamp time, CancellationToken cancellationToken = default);
        Task<Timestamp?> Message(Timestamp? time);
    }

    public async Task InitializeAsync()
    {
        await _server.StartAsync();
        _clients.Add(new ActorClient<IBack>(_server.Address.ToString(), "back", _server.Token));
        _clients.Add(new ActorClient<IBack>(_local.Address.ToString(), "back"));
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose()
    {
        _clients.ForEach(client => client.Dispose());
        LocalServers.Close(_local);
        _table.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(33)]
    [InlineData(40_000)]
    [InlineData(300_000)]
    public async Task Arrays_OfEveryPrimitive_ComeBackBitByBit(int length)
    {
        foreach (var back in _clients.Select(client => client.Actor))
        {
            await SameAsync<byte>(length, async values => (await back.Bytes(values))!);
            await SameAsync<sbyte>(length, back.SBytes);
            await SameAsync<short>(length, back.Shorts);
            await SameAsync<ushort>(length, back.UShorts);
            await SameAsync<int>(length, back.Ints);
            await SameAsync<uint>(length, back.UInts);
            await SameAsync<long>(length, back.Longs);
            await SameAsync<ulong>(length, back.ULongs);
            await SameAsync<Half>(length, back.Halves);
            await SameAsync<float>(length, back.Floats);
            await SameAsync<double>(length, back.Doubles);
            await SameAsync<char>(length, back.Chars);
            await SameAsync<byte>(length, async values => (await back.Memory(values)).ToArray());
            await SameAsync<byte>(length, async values => (await back.ReadOnly(values)).ToArray());
        }
    }

    [Fact]
    public async Task Others_TravelAsJson_AndNullIsNull()
    {
        foreach (var back in _clients.Select(client => client.Actor))
        {
            Assert.Null(await back.Bytes(null));
            Assert.Null(await back.Message(null));
            Assert.Equal(s_numbers, await back.Nullables(s_numbers));
            Assert.Equal(s_bools, await back.Bools(s_bools));
        }
    }

    [Fact]
    public async Task Arrays_AmongOtherArguments_KeepTheirPlaces()
    {
        foreach (var back in _clients.Select(client => client.Actor))
        {
            Assert.Equal("7 1.5/2.5 text 5000000000 9 s", await back.Mixed(7, [1.5f, 2.5f], "text", [5_000_000_000], new Timestamp { Seconds = 9 }));
        }
    }

    /// <summary>Who calls in JSON sends arrays and messages in JSON, and gets them so.</summary>
    [Fact]
    public async Task Rpc_SendsThemAsJson()
    {
        Assert.Equal("\"7 1.5/2.5 text 5 9 s\"", await CallAsync("Mixed", """[7, [1.5, 2.5], "text", [5], "1970-01-01T00:00:09Z"]"""));
        Assert.Equal("\"AQID\"", await CallAsync("Bytes", """["AQID"]"""));
        Assert.Equal("[1,2]", await CallAsync("Ints", "[[1, 2]]"));
        Assert.Equal("\"1970-01-01T00:00:09Z\"", await CallAsync("Message", """["1970-01-01T00:00:09Z"]"""));
    }

    private static async Task SameAsync<T>(int length, Func<T[], Task<T[]>> call)
        where T : unmanaged
    {
        var sent = new T[length];
        new Random(TestScale.Seed).NextBytes(MemoryMarshal.AsBytes(sent.AsSpan())); // all bits: also numbers that are none
        var back = await call(sent);

        Assert.NotSame(sent, back);
        Assert.True(MemoryMarshal.AsBytes(sent.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(back.AsSpan())), $"{length} values of {typeof(T).Name} came back as {back.Length} others.");
    }

    private async Task<string> CallAsync(string method, string arguments)
    {
        using var channel = RpcChannel.ForAddress(_server.Address);
        var answer = await new V1.ActorService.ActorServiceClient(channel).CallAsync(
            new V1.CallRequest { Method = method, Arguments = arguments },
            new Metadata { { "authorization", $"Bearer {_server.Token}" }, { ProtocolVersion.Metadata, ProtocolVersion.Current } });
        return answer.Error is null ? answer.Value : answer.Error.Message;
    }

    private sealed class Back : IBack
    {
        public Task<byte[]?> Bytes(byte[]? values) => Task.FromResult(values);
        public Task<sbyte[]> SBytes(sbyte[] values) => Task.FromResult(values);
        public Task<short[]> Shorts(short[] values) => Task.FromResult(values);
        public Task<ushort[]> UShorts(ushort[] values) => Task.FromResult(values);
        public Task<int[]> Ints(int[] values) => Task.FromResult(values);
        public Task<uint[]> UInts(uint[] values) => Task.FromResult(values);
        public Task<long[]> Longs(long[] values) => Task.FromResult(values);
        public Task<ulong[]> ULongs(ulong[] values) => Task.FromResult(values);
        public Task<Half[]> Halves(Half[] values) => Task.FromResult(values);
        public Task<float[]> Floats(float[] values) => Task.FromResult(values);
        public Task<double[]> Doubles(double[] values) => Task.FromResult(values);
        public Task<char[]> Chars(char[] values) => Task.FromResult(values);
        public Task<Memory<byte>> Memory(Memory<byte> values) => Task.FromResult(values);
        public Task<ReadOnlyMemory<byte>> ReadOnly(ReadOnlyMemory<byte> values) => Task.FromResult(values);
        public Task<int?[]> Nullables(int?[] values) => Task.FromResult(values);
        public Task<bool[]> Bools(bool[] values) => Task.FromResult(values);
        public Task<Timestamp?> Message(Timestamp? time) => Task.FromResult(time);

        public Task<string> Mixed(int number, float[] values, string text, long[] more, Timestamp time, CancellationToken cancellationToken = default) =>
            Task.FromResult($"{number} {string.Join('/', values)} {text} {more[0]} {time.Seconds} s");
    }
}
