using Fluster.Actors;
using Fluster.Cluster;
using Fluster.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using V1 = Fluster.Actors.V1;

namespace Fluster.Tests;

/// <summary>What a server tells about itself: its actors, their methods with signatures and documentation, its health (seed 001, stage 7).</summary>
public sealed class ActorListingTests : IAsyncLifetime, IDisposable
{
    private const string Shop = """
        namespace Shop;

        public interface ICounts<T>
        {
            /// <summary>How many there are.</summary>
            int Count(T what);
        }

        public class Base
        {
            /// <summary>Says it   <b>twice</b>.</summary>
            public virtual string Twice(string text) => text + text;

            /// <summary>Nobody overrides it.</summary>
            public int Kept() => 1;
        }

        public class Stock : Base, ICounts<string>
        {
            /// <summary>Adds <paramref name="count"/> of a thing;
            /// <see cref="Count"/> is what there is then, or <see langword="null"/>.</summary>
            /// <returns>Never zero.</returns>
            public int Add(string what, int count = 1, CancellationToken cancellationToken = default) => count;

            public int Count(string what) => 0;

            public override string Twice(string text) => "";

            /// <summary>Of all shapes.</summary>
            public int Shapes(int[] a, int[,] b, Dictionary<string, List<int?>> c, Outer<int>.Inner<string> d) => 0;

            /// <summary>One after the other.</summary>
            public async IAsyncEnumerable<int> Stream() { await Task.Yield(); yield return 1; }

            public void Undocumented() { }
        }

        public class Crate<T>
        {
            /// <summary>Puts it in.</summary>
            public void Put(T item, List<T> more) { }
        }

        public class Outer<T>
        {
            public class Inner<U> { }
        }
        """;

    private readonly TemporaryDirectory _directory = new();
    private readonly ActorServer _server = new(new ActorServerOptions { Announcements = TextWriter.Null });
    private GrpcChannel _channel = null!;

    private V1.ActorService.ActorServiceClient Service => new(_channel);

    private Metadata Headers => new() { { "authorization", $"Bearer {_server.Token}" }, { ProtocolVersion.Metadata, ProtocolVersion.Current } };

    public async Task InitializeAsync()
    {
        await _server.StartAsync();
        _channel = RpcChannel.ForAddress(_server.Address);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose()
    {
        _channel.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task ListActors_NamesEachWithItsIdItsTimeAndItsMetadata()
    {
        var before = TimeProvider.System.GetUtcNow();
        _server.Register("b", new ActorPoolTests.Counter(1), new ActorOptions { Metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["color"] = "blue" } });
        _server.Register("a", new ActorPoolTests.Counter(2));

        var actors = (await Service.ListActorsAsync(new V1.ListActorsRequest(), Headers)).Actors;

        Assert.Equal(["a", "b"], actors.Select(actor => actor.Name));
        Assert.All(actors, actor => Assert.Equal($"{actor.Name}-{actor.Handle[..8]}", actor.ActorId));
        Assert.All(actors, actor => Assert.Matches("^[ab]-[0-9a-f]{8}$", actor.ActorId));
        Assert.All(actors, actor => Assert.InRange(actor.RegisteredAt.ToDateTimeOffset(), before, TimeProvider.System.GetUtcNow()));
        Assert.Equal("blue", Assert.Single(actors[1].Metadata).Value);
        _server.Unregister("a");
        _server.Register("a", new ActorPoolTests.Counter(3));
        Assert.NotEqual(actors[0].ActorId, (await Service.ListActorsAsync(new V1.ListActorsRequest(), Headers)).Actors[0].ActorId);
    }

    [Fact]
    public async Task ListMethods_OfAClassWithoutADispatcher_HasSignaturesAndTheSummariesOfTheDocumentationFile()
    {
        _server.Register("stock", Make("Shop.Stock"));

        var methods = (await Service.ListMethodsAsync(new V1.ListMethodsRequest { Actor = "stock" }, Headers)).Methods;

        Assert.Equal(
            [
                "Add(string what, int count) -> int: Adds count of a thing; Count is what there is then, or null.",
                "Count(string what) -> int: How many there are.",
                "Kept() -> int: Nobody overrides it.",
                "Shapes(int[] a, int[,] b, Dictionary<string, List<int?>> c, Inner<string> d) -> int: Of all shapes.",
                "Stream() -> IAsyncEnumerable<int>: One after the other.",
                "Twice(string text) -> string: Says it twice.",
                "Undocumented() -> void: ",
            ],
            methods.Select(method => $"{method.Signature}: {method.Documentation}"));
        Assert.Equal(["what", "count"], methods[0].Parameters);
        Assert.Equal(["Stream"], methods.Where(method => method.Streams).Select(method => method.Name));
    }

    [Fact]
    public void Documentation_OfAGenericClass_IsThatOfItsDefinition()
    {
        using var actor = new HostedActor("crate", Make("Shop.Crate`1", typeof(int)), options: null, default);

        Assert.Equal("Puts it in.", Assert.Single(actor.Dispatcher.Methods).Documentation);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("<doc><members><member name=\"M:Shop.Crate`1.Put(`0,System.Collections.Generic.List{`0})\"><summary>Half")]
    [InlineData("<doc><members><member><summary>Of nobody.</summary></member><member name=\"M:Shop.Crate`1.Put()\"/></members></doc>")]
    public void Documentation_WithoutAFileThatSaysIt_IsEmpty(string? content)
    {
        using var actor = new HostedActor("crate", Make("Shop.Crate`1", typeof(int)), options: null, default);
        var file = Assert.Single(Directory.GetFiles(_directory.Path, "*.xml")); // nobody has read it yet
        File.Delete(file);
        if (content is not null)
        {
            File.WriteAllText(file, content);
        }

        Assert.Equal("", Assert.Single(actor.Dispatcher.Methods).Documentation);
    }

    [Fact]
    public void Documentation_IsReadOnce()
    {
        var stock = Make("Shop.Stock");
        using var actor = new HostedActor("stock", stock, options: null, default);
        using var crate = new HostedActor("crate", Activator.CreateInstance(stock.GetType().Assembly.GetType("Shop.Crate`1")!.MakeGenericType(typeof(int)))!, options: null, default);
        Assert.Equal("Of all shapes.", actor.Dispatcher.Methods.Single(method => method.Name == "Shapes").Documentation);

        File.Delete(Assert.Single(Directory.GetFiles(_directory.Path, "*.xml")));

        Assert.Equal("Nobody overrides it.", actor.Dispatcher.Methods.Single(method => method.Name == "Kept").Documentation);
        Assert.Equal("Puts it in.", Assert.Single(crate.Dispatcher.Methods).Documentation);
    }

    [Fact]
    public async Task ListMethods_UnknownActor_IsNotFound_AndAnEmptyNameIsTheOnlyOne()
    {
        _server.Register("counter", new ActorPoolTests.Counter(1));

        var error = await Assert.ThrowsAsync<RpcException>(async () => await Service.ListMethodsAsync(new V1.ListMethodsRequest { Actor = "stock" }, Headers));
        var methods = (await Service.ListMethodsAsync(new V1.ListMethodsRequest(), Headers)).Methods;

        Assert.Equal((StatusCode.NotFound, "Actor 'stock' not found. This server has: counter."), (error.StatusCode, error.Status.Detail));
        Assert.Contains(methods, method => method.Signature == "Increment() -> int");
    }

    [Fact]
    public async Task Call_ByRpc_WithAHandle_ReachesThatIncarnationOrNone()
    {
        _server.Register("counter", new ActorPoolTests.Counter(1));
        var handle = (await Service.ListActorsAsync(new V1.ListActorsRequest(), Headers)).Actors[0].Handle;

        Assert.Equal("2", (await CallAsync("counter", "Increment", handle)).Value);
        _server.Unregister("counter");
        Assert.Equal(V1.ActorErrorKind.Stale, (await CallAsync("counter", "Increment", handle)).Error.Kind);
        _server.Register("counter", new ActorPoolTests.Counter(10));
        Assert.Equal(V1.ActorErrorKind.Stale, (await CallAsync("counter", "Increment", handle)).Error.Kind);
        Assert.Equal("11", (await CallAsync("counter", "Increment", handle: "")).Value);
        var error = await Assert.ThrowsAsync<RpcException>(() => CallAsync("counter", "Increment", "that one"));
        Assert.Equal((StatusCode.InvalidArgument, "'that one' is no handle: it is 32 hexadecimal digits."), (error.StatusCode, error.Status.Detail));
    }

    [Fact]
    public async Task Call_ByRpc_OfAStream_IsRefusedAndSaysSo()
    {
        _server.Register("stock", Make("Shop.Stock"));

        var error = (await CallAsync("stock", "Stream", handle: "")).Error;

        Assert.Equal("stock.Stream returns a stream of items, which cannot be called in this way.", error.Message);
    }

    [Fact]
    public async Task HealthCheck_Answers() => Assert.True((await Service.HealthCheckAsync(new V1.HealthCheckRequest(), Headers)).Healthy);

    private async Task<V1.CallResponse> CallAsync(string actor, string method, string handle) =>
        await Service.CallAsync(new V1.CallRequest { Actor = actor, Method = method, Handle = handle }, Headers);

    private object Make(string type, params Type[] arguments)
    {
        var found = BuiltSource.LoadDocumented(Shop, _directory.Path).GetType(type)!;
        return Activator.CreateInstance(arguments.Length == 0 ? found : found.MakeGenericType(arguments))!;
    }
}
