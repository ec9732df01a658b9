using System.Collections.Immutable;
using System.Linq.Expressions;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What cannot travel is refused at submit, by the variable's name and type, and nothing is lost silently.</summary>
public class RefusedCapturesTests
{
    [Fact]
    public void FileStream_IsRefusedByName()
    {
        using var file = File.OpenRead(typeof(RefusedCapturesTests).Assembly.Location);

        var error = Refused(() => file.Length);

        Assert.StartsWith("The captured variable 'file' is a System.IO.FileStream, which cannot travel: ", error, StringComparison.Ordinal);
        Assert.Contains("send the path", error, StringComparison.Ordinal);
    }

    [Fact]
    public void LiveObjects_AreRefusedByName()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using var source = new CancellationTokenSource();
        using var gate = new SemaphoreSlim(1);
        using var http = new HttpClient();
        using var reader = new StringReader("x");
        var token = source.Token;
        var thread = Thread.CurrentThread;
        var task = Task.FromResult(5);
        var pointer = (nint)5;
        var type = typeof(string);
        var exception = new InvalidOperationException();
        Func<int> function = () => 5;
        Expression<Func<int>> expression = () => 5;
        IClusterController cluster = new FlusterClient(new FlusterClientOptions { Address = "http://127.0.0.1:1" });
        var lazy = new Lazy<int>(() => 5);
        var random = new Random(5);
        var builder = new System.Text.StringBuilder("x");

        AssertRefused(() => socket.Available, "socket", "System.Net.Sockets.Socket", "belongs to this process");
        AssertRefused(() => source.IsCancellationRequested, "source", "System.Threading.CancellationTokenSource", "CancellationToken parameter");
        AssertRefused(() => token.IsCancellationRequested, "token", "System.Threading.CancellationToken", "CancellationToken parameter");
        AssertRefused(() => gate.CurrentCount, "gate", "System.Threading.SemaphoreSlim", "lose its state");
        AssertRefused(() => http.BaseAddress, "http", "System.Net.Http.HttpClient", "lose its state");
        AssertRefused(() => reader.Peek(), "reader", "System.IO.StringReader", "send the path or the text");
        AssertRefused(() => thread.ManagedThreadId, "thread", "System.Threading.Thread", "belongs to this process");
        AssertRefused(() => task.Result, "task", "Task", "await it");
        AssertRefused(() => (pointer + 1).ToString(), "pointer", "System.IntPtr", "address");
        AssertRefused(() => type.Name, "type", "System.RuntimeType", "send its name");
        AssertRefused(() => exception.Message, "exception", "System.InvalidOperationException", "exceptions do not travel");
        AssertRefused(() => function(), "function", "System.Func<System.Int32>", "delegate");
        AssertRefused(() => expression.Body.ToString(), "expression", "Expression", "code does not travel");
        AssertRefused(() => cluster.Address, "cluster", "Fluster.Cluster.FlusterClient", "FlusterContext.Current.Controller");
        AssertRefused(() => lazy.Value, "lazy", "System.Lazy<System.Int32>", "send its results");
        AssertRefused(() => random.Next(), "random", "System.Random", "lose its state");
        AssertRefused(() => builder.Length, "builder", "System.Text.StringBuilder", "lose its state");
    }

    [Fact]
    public void WhatJsonWouldLose_IsRefusedByName()
    {
        object anything = 5;
        Animal animal = new Dog { Name = "Rex", Tricks = 3 };
        IComparable comparable = 5;
        var dictionary = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { ["A"] = 1 };
        var set = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "A" };
        IReadOnlyDictionary<string, int> sorted = new SortedDictionary<string, int>(StringComparer.Ordinal) { ["A"] = 1 };
        var stack = new Stack<int>([1, 2]);
        var grid = new int[2, 2];
        var keyed = new Dictionary<Dog, int> { [new Dog { Name = "Rex" }] = 1 };
        var derived = new MyList { 1, 2 };
        var forgetful = new Forgetful { Secret = 7 };
        var half = "half \ud83d";
        var queue = new PriorityQueue<int, int>();
        var big = System.Numerics.BigInteger.One;

        AssertRefused(() => anything.ToString(), "anything", "System.Int32", "declare the variable");
        AssertRefused(() => animal.Name, "animal", "Dog", "declare it as Dog");
        AssertRefused(() => comparable.CompareTo(5), "comparable", "System.Int32", "abstract type");
        AssertRefused(() => dictionary.Count, "dictionary", "System.Collections.Generic.Dictionary<System.String, System.Int32>", "comparer would be lost");
        AssertRefused(() => set.Count, "set", "System.Collections.Generic.HashSet<System.String>", "comparer would be lost");
        AssertRefused(() => sorted.Count, "sorted", "System.Collections.Generic.SortedDictionary<System.String, System.Int32>", "declare it as");
        AssertRefused(() => stack.Count, "stack", "System.Collections.Generic.Stack<System.Int32>", "upside down");
        AssertRefused(() => grid.Length, "grid", "System.Int32[,]", "array of arrays");
        AssertRefused(() => keyed.Count, "keyed", "Dictionary", "its keys are");
        AssertRefused(() => derived.Count, "derived", "MyList", "derives from System.Collections.Generic.List<System.Int32>");
        AssertRefused(() => forgetful.Secret, "forgetful", "Forgetful", "JSON attributes lose");
        AssertRefused(() => half.Length, "half", "System.String", "surrogate");
        AssertRefused(() => queue.Count, "queue", "PriorityQueue", "lose its state");
        AssertRefused(() => big.IsZero, "big", "System.Numerics.BigInteger", "lose its state");
    }

    [Fact]
    public void DeepInside_IsRefusedWithThePath()
    {
        using var stream = new MemoryStream();
        var job = new Job { Sources = [new Source("a", null), new Source("b", stream)] };
        var loop = new Node { Name = "loop" };
        loop.Next = loop;

        Assert.StartsWith("The captured variable 'job' cannot travel: job.Sources[1].Data is a System.IO.MemoryStream; ", Refused(() => job.Sources.Count), StringComparison.Ordinal);
        Assert.Contains("loop.Next is a Fluster.Tests.RefusedCapturesTests.Node; it contains itself", Refused(() => loop.Name), StringComparison.Ordinal);
    }

    [Fact]
    public void This_OfAnObjectThatCannotTravel_IsRefused()
    {
        using var holder = new Holder();

        var error = holder.SubmitError();

        Assert.StartsWith("The captured variable 'this' cannot travel: this._file is a System.IO.MemoryStream;", error, StringComparison.Ordinal);
    }

    [Fact]
    public void This_OfABaseClassMethod_IsRefusedForADerivedObject() =>
        Assert.Contains("Derived", Assert.Throws<JobRequestException>(() => InvocationWriter.Write(new Derived { Extra = 5 }.Describe, [])).Message, StringComparison.Ordinal);

    [Fact]
    public void Nothing_TravelsAsNothing()
    {
        FileStream? file = null;
        object? anything = null;

        Assert.NotEmpty(InvocationWriter.Write(() => (file, anything).ToString(), []));
    }

    [Fact]
    public void Arguments_AreCheckedLikeCaptures()
    {
        using var stream = new MemoryStream();

        Assert.StartsWith("The argument 'input' is a System.IO.MemoryStream, which cannot travel: ", Refused(Read, stream), StringComparison.Ordinal);
        Assert.Contains("takes 1 (input), and 2 were given", Refused(Read, stream, 5), StringComparison.Ordinal);
        Assert.Contains("'input' of RefusedCapturesTests.Read is a System.IO.Stream, and a System.Int32 was given", Refused(Read, 5), StringComparison.Ordinal);
    }

    [Fact]
    public void Result_ThatCanNeverTravel_IsRefusedAtSubmit()
    {
        Assert.Contains("returns a System.IO.Stream, which cannot travel", Refused(() => Stream.Null), StringComparison.Ordinal);
        Assert.Contains("returns a System.Collections.Generic.IAsyncEnumerable<System.Int32>", Refused(IAsyncEnumerable<int> () => null!), StringComparison.Ordinal);
    }

    [Fact]
    public void Arguments_Over4MiB_AreRefusedNamingTheLargest()
    {
        var small = 5;
        var data = new string('x', 5 << 20);

        var error = Refused(() => data.Length + small);

        Assert.Contains("4 MiB", error, StringComparison.Ordinal);
        Assert.Contains("'data' alone has 5,242,882", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Delegates_ThatAreNoMethodOfTheProgram_AreRefused()
    {
        Action one = () => Console.Write(1);
        Expression<Func<int>> expression = () => 5;

        Assert.Contains("calls several methods", Refused(one + (() => Console.Write(2))), StringComparison.Ordinal);
        Assert.Contains("made at run time", Refused(expression.Compile()), StringComparison.Ordinal);
    }

    public static IEnumerable<object[]> Values() =>
    [
        [5], [-5L], [true], ['x'], [1.5f], [double.NegativeInfinity], [0.1m], ["text"], [Guid.NewGuid()], [DayOfWeek.Friday], [new DateTimeOffset(2026, 8, 1, 1, 2, 3, TimeSpan.FromHours(2))],
        [TimeSpan.FromTicks(123)], [new Uri("http://x/y?z")], [new Version(1, 2, 3)], [new byte[] { 1, 2 }], [new[] { 1, 2 }], [new List<string?> { "a", null }],
        [new Dictionary<int, string> { [1] = "a" }], [ImmutableArray.Create(1, 2)], [new Queue<int>([1, 2])], [new HashSet<int> { 3 }], [new SortedDictionary<int, int> { [1] = 2 }],
        [(1, "two", (3.0, 'f'))], [Tuple.Create(1, "two")], [KeyValuePair.Create("k", 1)], [new { A = 1, B = new[] { "x" } }], [new Dog { Name = "Rex", Tricks = 3 }], [JsonSerializer.SerializeToElement(new { A = 1 })],
        [Int128.MaxValue], [new ComplexLike(1, 2)], [new Tagged("t") { Kept = 1 }],
    ];

    [Theory]
    [MemberData(nameof(Values))]
    public void Values_ThatTravel_ArriveTheSame(object value)
    {
        Assert.Null(TravelCheck.Find(value, value.GetType()));

        var json = PayloadJson.Write(value, value.GetType());
        var reader = new Utf8JsonReader(json);
        reader.Read();
        var back = PayloadJson.Read(ref reader, value.GetType())!;

        Assert.IsType(value.GetType(), back);
        Assert.Equal(System.Text.Encoding.UTF8.GetString(json), System.Text.Encoding.UTF8.GetString(PayloadJson.Write(back, value.GetType())));
        if (value is not JsonElement)
        {
            Assert.Equivalent(value, back, strict: true);
        }
    }

    [Fact]
    public void PrivateState_OfBothClasses_ArrivesUnderItsOwnName()
    {
        var value = new Derived { Extra = 5 };
        value.Add(3);

        var back = PayloadJson.Read<Derived>(PayloadJson.Write(value, typeof(Derived)));

        Assert.Equal((5, 3, 30), (back.Extra, back.Sum, back.BaseSum));
    }

    private static string Refused(Delegate method, params IReadOnlyList<object?> arguments) => Assert.Throws<JobRequestException>(() => InvocationWriter.Write(method, arguments)).Message;

    private static void AssertRefused(Delegate method, string variable, string type, string reason)
    {
        var error = Refused(method);
        Assert.StartsWith($"The captured variable '{variable}' is a ", error, StringComparison.Ordinal);
        Assert.Contains(type, error, StringComparison.Ordinal);
        Assert.Contains(reason, error, StringComparison.Ordinal);
    }

    private static long Read(Stream input) => input.Length;

    private class Animal
    {
        public string Name { get; init; } = "";
    }

    private sealed class Dog : Animal
    {
        public int Tricks { get; init; }
    }

    private sealed class MyList : List<int>;

    private sealed class Node
    {
        public string Name { get; init; } = "";

        public Node? Next { get; set; }
    }

    private sealed record Source(string Name, Stream? Data);

    private sealed class Job
    {
        public IReadOnlyList<Source> Sources { get; init; } = [];
    }

    private sealed class Forgetful
    {
        [JsonConverter(typeof(ZeroConverter))]
        public int Secret { get; init; }
    }

    private sealed class ZeroConverter : JsonConverter<int>
    {
        public override int Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => 0;

        public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
    }

    private sealed class Tagged(string tag)
    {
        [JsonPropertyName("kept")]
        public int Kept { get; init; }

        public string Tag => tag;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct ComplexLike(double real, double imaginary)
    {
        public double Real { get; } = real;

        public double Imaginary { get; } = imaginary;
    }

    private class Base
    {
        private int _sum;

        public int BaseSum => _sum;

        public void AddToBase(int number) => _sum += number;

        public string Describe() => $"{_sum}";
    }

    private sealed class Derived : Base
    {
        private int _sum;

        public int Extra { get; init; }

        public int Sum => _sum;

        public void Add(int number)
        {
            _sum += number;
            AddToBase(number * 10);
        }
    }

    private sealed class Holder : IDisposable
    {
        private readonly MemoryStream _file = new();

        public string SubmitError() => Refused(() => _file.Length);

        public void Dispose() => _file.Dispose();
    }
}
