using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>One actor, one client, a real connection between them (seed 001, stage 1).</summary>
public class ActorCallTests
{
    // test_basic_actor_call
    [Fact]
    public async Task Call_Methods_ReturnTheirResults()
    {
        await using var server = await Serve(new Calculator());
        using var client = new ActorClient<ICalculator>(server.Address.ToString(), "calc", server.Token);

        Assert.Equal(5, await client.Actor.Add(2, 3));
        Assert.Equal(20, client.Actor.Multiply(4, 5));
        Assert.Equal(2.5, await client.Actor.Divide(5, 2));
    }

    // test_actor_exception_propagation
    [Fact]
    public async Task Call_MethodThrows_SameExceptionIsThrownHere()
    {
        await using var server = await Serve(new Calculator());
        using var client = new ActorClient<ICalculator>(server.Address.ToString(), "calc", server.Token);

        var exception = await Assert.ThrowsAsync<DivideByZeroException>(async () => await client.Actor.Divide(1, 0));

        var origin = RemoteActorException.OriginOf(exception);
        Assert.Equal("System.DivideByZeroException", origin?.Type);
        Assert.Equal(exception.Message, origin?.Message);
        Assert.Contains("Calculator.Divide", origin!.Stack, StringComparison.Ordinal);
        Assert.Contains("Calculator.Divide", exception.StackTrace, StringComparison.Ordinal); // where it was thrown first, then here
    }

    // test_actor_context_injection
    [Fact]
    public async Task Call_ServerStartedInAJob_MethodSeesTheJobsContext()
    {
        var context = new FlusterContext { JobId = JobId.Parse("test-job-123"), Namespace = Namespace.Default };
        await using var server = new ActorServer(s_quiet);
        server.Register("ctx_actor", new ContextAwareActor());
        using (context.Enter())
        {
            await server.StartAsync();
        }

        using var client = new ActorClient<IContextAware>(server.Address.ToString(), "ctx_actor", server.Token);

        Assert.Equal("test-job-123", await client.Actor.GetJobId());
        Assert.Equal("test-job-123", await client.Actor.GetJobIdAfterAwait());
        Assert.Null(FlusterContext.CurrentOrNull);
    }

    [Fact]
    public async Task Call_ServerStartedOutsideAJob_MethodSeesNoContext()
    {
        await using var server = await Serve(new ContextAwareActor());
        using var client = new ActorClient<IContextAware>(server.Address.ToString(), token: server.Token);

        await Assert.ThrowsAsync<InvalidOperationException>(client.Actor.GetJobId);
    }

    [Fact]
    public async Task Call_ExceptionOnlyTheServerKnows_IsRemoteActorException()
    {
        await using var server = await Serve(new Thrower());
        using var client = new ActorClient<IThrower>(server.Address.ToString(), token: server.Token);

        var exception = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.ThrowWithoutMessageConstructor(7));

        Assert.Equal(ActorErrorKind.Exception, exception.Kind);
        Assert.Equal(typeof(NoMessageConstructorException).FullName, exception.Origin.Type);
        Assert.Equal("code 7", exception.Origin.Message);
        Assert.Contains(nameof(Thrower.ThrowWithoutMessageConstructor), exception.Origin.Stack, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_ExceptionOfTheUsersOwn_KeepsItsTypeAndMessage()
    {
        await using var server = await Serve(new Thrower());
        using var client = new ActorClient<IThrower>(server.Address.ToString(), token: server.Token);

        var exception = await Assert.ThrowsAsync<OwnException>(() => client.Actor.ThrowOwn("ünï ✓"));

        Assert.Equal("ünï ✓", exception.Message);
    }

    /// <summary>The words of a peer never choose a type that is no exception, nor one that changes the message.</summary>
    [Theory]
    [InlineData("System.Text.StringBuilder")]
    [InlineData("System.ObjectDisposedException")] // its one string is the object's name, not the message
    [InlineData("No.Such.Type")]
    [InlineData("System.Exception[]")]
    public void ToException_TypeThatDoesNotFit_IsRemoteActorException(string type)
    {
        var exception = ActorErrors.ToException(new CallFailure(ActorErrorKind.Exception, type, "m"), "Add", new ActorCallOptions(), CancellationToken.None);

        Assert.Equal(type, Assert.IsType<RemoteActorException>(exception).Origin.Type);
    }

    [Theory]
    [InlineData("")]
    [InlineData("calc")]
    public async Task Call_UnknownMethod_IsNotFound(string actor)
    {
        await using var server = await Serve(new Calculator());
        using var client = new ActorClient<INoSuchMethod>(server.Address.ToString(), actor, server.Token);

        var exception = await Assert.ThrowsAsync<RemoteActorException>(client.Actor.Subtract);

        Assert.Equal(ActorErrorKind.NotFound, exception.Kind);
        Assert.Equal("NotFound", exception.Origin.Type);
        Assert.Equal("Method 'Subtract' not found on actor 'calc'.", exception.Message);
    }

    [Fact]
    public async Task Call_UnknownActor_IsNotFoundAndNamesThoseThereAre()
    {
        await using var server = await Serve(new Calculator());
        using var client = new ActorClient<ICalculator>(server.Address.ToString(), "clac", server.Token);

        var exception = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Add(1, 2));

        Assert.Equal(ActorErrorKind.NotFound, exception.Kind);
        Assert.Equal("Actor 'clac' not found. This server has: calc.", exception.Message);
    }

    [Fact]
    public async Task Call_NoNameAndTwoActors_IsRefused()
    {
        await using var server = await Serve(new Calculator());
        server.Register("other", new Calculator());
        using var client = new ActorClient<ICalculator>(server.Address.ToString(), token: server.Token);

        var exception = await Assert.ThrowsAsync<RemoteActorException>(() => client.Actor.Add(1, 2));

        Assert.Equal(ActorErrorKind.NotFound, exception.Kind);
        Assert.Contains("calc, other", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Register_NameTaken_IsRefused()
    {
        await using var server = await Serve(new Calculator());

        Assert.Throws<ArgumentException>(() => server.Register("calc", new Calculator()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("nonsense")]
    [InlineData("of another server")]
    public async Task Call_WrongToken_IsRefusedAndNothingRuns(string? token)
    {
        var actor = new Calculator();
        await using var server = await Serve(actor);
        await using var other = await Serve(new Calculator());
        using var client = new ActorClient<ICalculator>(server.Address.ToString(), "calc", token == "of another server" ? other.Token : token);

        var exception = await Assert.ThrowsAsync<ClusterException>(() => client.Actor.Add(1, 2));

        Assert.Equal(ClusterError.Unauthenticated, exception.Error);
        Assert.DoesNotContain("nonsense", exception.Message, StringComparison.Ordinal);
        Assert.Equal(0, actor.Calls);
        Assert.Equal(ClusterError.Unauthenticated, (await Assert.ThrowsAsync<ClusterException>(() => client.IsHealthyAsync())).Error);
    }

    [Fact]
    public async Task IsHealthy_ServerRuns_IsTrue()
    {
        await using var server = await Serve(new Calculator());
        using var client = new ActorClient<ICalculator>(server.Address.ToString(), token: server.Token);

        Assert.True(await client.IsHealthyAsync());
    }

    [Fact]
    public async Task Call_NobodyListens_IsUnavailable()
    {
        var server = await Serve(new Calculator());
        var (address, token) = (server.Address.ToString(), server.Token);
        await server.DisposeAsync();
        using var client = new ActorClient<ICalculator>(address, "calc", token);

        var exception = await Assert.ThrowsAsync<ClusterException>(() => client.Actor.Add(1, 2));

        Assert.Equal(ClusterError.Unavailable, exception.Error);
    }

    [Fact]
    public async Task Start_OutsideAJob_ListensOnLoopbackAndAnnouncesAddressAndToken()
    {
        var announcements = new StringWriter();
        await using var server = new ActorServer(new ActorServerOptions { Announcements = announcements });
        await server.StartAsync();

        Assert.Equal("127.0.0.1", server.Address.Host);
        Assert.Equal($"Actor server at {server.Address}, token {server.Token}{Environment.NewLine}", announcements.ToString());
    }

    private static readonly ActorServerOptions s_quiet = new() { Announcements = TextWriter.Null };

    private static async Task<ActorServer> Serve(object actor)
    {
        var server = new ActorServer(s_quiet);
        server.Register("calc", actor);
        await server.StartAsync();
        return server;
    }

    public interface ICalculator
    {
        Task<int> Add(int a, int b);
        int Multiply(int a, int b);
        ValueTask<double> Divide(int a, int b);
    }

    // Not an ICalculator: any class will do, only the names and the JSON must fit.
    internal sealed class Calculator
    {
        public int Calls;

        public int Add(int a, int b)
        {
            Interlocked.Increment(ref Calls);
            return a + b;
        }

        public Task<int> Multiply(int a, int b) => Task.FromResult(a * b);

        public double Divide(int a, int b) => b == 0 ? throw new DivideByZeroException() : (double)a / b;
    }

    public interface INoSuchMethod
    {
        Task Subtract();
    }

    public interface IContextAware
    {
        Task<string> GetJobId();
        Task<string> GetJobIdAfterAwait();
    }

    private sealed class ContextAwareActor
    {
        public string GetJobId() => FlusterContext.Current.JobId.ToString();

        public async Task<string> GetJobIdAfterAwait()
        {
            await Task.Yield();
            return FlusterContext.Current.JobId.ToString();
        }
    }

    public interface IThrower
    {
        Task ThrowOwn(string message);
        Task ThrowWithoutMessageConstructor(int code);
    }

    private sealed class Thrower
    {
        public void ThrowOwn(string message) => throw new OwnException(message);

        public async Task ThrowWithoutMessageConstructor(int code)
        {
            await Task.Yield();
            throw new NoMessageConstructorException(code);
        }
    }

    public sealed class OwnException(string message) : Exception(message);

    public sealed class NoMessageConstructorException(int code) : Exception($"code {code}");
}
