using Fluster.Actors;
using Fluster.Cluster;
using Fluster.Rpc;
using Grpc.Core;
using V1 = Fluster.Actors.V1;

namespace Fluster.Tests;

/// <summary>What a server exposes, and how calls wait, end and are cancelled.</summary>
public sealed class ActorServerTests : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ActorServer _server = new(new ActorServerOptions { Announcements = TextWriter.Null });
    private readonly List<IDisposable> _clients = [];

    [Theory]
    [InlineData("ToString")]
    [InlineData("GetHashCode")]
    [InlineData("GetType")]
    [InlineData("get_Secret")]
    [InlineData("set_Secret")]
    [InlineData("Dispose")]
    [InlineData("DisposeAsync")]
    [InlineData("Generic")]
    [InlineData("ByReference")]
    [InlineData("Hidden")]
    public void Methods_NotForCallers_AreNotExposed(string method)
    {
        using var actor = new HostedActor("a", new Exposing(), options: null, TimeProvider.System.GetUtcNow());
        var methods = actor.Dispatcher.Methods.Select(one => one.Name);

        Assert.Contains("Callable", methods);
        Assert.DoesNotContain(method, methods);
    }

    [Fact]
    public async Task Call_ValuesOfManyShapes_ArriveAsTheyWere()
    {
        var client = await Connect<IEcho>(new Echo());
        var order = new Order("A-1", [1.5m, 2.25m], new Dictionary<string, int> { ["x"] = 1 }, Colour.Blue, new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero)) { Note = null };

        var back = await client.Order(order);

        Assert.Equal(order.Id, back.Id);
        Assert.Equal(order.Prices, back.Prices);
        Assert.Equal(order.Stock, back.Stock);
        Assert.Equal(order.Colour, back.Colour);
        Assert.Equal(order.At, back.At);
        Assert.Equal([0, 255, 7], await client.Bytes([0, 255, 7]));
        Assert.Equal(long.MaxValue, await client.Long(long.MaxValue));
        Assert.Null(await client.Text(null));
        Assert.Equal("héllo \0 \"quoted\"", await client.Text("héllo \0 \"quoted\""));
        Assert.Equal(double.NaN, await client.Double(double.NaN));
        Assert.Equal((3, "three"), await client.Tuple((3, "three")));
    }

    [Fact]
    public async Task Call_DefaultsAndOverloads_AreChosenByTheNumberOfArguments()
    {
        var client = await Connect<IOverloads>(new Overloads());

        Assert.Equal("a:1", await client.Default("a"));
        Assert.Equal("a:5", await client.Default("a", 5));
        Assert.Equal("none", await client.Over());
        Assert.Equal("one 1", await client.Over(1));
        var exception = await Assert.ThrowsAsync<RemoteActorException>(() => client.Ambiguous(1));
        Assert.Equal(ActorErrorKind.InvalidArgument, exception.Kind);
        Assert.Contains("Ambiguous(int a) -> string or Ambiguous(string a) -> string", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[1]", "1 arguments do not fit: Add(int a, int b) -> int.")]
    [InlineData("[1, 2, 3]", "3 arguments do not fit: Add(int a, int b) -> int.")]
    [InlineData("[1, \"two\"]", "Argument 2 ('b') of Add(int a, int b) -> int is not a Int32")]
    [InlineData("[1, null]", "Argument 2 ('b') of Add(int a, int b) -> int is not a Int32")]
    [InlineData("{\"a\": 1, \"c\": 2}", "Add(int a, int b) -> int needs an argument 'b'.")]
    [InlineData("7", "The arguments must be a JSON array")]
    [InlineData("[1,", "The arguments are not JSON")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "The arguments are not JSON")]
    public async Task Call_ArgumentsThatDoNotFit_AreRefusedWithAReason(string arguments, string message)
    {
        var answer = await CallAsync(new Adder(), "Add", arguments);

        Assert.Equal((V1.ActorErrorKind.InvalidArgument, "InvalidArgument"), (answer.Error.Kind, answer.Error.Type));
        Assert.StartsWith(message, answer.Error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[2, 3]")]
    [InlineData("{\"b\": 3, \"a\": 2}")]
    public async Task Call_ArgumentsInOrderOrByName_Fit(string arguments)
    {
        Assert.Equal("5", (await CallAsync(new Adder(), "Add", arguments)).Value);
    }

    [Fact]
    public async Task Call_ManyAtOnce_EnterOneByOne()
    {
        var actor = new Meeting();
        var client = await Connect<IMeeting>(actor);

        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.Enter()));

        Assert.Equal(50, actor.Entered);
        Assert.Equal(1, actor.MostInside);
    }

    [Fact]
    public async Task Call_SlowActor_BlocksNeitherHealthNorOtherActors()
    {
        var slow = new Gate();
        await _server.StartAsync();
        _server.Register("slow", slow);
        _server.Register("other", new Adder());
        var (slowClient, otherClient) = (Client<IGate>("slow"), Client<IAdder>("other"));

        var waiting = slowClient.Actor.Wait(CancellationToken.None);
        await slow.Entered.WaitAsync(s_patience);

        Assert.Equal(3, await otherClient.Actor.Add(1, 2));
        Assert.True(await slowClient.IsHealthyAsync());
        Assert.False(waiting.IsCompleted);
        slow.Open();
        await waiting;
    }

    [Fact]
    public async Task Call_CallerCancels_MethodsTokenIsCancelled()
    {
        var gate = new Gate();
        var client = await Connect<IGate>(gate);
        using var cancel = new CancellationTokenSource();

        var call = client.Wait(cancel.Token);
        await gate.Entered.WaitAsync(s_patience);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await gate.Cancelled.WaitAsync(s_patience);
    }

    [Fact]
    public async Task Call_TimeoutPasses_CallerAndMethodAreTold()
    {
        var gate = new Gate();
        await _server.StartAsync();
        _server.Register("gate", gate);
        var patient = Client<IGate>("gate");
        var hasty = patient.With(new ActorCallOptions { Timeout = TimeSpan.FromMilliseconds(300) });

        var exception = await Assert.ThrowsAsync<TimeoutException>(() => hasty.Actor.Wait(CancellationToken.None));

        Assert.Contains("0.3 s", exception.Message, StringComparison.Ordinal);
        await gate.Cancelled.WaitAsync(s_patience);
        gate.Open();
        await patient.Actor.Wait(CancellationToken.None); // the actor is free again
    }

    [Fact]
    public async Task Call_CancelledWhileItWaits_NeverStarts()
    {
        var gate = new Gate();
        var client = await Connect<IGate>(gate);
        using var cancel = new CancellationTokenSource();
        var running = client.Wait(CancellationToken.None);
        await gate.Entered.WaitAsync(s_patience);
        var queued = client.Wait(cancel.Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => queued);
        gate.Open();
        await running.WaitAsync(s_patience);
        await client.Wait(CancellationToken.None).WaitAsync(s_patience);
        Assert.Equal(2, gate.Count);
    }

    [Fact]
    public async Task Stop_CallRuns_IsLetToEnd()
    {
        var gate = new Gate();
        var client = await Connect<IGate>(gate);
        var call = client.Wait(CancellationToken.None);
        await gate.Entered.WaitAsync(s_patience);

        var stop = _server.StopAsync();
        gate.Open();

        await call.WaitAsync(s_patience);
        await stop.WaitAsync(s_patience);
    }

    [Fact]
    public async Task Start_Twice_IsRefused()
    {
        await _server.StartAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => _server.StartAsync());
    }

    [Fact]
    public async Task Run_JobIsAskedToStop_Returns()
    {
        using var stopping = new CancellationTokenSource();
        var context = new FlusterContext { JobId = JobId.Parse("job-1"), Namespace = Namespace.Default, Stopping = stopping.Token };
        Task run;
        using (context.Enter())
        {
            run = _server.RunAsync();
        }

        Assert.False(run.IsCompleted);
        await stopping.CancelAsync();
        await run.WaitAsync(s_patience);
    }

    [Theory]
    [InlineData(typeof(IWithProperty), "IWithProperty.Size is a property")]
    [InlineData(typeof(IGenericMethod), "IGenericMethod.Get is generic")]
    [InlineData(typeof(IWithRef), "IWithRef.Get has a parameter that refers to memory")]
    [InlineData(typeof(Adder), "is not an interface")]
    public void Client_InterfaceThatCannotBeCalled_IsRefused(Type type, string message)
    {
        var exception = Assert.ThrowsAny<Exception>(() => Activator.CreateInstance(typeof(ActorClient<>).MakeGenericType(type), "http://127.0.0.1:1", "", null, null));

        Assert.Contains(message, Assert.IsType<NotSupportedException>(exception.InnerException).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_TooManyWait_RefusesMore()
    {
        var gate = new Gate();
        var client = await Connect<IGate>(gate);
        var calls = Enumerable.Range(0, ActorMailbox.Capacity + 1).Select(_ => client.Wait(CancellationToken.None)).ToList();

        var refused = await Assert.ThrowsAsync<ClusterException>(() => client.Wait(CancellationToken.None));

        Assert.Equal(ClusterError.ResourceExhausted, refused.Error);
        gate.Open();
        await Task.WhenAll(calls).WaitAsync(s_patience);
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        await _server.DisposeAsync();
    }

    private async Task<V1.CallResponse> CallAsync(object actor, string method, string arguments)
    {
        _server.Register("actor", actor);
        await _server.StartAsync();
        using var channel = RpcChannel.ForAddress(_server.Address);
        return await new V1.ActorService.ActorServiceClient(channel).CallAsync(
            new V1.CallRequest { Method = method, Arguments = arguments },
            new Metadata { { "authorization", $"Bearer {_server.Token}" }, { ProtocolVersion.Metadata, ProtocolVersion.Current } });
    }

    private async Task<T> Connect<T>(object actor)
        where T : class
    {
        _server.Register("actor", actor);
        await _server.StartAsync();
        return Client<T>("actor").Actor;
    }

    private ActorClient<T> Client<T>(string actor)
        where T : class
    {
        var client = new ActorClient<T>(_server.Address.ToString(), actor, _server.Token);
        _clients.Add(client);
        return client;
    }

    public enum Colour
    {
        Red,
        Blue,
    }

    public sealed record Order(string Id, decimal[] Prices, Dictionary<string, int> Stock, Colour Colour, DateTimeOffset At)
    {
        public string? Note { get; init; } = "set";
    }

    public interface IEcho
    {
        Task<Order> Order(Order value);
        Task<byte[]> Bytes(byte[] value);
        Task<long> Long(long value);
        Task<string?> Text(string? value);
        Task<double> Double(double value);
        Task<(int, string)> Tuple((int, string) value);
    }

    private sealed class Echo : IEcho
    {
        public Task<Order> Order(Order value) => Task.FromResult(value);
        public Task<byte[]> Bytes(byte[] value) => Task.FromResult(value);
        public Task<long> Long(long value) => Task.FromResult(value);
        public Task<string?> Text(string? value) => Task.FromResult(value);
        public Task<double> Double(double value) => Task.FromResult(value);
        public Task<(int, string)> Tuple((int, string) value) => Task.FromResult(value);
    }

    public interface IAdder
    {
        Task<int> Add(int a, int b);
    }

    private sealed class Adder
    {
        public int Add(int a, int b) => a + b;
    }

    public interface IOverloads
    {
        Task<string> Default(string text);
        Task<string> Default(string text, int number);
        Task<string> Over();
        Task<string> Over(int a);
        Task<string> Ambiguous(int a);
    }

    private sealed class Overloads
    {
        public string Default(string text, int number = 1, CancellationToken cancellationToken = default) => $"{text}:{number}";
        public string Over() => "none";
        public string Over(int a) => $"one {a}";
        public string Ambiguous(int a) => $"int {a}";
        public string Ambiguous(string a) => $"string {a}";
    }

    public interface IMeeting
    {
        Task Enter();
    }

    private sealed class Meeting
    {
        private int _inside;

        public int MostInside { get; private set; }

        public int Entered { get; private set; }

        public async Task Enter()
        {
            MostInside = Math.Max(MostInside, Interlocked.Increment(ref _inside));
            Entered++;
            await Task.Yield();
            Interlocked.Decrement(ref _inside);
        }
    }

    public interface IGate
    {
        Task Wait(CancellationToken cancellationToken);
    }

    private sealed class Gate
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public Task Entered => _entered.Task;

        public int Count => _count;

        public Task Cancelled => _cancelled.Task;

        public void Open() => _open.TrySetResult();

        public async Task Wait(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _count);
            _entered.TrySetResult();
            try
            {
                await _open.Task.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                _cancelled.TrySetResult();
                throw;
            }
        }
    }

    private sealed class Exposing : IDisposable, IAsyncDisposable
    {
        public string Secret { get; set; } = "";

        public int Callable() => 1;

        public T Generic<T>(T value) => value;

        public void ByReference(ref int value) => value++;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        internal int Hidden() => 2;
    }

    public interface IWithProperty
    {
        int Size { get; }
    }

    public interface IGenericMethod
    {
        Task<T> Get<T>(T value);
    }

    public interface IWithRef
    {
        Task Get(ref int value);
    }
}
