using System.Reflection;
using Fluster.Actors;

namespace Fluster.Tests;

/// <summary>A program with the generator, and the same one without it: calls go other ways, and end in the same.</summary>
public class GeneratedCallTests
{
    private static readonly Lazy<Assembly> s_generated = new(() => BuiltSource.Load(Program));
    private static readonly Lazy<Assembly> s_plain = new(() => BuiltSource.Load(Program, generate: false));

    [Fact]
    public async Task Scenario_WithAndWithoutTheGenerator_SaysTheSame()
    {
        var generated = await RunAsync(s_generated.Value);
        var plain = await RunAsync(s_plain.Value);

        Assert.Equal(string.Join('\n', plain.Lines), string.Join('\n', generated.Lines));
        Assert.True(plain.Lines.Count > 40, $"{plain.Lines.Count} lines");
        Assert.DoesNotContain(plain.Lines, line => line.Contains("unexpected", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Proxies_AreGenerated_OrMadeAtRunTime()
    {
        Assert.Equal("Fluster.Generated", (await RunAsync(s_generated.Value)).Client.Namespace);
        Assert.NotEqual("Fluster.Generated", (await RunAsync(s_plain.Value)).Client.Namespace);
    }

    [Fact]
    public void Dispatchers_DescribeTheSameMethods()
    {
        var generated = Dispatcher(s_generated.Value);
        var plain = Dispatcher(s_plain.Value);

        Assert.Equal("Fluster.Generated", generated.GetType().Namespace);
        Assert.IsType<ReflectedDispatcher>(plain);
        Assert.Equal(Describe(plain), Describe(generated));
        Assert.Contains("AddTo(int a, int b, int c) -> int, 2 required, stream False, idempotent False", Describe(plain));
    }

    [Fact]
    public void Documentation_IsTheSummaryOfTheMethodOrOfTheInterface()
    {
        var methods = Dispatcher(s_generated.Value).Methods.Where(method => method.Name != "Over").ToDictionary(method => method.Name, method => method.Documentation, StringComparer.Ordinal);

        Assert.Equal("Adds two numbers, and c to b.", methods["AddTo"]);
        Assert.Equal("Whether it is there: true.", methods["Ping"]);
        Assert.Equal("", methods["Nothing"]);
    }

    [Fact]
    public void GeneratedFiles_AreFewAndNamedAfterTheirTypes()
    {
        var files = BuiltSource.Generate(Program).Keys.Order(StringComparer.Ordinal);

        Assert.Equal(["ActorRegistration.g.cs", "ActorTypes.g.cs", "Shop_Calc_Dispatcher.g.cs", "Shop_ICalc_Proxy.g.cs", "Shop_IPairs_System_ValueTuple_int__string___db73b991_Proxy.g.cs", "Shop_IStore_int__9402538e_Proxy.g.cs"], files);
    }

    [Fact]
    public void ThisAssembly_IsBuiltWithTheGenerator()
    {
        using var client = new ActorClient<ActorCallTests.ICalculator>("http://127.0.0.1:1");

        Assert.Equal("Fluster.Generated", client.Actor.GetType().Namespace);
    }

    [Theory]
    [InlineData("public class Outer { private interface IHidden { Task M(); } static void Use(string a) { new ActorClient<IHidden>(a).Dispose(); } }")]
    [InlineData("file interface IHidden { Task M(); } public class Outer { static void Use(string a) { new ActorClient<IHidden>(a).Dispose(); } }")]
    [InlineData("public class Outer { private class Hidden { public int M() => 1; } static void Use(ActorServer s) => s.Register(\"a\", new Hidden()); }")]
    [InlineData("public class Outer<T> where T : class { static void Use(string a) { new ActorClient<T>(a).Dispose(); } }")]
    [InlineData("public interface IGeneric<T> { Task M(T value); } public class Outer<T> { static void Use(string a) { new ActorClient<IGeneric<T>>(a).Dispose(); } }")]
    [InlineData("[Actor] public abstract class Base { public int M() => 1; }")]
    [InlineData("[Actor] public class Open<T> { public int M() => 1; }")]
    [InlineData("public class Other { public void Register(string name, object what) { } static void Use(Other o) => o.Register(\"a\", new Other()); }")]
    public async Task Types_ThatOtherFilesCannotName_ArePassedOverSilently(string source)
    {
        Assert.Empty(BuiltSource.Generate(source));
        Assert.Empty(await BuiltSource.AnalyzeAsync(source));
    }

    [Theory]
    [InlineData("public interface IA { Task M(); } class U { static void Use(IFactory f) => f.CreateClient<IA>(\"a\"); }", "IA_Proxy.g.cs")]
    [InlineData("public interface IA { Task M(); } public class A : IA { public Task M() => Task.CompletedTask; } class U { static void Use(IFactory f) => f.AddFlusterActor<IA, A>(\"a\"); }", "IA_Proxy.g.cs A_Dispatcher.g.cs")]
    [InlineData("public interface IA { Task M(); } class U { static void Use(ActorServer? s) => s?.Register(\"a\", new List<int>()); }", "System_Collections_Generic_List_int_")]
    [InlineData("[Actor(\"x\")] public interface IA { Task M(); }", "IA_Proxy.g.cs")]
    [InlineData("public interface IA { Task M(); } class U { ActorClient<IA>? _field; }", "IA_Proxy.g.cs")]
    public void EveryUse_IsFound(string source, string files)
    {
        var factory = "public interface IFactory { T CreateClient<T>(string name) where T : class; void AddFlusterActor<TI, T>(string name); }";
        var names = Names(BuiltSource.Driver().RunGenerators(BuiltSource.Compile(source, factory).WithAssemblyName("Fluster.Extra")).GetRunResult());

        Assert.All(files.Split(' '), file => Assert.Contains(names, name => name.StartsWith(file, StringComparison.Ordinal)));
    }

    private static List<string> Names(Microsoft.CodeAnalysis.GeneratorDriverRunResult result) => [.. result.Results.Single().GeneratedSources.Select(file => file.HintName)];

    private static async Task<(IReadOnlyList<string> Lines, Type Client)> RunAsync(Assembly program)
    {
        using var actors = new ActorTable(TimeProvider.System);
        actors.Add("calc", Activator.CreateInstance(program.GetType("Shop.Calc", throwOnError: true)!)!, options: null);
        var server = LocalServers.Open(actors);
        try
        {
            var run = program.GetType("Shop.Scenario", throwOnError: true)!.GetMethod("RunAsync")!;
            var (lines, client) = await (Task<(IReadOnlyList<string>, Type)>)run.Invoke(null, [server.Address.ToString()])!;
            return ([.. lines.Select(line => line.Replace(server.Address.ToString(), "the server", StringComparison.Ordinal))], client);
        }
        finally
        {
            LocalServers.Close(server);
        }
    }

    private static ActorDispatcher Dispatcher(Assembly program) => ActorGenerated.DispatcherOf(program.GetType("Shop.Calc", throwOnError: true)!);

    private static IEnumerable<string> Describe(ActorDispatcher dispatcher) => dispatcher.Methods
        .Select(method => $"{method}, {method.Required} required, stream {method.IsStream}, idempotent {method.IsIdempotent}")
        .Order(StringComparer.Ordinal);

    private const string Program = """"
        namespace Shop;

        public enum Colour { Red, Blue }
        public sealed record Order(string Id, decimal[] Prices, Dictionary<string, int> Stock, Colour Colour, DateTimeOffset At) { public string? Note { get; init; } = "set"; }
        public struct Point { public int X; public double Y { get; set; } }
        public sealed class Unwritable { public Type Type { get; set; } = typeof(int); }

        public interface IBase
        {
            /** <summary>Whether it is there: <see langword="true"/>.</summary> */
            Task<bool> Ping();
            Task<string> Same();
        }
        [Idempotent] public interface IStore<T> { Task<T?> Get(string key); Task Put(string key, T value); }

        public interface IPairs<T> { Task<T> Pair(T value); }
        public interface ICalc : IBase, IStore<Order>, IPairs<(int Left, string? Right)>
        {
            int Add(int a, int b);
            int AddTo(int a, int b, int c = 5, CancellationToken cancellationToken = default);
            void Nothing();
            Task Later();
            ValueTask LaterStill();
            ValueTask<string?> Text(string? value);
            Task<(int, string)> Tuple((int Number, string Text) value);
            Task<Order?> Order(Order? value);
            Task<Point> Point(Point value);
            Task<int[]> Numbers(int[] values);
            Task<byte[]> Bytes(ReadOnlyMemory<byte> value);
            Task<int?> Maybe(int? value, Colour? colour);
            Task<double> Double(double value);
            IAsyncEnumerable<int> Count(int to);
            IAsyncEnumerable<Order> Endless(string id, CancellationToken cancellationToken = default);
            Task Wait(CancellationToken cancellationToken);
            Task<int> Throw(string message);
            Task<Unwritable> Bad();
            Task<string> Defaults(string text, bool yes = true, char letter = '\'', string quoted = "a\"b", double half = 0.5, Colour colour = Colour.Blue, decimal price = 1.25m, int? none = null, long big = long.MinValue);
            Task<string> @class(int @int, string call, string invoker);
            Task<string> Over();
            Task<string> Over(int a);
            Task<string> Over(int a, int b);
            Task<Google.Protobuf.WellKnownTypes.Duration> Protobuf(Google.Protobuf.WellKnownTypes.Duration value);
            Task<int> Renamed(int first);
            Task<string> Missing();
            Task<List<Dictionary<string, Point[]>>> Nested(List<Dictionary<string, Point[]>> value);
            Task<int> ViaInterface() => Task.FromResult(-1);
        }

        public class Animal
        {
            public virtual string Sound() => "none";
            public Task<string> Same() => Task.FromResult("base");
            public string Inherited(nint number, (int, List<string?>, int?) tuple, int[][] jagged) => "";
        }

        [Actor]
        public sealed class Calc : Animal, IBase, IDisposable
        {
            private readonly Dictionary<string, Order> _orders = new();
            /// <summary>
            /// Adds two numbers,
            /// and <paramref name="c"/> to <see cref="P:Shop.Calc.b"/>.
            /// </summary>
            public int AddTo(int a, int b, int c = 5, CancellationToken cancellationToken = default) => a + b + c;
            public int Add(int a, int b) => a + b;
            public void Nothing() { }
            public async Task Later() => await Task.Yield();
            public async ValueTask LaterStill() => await Task.Yield();
            public ValueTask<string?> Text(string? value) => new(value);
            public Task<(int, string)> Tuple((int, string) value) => Task.FromResult((value.Item1 + 1, value.Item2));
            public async Task<Order?> Order(Order? value) { await Task.Yield(); return value is null ? null : value with { Id = value.Id + "!" }; }
            public Point Point(Point value) => new() { X = value.X + 1, Y = value.Y };
            public int[] Numbers(int[] values) => [.. values.Reverse()];
            public byte[] Bytes(ReadOnlyMemory<byte> value) => value.ToArray();
            public int? Maybe(int? value, Colour? colour) => colour is null ? value : value + (int)colour;
            public double Double(double value) => value * 2;
            public async IAsyncEnumerable<int> Count(int to) { for (var i = 0; i < to; i++) { await Task.Yield(); yield return i; } }
            public async IAsyncEnumerable<Order> Endless(string id, [EnumeratorCancellation] CancellationToken cancellationToken) { for (var i = 0; ; i++) { await Task.Yield(); cancellationToken.ThrowIfCancellationRequested(); yield return Scenario.Sample(id + i); } }
            public Task Wait(CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);
            public Task<int> Throw(string message) => throw new InvalidOperationException(message);
            public Unwritable Bad() => new();
            public string Defaults(string text, bool yes = true, char letter = '\'', string quoted = "a\"b", double half = 0.5, Colour colour = Colour.Blue, decimal price = 1.25m, int? none = null, long big = long.MinValue) => $"{text} {yes} {letter} {quoted} {half} {colour} {price} {none} {big}";
            public string @class(int @int, string call, string invoker) => $"{@int}{call}{invoker}";
            public string Over() => "none";
            public string Over(int a) => "one";
            public string Over(int a, int b = 2, int c = 3) => $"more {a} {b} {c}";
            public Google.Protobuf.WellKnownTypes.Duration Protobuf(Google.Protobuf.WellKnownTypes.Duration value) => new() { Seconds = value.Seconds + 1 };
            public int Renamed(int second) => second;
            public List<Dictionary<string, Point[]>> Nested(List<Dictionary<string, Point[]>> value) => value;
            public int ViaInterface() => 1;
            public (int, string?) Pair((int, string?) value) => (value.Item1 * 2, value.Item2);
            public override string Sound() => "calc";
            public new string Same() => "own";
            Task<string> IBase.Same() => Task.FromResult("explicit");
            public Task<Order?> Get(string key) => Task.FromResult(_orders.GetValueOrDefault(key));
            public void Put(string key, Order value) => _orders[key] = value;
            /// <inheritdoc/>
            public Task<bool> Ping() => Task.FromResult(true);
            public T Generic<T>(T value) => value;
            public void Ref(ref int value) { }
            public void Span(Span<int> value) { }
            public int Property { get; set; }
            public static int Static() => 1;
            public void Dispose() { }
            internal void Hidden() { }
            public override string ToString() => "calc";
        }

        public static class Scenario
        {
            public static Order Sample(string id) => new(id, [1.5m, 2m], new() { ["a"] = 1 }, Colour.Blue, DateTimeOffset.UnixEpoch);

            public static async Task<(IReadOnlyList<string>, Type)> RunAsync(string address)
            {
                using var client = new ActorClient<ICalc>(address, "calc");
                using var pairs = new ActorClient<IPairs<(int, string?)>>(address, "calc");
                using var ints = new ActorClient<IStore<int>>(address, "calc");
                var said = new List<string>();
                var actor = client.Actor;
                await Say("add", () => Task.FromResult(actor.Add(2, 3)));
                await Say("blocking", () => Task.FromResult(actor.AddTo(1, 2)));
                await Say("blocking with token", () => Task.FromResult(actor.AddTo(1, 2, 3, CancellationToken.None)));
                await Say("void", () => { actor.Nothing(); return Task.FromResult(0); });
                await Say("task", async () => { await actor.Later(); return 0; });
                await Say("value task", async () => { await actor.LaterStill(); return 0; });
                await Say("text", async () => await actor.Text("ä\"\u0000"));
                await Say("null text", async () => await actor.Text(null) ?? "null");
                await Say("tuple", () => actor.Tuple((1, "x")));
                await Say("order", async () => Show(await actor.Order(Sample("o"))));
                await Say("null order", async () => Show(await actor.Order(null)));
                await Say("point", async () => { var point = await actor.Point(new Point { X = 1, Y = double.NaN }); return $"{point.X} {point.Y}"; });
                await Say("numbers", async () => string.Join(",", await actor.Numbers([1, 2, 3])));
                await Say("null numbers", async () => string.Join(",", await actor.Numbers(null!)));
                await Say("bytes", async () => string.Join(",", await actor.Bytes(new byte[] { 1, 2 })));
                await Say("maybe", () => actor.Maybe(1, Colour.Blue));
                await Say("maybe null", () => actor.Maybe(null, null));
                foreach (var number in new[] { 0.1, double.NaN, double.PositiveInfinity, -0.0, double.Epsilon }) await Say("double", () => actor.Double(number));
                await Say("count", async () => string.Join(",", await ListAsync(actor.Count(40))));
                var twice = actor.Count(3);
                await Say("first reading", async () => string.Join(",", await ListAsync(twice)));
                await Say("second reading", async () => string.Join(",", await ListAsync(twice)));
                await Say("left early", async () => { await foreach (var item in actor.Endless("e")) { if (item.Id == "e5") return Show(item); } return "unexpected end"; });
                await Say("cancelled reader", async () => { using var stop = new CancellationTokenSource(); await foreach (var item in actor.Endless("e").WithCancellation(stop.Token)) { if (item.Id == "e3") stop.Cancel(); } return "unexpected end"; });
                await Say("cancelled method", async () => { using var stop = new CancellationTokenSource(); await foreach (var item in actor.Endless("e", stop.Token)) { if (item.Id == "e3") stop.Cancel(); } return "unexpected end"; });
                await Say("cancelled call", async () => { using var stop = new CancellationTokenSource(20); await actor.Wait(stop.Token); return "unexpected end"; });
                await Say("throws", () => actor.Throw("on purpose"));
                await Say("unwritable", async () => $"{await actor.Bad()} unexpected");
                await Say("defaults", () => actor.Defaults("d"));
                await Say("some defaults", () => actor.Defaults("d", false, 'x', price: 2m, none: 4));
                await Say("keywords", () => actor.@class(1, "call", "invoker"));
                await Say("over none", () => actor.Over());
                await Say("over one", () => actor.Over(1));
                await Say("over two", () => actor.Over(1, 5));
                await Say("protobuf", async () => (await actor.Protobuf(new() { Seconds = 3 })).Seconds);
                await Say("renamed", () => actor.Renamed(3));
                await Say("missing", () => actor.Missing());
                await Say("nested", async () => (await actor.Nested([new() { ["k"] = [new Point { X = 3 }] }]))[0]["k"][0].X);
                await Say("default of the interface", () => actor.ViaInterface());
                await Say("pair", async () => { var (left, right) = await actor.Pair((4, null)); return $"{left} {right ?? "null"}"; });
                await Say("pair of its own", async () => (await pairs.Actor.Pair((4, "x"))).Item1);
                await Say("inherited", () => actor.Ping());
                await Say("declared anew", () => actor.Same());
                await Say("put", async () => { await actor.Put("k", Sample("kept")); return Show(await actor.Get("k")); });
                await Say("wrong type", async () => await ints.Actor.Get("k"));
                await Say("wrong argument", async () => { await ints.Actor.Put("k", 5); return "unexpected"; });
                await Say("untyped null", async () => Show(await actor.Get(null!)));
                return (said, actor.GetType());

                async Task Say<T>(string what, Func<Task<T>> act)
                {
                    try { said.Add($"{what}: {await act()}"); }
                    catch (OperationCanceledException) { said.Add($"{what}: cancelled"); } // the caller's own, or the method's, whichever is first
                    catch (Exception exception) { said.Add($"{what}: {exception.GetType().Name} {exception.Message}"); }
                }
            }

            private static string Show(Order? order) => order is null ? "null" : $"{order} [{string.Join(" ", order.Prices)}] [{string.Join(" ", order.Stock)}]".Replace("System.Decimal[]", "").Replace("System.Collections.Generic.Dictionary`2[System.String,System.Int32]", "");

            private static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> items)
            {
                var all = new List<T>();
                await foreach (var item in items) all.Add(item);
                return all;
            }
        }
        """";
}
