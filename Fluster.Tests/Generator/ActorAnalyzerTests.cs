using Microsoft.CodeAnalysis;

namespace Fluster.Tests;

/// <summary>What cannot work is said when a program is built, where it stands.</summary>
public class ActorAnalyzerTests
{
    [Theory]
    [InlineData("int Size { get; }", "FLA001", "Size", "IShop.Size is a property: only methods can be called on an actor")]
    [InlineData("int this[int i] { get; }", "FLA001", "this", "is a property")]
    [InlineData("event Action Changed;", "FLA001", "Changed", "IShop.Changed is an event")]
    [InlineData("Task<T> Get<T>();", "FLA002", "Get", "IShop.Get is generic: an actor's methods have fixed types")]
    [InlineData("Task Get(ref int a);", "FLA003", "Get", "IShop.Get has a parameter that refers to memory (ref, out or span): arguments travel as copies")]
    [InlineData("Task Get(out int a);", "FLA003", "Get", "arguments travel as copies")]
    [InlineData("Task Get(in int a);", "FLA003", "Get", "arguments travel as copies")]
    [InlineData("Task Get(ReadOnlySpan<byte> a);", "FLA003", "Get", "arguments travel as copies")]
    [InlineData("unsafe Task Get(int* a);", "FLA003", "Get", "arguments travel as copies")]
    [InlineData("Span<int> Get();", "FLA004", "Get", "IShop.Get returns Span<int>, which cannot be sent")]
    [InlineData("ref int Get();", "FLA004", "Get", "which cannot be sent")]
    [InlineData("unsafe int* Get();", "FLA004", "Get", "which cannot be sent")]
    [InlineData("Task Get(Stream a);", "FLA005", "a", "IShop.Get takes Stream, which cannot be sent: send its bytes")]
    [InlineData("Task Get(FileStream a);", "FLA005", "a", "IShop.Get takes FileStream")]
    [InlineData("Task Get(Task a);", "FLA005", "a", "send its result")]
    [InlineData("Task Get(List<ValueTask<int>> a);", "FLA005", "a", "takes ValueTask<int>")]
    [InlineData("Task Get(Func<int> a);", "FLA005", "a", "takes Func<int>, which cannot be sent: code does not travel")]
    [InlineData("Task Get(IntPtr a);", "FLA005", "a", "takes nint")]
    [InlineData("Task Get(CancellationTokenSource a);", "FLA005", "a", "take a CancellationToken, which is wired, not sent")]
    [InlineData("Task Get(IAsyncEnumerable<int> a);", "FLA005", "a", "only a method itself returns a stream of items")]
    [InlineData("Task Get(int[,] a);", "FLA005", "a", "takes int[,]")]
    [InlineData("Task<Type> Get();", "FLA005", "Get", "IShop.Get returns Type, which cannot be sent: send its name")]
    [InlineData("Task<Dictionary<string, Action>> Get();", "FLA005", "Get", "returns Action")]
    [InlineData("Task<Task<int>> Get();", "FLA005", "Get", "returns Task<int>")]
    [InlineData("IAsyncEnumerable<Stream> Get();", "FLA005", "Get", "returns Stream")]
    [InlineData("Task Get(int a); Task Get(string a);", "FLA006", "Get", "IShop.Get takes as many arguments as another method of that name: a call tells them apart only by their number", 2)]
    [InlineData("Task Get(int a, CancellationToken t); Task Get(string a);", "FLA006", "Get", "by their number", 2)]
    public async Task InterfaceOfClients_WithWhatCannotWork_IsAnError(string members, string id, string at, string message, int count = 1)
    {
        var said = await BuiltSource.AnalyzeAsync($"public interface IShop {{ {members} }} class U {{ ActorClient<IShop>? _one; ActorClient<IShop>? _two; }}");

        var errors = said.Where(one => one.Severity == DiagnosticSeverity.Error).ToList();
        Assert.Equal(count, errors.Count); // once, however often it is used
        Assert.All(errors, one => Assert.Equal((id, at), (one.Id, one.At)));
        Assert.Contains(message, errors[0].Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Task Get();")]
    [InlineData("Task<int> Get(int a, string? b = null, CancellationToken cancellationToken = default);")]
    [InlineData("ValueTask<byte[]> Get(ReadOnlyMemory<byte> a, int?[] b);")]
    [InlineData("IAsyncEnumerable<(int, string)> Get(CancellationToken cancellationToken);")]
    [InlineData("Task Get(); Task Get(int a); Task Get(int a, int b, CancellationToken cancellationToken);")]
    [InlineData("Task<object?> Get(object? a, Exception? b);")]
    [InlineData("static int Size => 1; static T Make<T>() => default!;")]
    [InlineData("Task<int> Get() => Task.FromResult(1);")]
    public async Task InterfaceOfClients_ThatWorks_IsPassed(string members) =>
        Assert.Empty(await BuiltSource.AnalyzeAsync($"public interface IShop {{ {members} }} class U {{ ActorClient<IShop>? _one; }}"));

    [Fact]
    public async Task InterfacesThatNoClientUses_AreNoneOfItsBusiness() =>
        Assert.Empty(await BuiltSource.AnalyzeAsync("public interface IShop { int Size { get; } void Get(ref int a); } public class Shop { public async void M() => await Task.Yield(); }"));

    [Fact]
    public async Task InheritedMembers_AreNamedWhereTheyStand()
    {
        var said = await BuiltSource.AnalyzeAsync("public interface IBase { int Size { get; } Task Again(); } public interface IShop : IBase { new Task Again(); } class U { ActorClient<IShop>? _one; }");

        Assert.Equal(("FLA001", "Size", "IBase.Size is a property: only methods can be called on an actor"), said.Select(one => (one.Id, one.At, one.Message)).Single());
    }

    [Fact]
    public async Task InterfaceOfAnotherAssembly_IsNamedAtItsUse()
    {
        var said = await BuiltSource.AnalyzeAsync("class U { ActorClient<System.Collections.ICollection>? _one; }");

        Assert.Contains(said, one => one.Id == "FLA001" && one.At == "System.Collections.ICollection" && one.Message.StartsWith("ICollection.Count is a property", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("class U { ActorClient<string>? _one; }", "string", "string is not an interface: actors are called through an interface with their methods")]
    [InlineData("class Shop; class U { void M(string a) { using var c = new ActorClient<Shop>(a); } }", "Shop", "Shop is not an interface")]
    [InlineData("class U { ActorClient<int[]>? _one; }", "int[]", "int[] is not an interface")]
    public async Task ClientOfWhatIsNoInterface_IsAnError(string source, string at, string message)
    {
        var said = Assert.Single(await BuiltSource.AnalyzeAsync(source));

        Assert.Equal(("FLA007", DiagnosticSeverity.Error, at), (said.Id, said.Severity, said.At));
        Assert.StartsWith(message, said.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("public async void M() => await Task.Yield();", "FLA008", "M", "Shop.M is async void: its caller is answered before it has run, and what it throws ends the process; return a Task")]
    [InlineData("public void M(Action a) { }", "FLA005", "a", "Shop.M takes Action, which cannot be sent: code does not travel")]
    [InlineData("public Stream M() => Stream.Null;", "FLA005", "M", "Shop.M returns Stream")]
    [InlineData("public void M(int a) { } public void M(string a) { }", "FLA006", "M", "Shop.M takes as many arguments", 2)]
    public async Task ClassOfActors_WithWhatFailsAtTheCall_IsAWarning(string members, string id, string at, string message, int count = 1)
    {
        foreach (var source in new[] { $"[Actor] public class Shop {{ {members} }}", $"public class Shop {{ {members} }} class U {{ void M(ActorServer s) => s.Register(\"a\", new Shop()); }}" })
        {
            var said = await BuiltSource.AnalyzeAsync(source);

            Assert.Equal(count, said.Count);
            Assert.All(said, one => Assert.Equal((id, DiagnosticSeverity.Warning, at), (one.Id, one.Severity, one.At)));
            Assert.StartsWith(message, said[0].Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("public void M() { } public async Task N() => await Task.Yield(); internal void O(Stream a) { } public T P<T>(T a) => a; public void Q(ref int a) { } public int R { get; set; }")]
    [InlineData("public void M(int a) { } public void M(int a, int b) { } public void N(int a, CancellationToken b) { }")]
    public async Task ClassOfActors_ThatWorks_IsPassed(string members) => Assert.Empty(await BuiltSource.AnalyzeAsync($"[Actor] public class Shop {{ {members} }}"));

    [Theory]
    [InlineData("int Get();")]
    [InlineData("void Get();")]
    public async Task MethodOfAClientThatBlocks_IsSaidInPassing(string members)
    {
        var said = Assert.Single(await BuiltSource.AnalyzeAsync($"[Actor] public interface IShop {{ {members} }}"));

        Assert.Equal(("FLA009", DiagnosticSeverity.Info, "Get", "IShop.Get blocks the calling thread until its result is there: return a Task or a ValueTask"), (said.Id, said.Severity, said.At, said.Message));
    }
}
