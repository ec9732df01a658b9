using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fluster.Actors;

namespace Fluster.Tests;

/// <summary>What the generator says of a type to the JSON serializer is what the serializer would find out itself.</summary>
public class GeneratedTypesTests
{
    private static readonly Lazy<Assembly> s_built = new(() => BuiltSource.Load(Program));

    private static readonly JsonSerializerOptions s_reflected = new(ActorJson.Options) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    public static TheoryData<string> Described => [.. Samples().Where(sample => sample.IsDescribed).Select(sample => sample.Name)];

    public static TheoryData<string> LeftOut => [.. Samples().Where(sample => !sample.IsDescribed).Select(sample => sample.Name)];

    [Theory]
    [MemberData(nameof(Described))]
    public void Values_AreWrittenAndReadAsByReflection(string name)
    {
        var (_, type, value, _) = Find(name);
        var generated = Options(new DefaultJsonTypeInfoResolver());
        Assert.NotNull(Resolver().GetTypeInfo(type, generated));

        var expected = JsonSerializer.Serialize(value, type, s_reflected);

        Assert.Equal(expected, JsonSerializer.Serialize(value, type, generated));
        foreach (var json in Variants(expected))
        {
            Assert.Equal(ReadAndWrite(json, type, s_reflected), ReadAndWrite(json, type, generated));
        }
    }

    [Theory]
    [MemberData(nameof(LeftOut))]
    public void Types_ThatAreNotSureToComeOutTheSame_AreLeftToTheSerializer(string name)
    {
        var (_, type, value, _) = Find(name);

        Assert.Null(Resolver().GetTypeInfo(type, s_reflected));
        Assert.Equal(JsonSerializer.Serialize(value, type, s_reflected), JsonSerializer.Serialize(value, type, Options(new DefaultJsonTypeInfoResolver())));
    }

    [Fact]
    public void Types_ThatAreInUse_AreThoseOfTheGenerator()
    {
        var type = Find("Everything").Type;
        var origin = ActorJson.Options.GetTypeInfo(type);

        Assert.NotNull(Resolver().GetTypeInfo(type, ActorJson.Options));
        Assert.Null(origin.OriginatingResolver); // that of reflection says so
    }

    /// <summary>As a peer may write it: in other cases, with less, with more, twice, and what does not fit.</summary>
    private static IEnumerable<string> Variants(string json)
    {
        yield return json;
        yield return json.ToLowerInvariant();
        yield return "{}";
        yield return "[]";
        yield return "null";
        yield return "3";
        yield return "\"text\"";
        yield return json.Replace("{\"", "{\"unknown\":[{}],\"", StringComparison.Ordinal);
        yield return json.Replace(":1", ":\"1\"", StringComparison.Ordinal);
        yield return json.Replace(":\"", ":null,\"x\":\"", StringComparison.Ordinal);
        if (json.StartsWith("{\"", StringComparison.Ordinal))
        {
            yield return $"{json[..^1]},{json[1..]}";
        }
    }

    private static string ReadAndWrite(string json, Type type, JsonSerializerOptions options)
    {
        try
        {
            return JsonSerializer.Serialize(JsonSerializer.Deserialize(json, type, options), type, s_reflected);
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException or InvalidOperationException)
        {
            return $"{exception.GetType().Name}: {exception.Message}";
        }
    }

    private static IJsonTypeInfoResolver Resolver() => (IJsonTypeInfoResolver)Activator.CreateInstance(s_built.Value.GetType("Fluster.Generated.ActorTypes", throwOnError: true)!)!;

    private static JsonSerializerOptions Options(params IJsonTypeInfoResolver[] others) => new(ActorJson.Options) { TypeInfoResolver = JsonTypeInfoResolver.Combine([Resolver(), .. others]) };

    private static (string Name, Type Type, object? Value, bool IsDescribed) Find(string name) => Samples().Single(sample => sample.Name == name);

    private static IEnumerable<(string Name, Type Type, object? Value, bool IsDescribed)> Samples()
    {
        var samples = (IReadOnlyDictionary<string, object>)s_built.Value.GetType("Kept.Samples", throwOnError: true)!.GetField("All")!.GetValue(null)!;
        return s_built.Value.GetType("Kept.IKeep", throwOnError: true)!.GetMethods().Select(method => (
            method.Name, method.GetParameters()[0].ParameterType, samples.GetValueOrDefault(method.Name), method.ReturnType == typeof(Task)));
    }

    private const string Program = """"
        namespace Kept;

        using System.Text.Json.Serialization;

        // Those that return a task are described; those that return nothing are left to the serializer.
        [Actor]
        public interface IKeep
        {
            Task Int(int value);
            Task Text(string value);
            Task TextOrNull(string? value);
            Task Bool(bool value);
            Task Char(char value);
            Task Double(double value);
            Task NotANumber(double value);
            Task Float(float value);
            Task Half(Half value);
            Task Decimal(decimal value);
            Task Long(long value);
            Task UInt128(UInt128 value);
            Task Guid(Guid value);
            Task Date(DateTime value);
            Task Offset(DateTimeOffset value);
            Task Day(DateOnly value);
            Task Span(TimeSpan value);
            Task Uri(Uri value);
            Task Version(Version value);
            Task Enum(Colour value);
            Task Flags(Sides value);
            Task NullableInt(int? value);
            Task NullableEnum(Colour? value);
            Task NullablePoint(Point? value);
            Task Bytes(byte[] value);
            Task Ints(int[] value);
            Task Jagged(string?[][] value);
            Task List(List<Point> value);
            Task Dictionary(Dictionary<string, List<Person>> value);
            Task Tuple((int Number, string Text) value);
            Task Point(Point value);
            Task Person(Person value);
            Task Positional(Positional value);
            Task PositionalStruct(PositionalStruct value);
            Task ReadOnlyStruct(ReadOnlyStruct value);
            Task StructWithConstructor(StructWithConstructor value);
            Task Everything(Everything value);
            Task Derived(Derived value);
            Task Overriding(Overriding value);
            Task Required(Required value);
            Task RequiredRecord(RequiredRecord value);
            Task InitOnly(InitOnly value);
            Task InitStruct(InitStruct value);
            Task OneConstructor(OneConstructor value);
            Task TwoConstructors(TwoConstructors value);
            Task Node(Node value);
            Task Box(Box<Person> value);
            Task BoxOfBox(Box<Box<int>> value);
            Task Accessors(Accessors value);
            Task Keywords(@class value);
            Task DefaultsInConstructor(DefaultsInConstructor value);
            Task WithLeftOut(WithLeftOut value);
            Task Empty(Empty value);
            Task RequiredStruct(RequiredStruct value);
            Task NumbersInside(Measured value);

            void Named(WithName value);
            void Converted(Converted value);
            void NotBound(NotBound value);
            void Shadowing(Shadowing value);
            void TwoCases(Set value);
            void Hash(HashSet<int> value);
            void Any(object value);
            void ByNumber(Dictionary<int, string> value);
            void Interface(IReadOnlyList<int> value);
            void Abstract(Animal value);
            void GenericInit(GenericInit<int> value);
            void Fault(Fault value);
            void Numbers(Numbers value);
        }

        public enum Colour { Red, Blue = 7 }
        [Flags] public enum Sides : byte { None, Left = 1, Right = 2 }
        public struct Point { public int X; public double Y { get; set; } public readonly int Sum => X; }
        public class Person { public string Name { get; set; } = "nobody"; public int Age; public readonly int Fixed = 4; public Colour Colour { get; set; } public List<Person>? Friends { get; set; } private int Secret { get; set; } = 3; internal int Inside = 2; public static int Shared = 1; public const int Constant = 5; public int this[int i] => i; public event Action? Changed; public void Raise() => Changed?.Invoke(); }
        public sealed record Positional(int A, string B, Colour C = Colour.Blue, int? D = null) { public string Also { get; init; } = "also"; public int Computed => A * 2; }
        public record struct PositionalStruct(int A, string B);
        public readonly record struct ReadOnlyStruct(int A, string? B);
        public struct StructWithConstructor { public StructWithConstructor() { A = 5; } public StructWithConstructor(int a) => A = a; public int A { get; set; } = 1; }
        public sealed record Everything(Guid Id, DateTimeOffset At, TimeSpan For, Dictionary<string, Point?> Points, (int, string)[] Pairs, Person? Person, double[] Numbers, byte[] Raw, Node? Node, Colour[] Colours, object? Unknown, int[,]? Grid);
        public class Base { public int First { get; set; } public int BaseField; public virtual string Kind { get; set; } = "base"; }
        public class Derived : Base { public int Second { get; set; } public int DerivedField; }
        public class Overriding : Base { public override string Kind { get; set; } = "derived"; public int Third { get; set; } }
        public class Required { public required string Name { get; set; } public required int Age { get; init; } public required int Field; public int? Optional { get; set; } }
        public sealed record RequiredRecord(int A) { public required string B { get; init; } }
        public class InitOnly { public string Name { get; init; } = "unset"; public Colour? Colour { get; init; } }
        public struct InitStruct { public string Name { get; init; } public int Number { get; init; } }
        public class OneConstructor(int number, string text) { public int Number { get; } = number; public string Text { get; private set; } = text; }
        public class TwoConstructors { public TwoConstructors() { } public TwoConstructors(int number) => Number = number; public int Number { get; set; } }
        public sealed class Node { public int Value { get; set; } public Node? Next { get; set; } public Node[]? Others { get; set; } }
        public sealed class Box<T> { public T? Value { get; set; } public T[] Values { get; set; } = []; }
        public class Accessors { public int GetOnly => 1; public int PrivateSet { get; private set; } = 2; public int Both { get; set; } = 3; private int _set; public int SetOnly { set => _set = value; } public int Seen => _set; public int ProtectedGet { protected get; set; } protected int Hidden { get; set; } }
        public class @class { public int @int { get; set; } public string @event = ""; }
        public sealed record DefaultsInConstructor(int A = 5, string B = "b\"", double C = double.NaN, Colour D = Colour.Blue, decimal E = 1.5m, char F = 'x', long G = long.MinValue, Point H = default, bool I = true, float J = 0.1f, ulong K = ulong.MaxValue, Colour? L = Colour.Blue);
        public sealed class WithLeftOut { public IReadOnlyList<int>? List { get; set; } public HashSet<string>? Set { get; set; } public WithName? Named { get; set; } }
        public sealed class Empty;
        public struct RequiredStruct { public required int A { get; set; } public RequiredStruct() => B = 3; public int B { get; set; } }
        public sealed record Measured(double[] Values, List<float> More, Dictionary<string, double?> Named, (double, Half) Pair, Strict? Strict);
        [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)] public sealed class Strict { public double Value { get; set; } = 1.5; }

        public class WithName { [JsonPropertyName("other")] public int Name { get; set; } }
        public class Converted { [JsonIgnore] public int Hidden { get; set; } = 4; public int Shown { get; set; } = 5; }
        public class NotBound(int number) { public int Other { get; } = number; }
        public class Shadowing : Base { public new string First { get; set; } = "new"; }
        public class Set { public int Value { get; set; } public int value2 { get; set; } [JsonInclude] internal int Inside { get; set; } = 6; }
        public abstract class Animal { public int Legs { get; set; } }
        public sealed class Cat : Animal;
        public sealed class GenericInit<T> { public T? Value { get; init; } }
        public class Fault : Exception { public override string ToString() => ""; public override System.Collections.IDictionary Data => new Dictionary<string, string>(); }
        public class Numbers : List<int>;

        public static class Samples
        {
            private static readonly Person s_person = new() { Name = "Ann", Age = 3, Colour = Colour.Blue, Friends = [new Person { Name = "Bob" }] };
            private static readonly DateTimeOffset s_time = new(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(2));

            public static readonly IReadOnlyDictionary<string, object> All = new Dictionary<string, object>
            {
                ["Int"] = 1, ["Text"] = "a\"<ä>", ["Bool"] = true, ["Char"] = 'c', ["Double"] = 0.1, ["NotANumber"] = double.NaN, ["Float"] = 0.1f, ["Half"] = (Half)1.5, ["Decimal"] = 1.50m, ["Long"] = long.MinValue,
                ["UInt128"] = UInt128.MaxValue, ["Guid"] = System.Guid.Parse("11111111-2222-3333-4444-555555555555"), ["Date"] = s_time.UtcDateTime, ["Offset"] = s_time, ["Day"] = new DateOnly(2026, 1, 2), ["Span"] = TimeSpan.FromSeconds(1.5),
                ["Uri"] = new Uri("http://localhost/a?b=c"), ["Version"] = new Version(1, 2, 3), ["Enum"] = Colour.Blue, ["Flags"] = Sides.Left | Sides.Right, ["NullableInt"] = 1, ["NullableEnum"] = Colour.Red, ["NullablePoint"] = new Point { X = 1 },
                ["Bytes"] = new byte[] { 1, 2, 3 }, ["Ints"] = new[] { 1, 2 }, ["Jagged"] = new string?[][] { ["a", null], [] }, ["List"] = new List<Point> { new() { X = 1, Y = 2 } },
                ["Dictionary"] = new Dictionary<string, List<Person>> { ["k"] = [s_person], ["K"] = [] }, ["Tuple"] = (1, "x"), ["Point"] = new Point { X = 1, Y = double.PositiveInfinity }, ["Person"] = s_person,
                ["Positional"] = new Positional(1, "b") { Also = "x" }, ["PositionalStruct"] = new PositionalStruct(1, "b"), ["ReadOnlyStruct"] = new ReadOnlyStruct(1, null), ["StructWithConstructor"] = new StructWithConstructor(1),
                ["Everything"] = new Everything(default, s_time, TimeSpan.FromDays(1), new() { ["a"] = null, ["b"] = new Point { X = 1 } }, [(1, "x")], s_person, [double.NaN, 1], [1, 2], new Node { Value = 1 }, [Colour.Red], null, null),
                ["Derived"] = new Derived { First = 1, Second = 2, BaseField = 3, DerivedField = 4 }, ["Overriding"] = new Overriding { First = 1, Kind = "k" }, ["Required"] = new Required { Name = "n", Age = 1, Field = 2 }, ["RequiredRecord"] = new RequiredRecord(1) { B = "b" },
                ["InitOnly"] = new InitOnly { Name = "n", Colour = Colour.Blue }, ["InitStruct"] = new InitStruct { Name = "n", Number = 1 }, ["OneConstructor"] = new OneConstructor(1, "t"), ["TwoConstructors"] = new TwoConstructors(1),
                ["Node"] = new Node { Value = 1, Next = new Node { Value = 2 }, Others = [new Node()] }, ["Box"] = new Box<Person> { Value = s_person }, ["BoxOfBox"] = new Box<Box<int>> { Value = new Box<int> { Value = 1, Values = [1] } },
                ["Accessors"] = new Accessors { Both = 1, SetOnly = 1 }, ["Keywords"] = new @class { @int = 1, @event = "e" }, ["DefaultsInConstructor"] = new DefaultsInConstructor(1), ["WithLeftOut"] = new WithLeftOut(), ["Empty"] = new Empty(),
                ["RequiredStruct"] = new RequiredStruct { A = 1 }, ["NumbersInside"] = new Measured([double.NaN, 1], [float.NegativeInfinity], new() { ["a"] = double.NaN, ["b"] = null }, (double.NaN, (Half)1), new Strict()),
                ["Named"] = new WithName { Name = 1 }, ["Converted"] = new Converted(), ["NotBound"] = new NotBound(1), ["Shadowing"] = new Shadowing(), ["TwoCases"] = new Set(), ["Hash"] = new HashSet<int> { 1 }, ["Any"] = 1, ["ByNumber"] = new Dictionary<int, string> { [1] = "x" },
                ["Interface"] = new List<int> { 1 }, ["Abstract"] = new Cat(), ["GenericInit"] = new GenericInit<int> { Value = 1 }, ["Fault"] = new Fault(), ["Numbers"] = new Numbers { 1 },
            };
        }
        """";
}
