using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Actors in jobs, found by their names (seed 001, stages 4, 5 and 8; seed 003, stages 6 and 7), on every backend.</summary>
public abstract class ActorScenarioTests(ScenarioBackend backend)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    // Another one for each test and each run: the backend is shared.
    private readonly string _name = "actor-" + Guid.NewGuid().ToString("N")[..8];

    public interface IMember
    {
        Task<string> Where();

        Task<int> Add(int number);
    }

    private IClusterController Client => backend.Client;

    // test_cluster_resolver_finds_endpoint, test_cluster_resolver_missing_endpoint
    [Fact]
    public async Task Resolver_FindsWhatIsRegistered_AndNothingElse()
    {
        await using var registration = await Client.EndpointRegistry.OpenRegistrationAsync();
        var endpoint = await registration.RegisterAsync(_name, "10.0.0.1:8080", new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" });

        var found = await Client.Resolver().ResolveAsync(_name);

        Assert.Equal((endpoint.Id.ToString(), "http://10.0.0.1:8080", "b"), (found.First().Id, found.First().Address, found.First().Metadata["a"]));
        Assert.Single(found.Endpoints);
        Assert.True((await Client.Resolver().ResolveAsync(_name[..^1])).IsEmpty);
        Assert.True((await Client.Resolver(Namespace.Parse("another")).ResolveAsync(_name)).IsEmpty);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Server_InAJob_RegistersItselfAndIsCalled_UntilTheJobEnds(bool hasPort)
    {
        var name = _name;
        var job = await Client.SubmitAsync((CancellationToken stopping) => ServeAsync(name, stopping), new JobOptions { Ports = hasPort ? ["actor"] : [] });
        using var client = new ActorClient<IMember>(Client.Resolver(), name, options: new ActorCallOptions { Timeout = s_patience });

        Assert.Equal($"{job.Id} 0", await client.Actor.Where());
        Assert.Equal(5, await client.Actor.Add(5));

        var endpoint = Assert.Single((await Client.Resolver().ResolveAsync(name)).Endpoints);
        Assert.Equal("blue", endpoint.Metadata["color"]);
        Assert.True(Guid.TryParseExact(endpoint.Metadata["handle"], "N", out _));
        await job.TerminateAsync();
        await job.WaitAsync(s_patience);
        Assert.True((await Client.Resolver().ResolveAsync(name)).IsEmpty);
    }

    [Fact]
    public async Task Server_RegistersAndRemovesWhileItRuns_CallersFollow()
    {
        var name = _name;
        var job = await Client.SubmitAsync(async (CancellationToken stopping) =>
        {
            await using var server = new ActorServer();
            server.Register("control-" + name, new Control(server, name));
            await server.StartAsync(stopping);
            await server.RunAsync(stopping);
        });
        var options = new ActorCallOptions { Timeout = s_patience };
        using var control = new ActorClient<IControl>(Client.Resolver(), "control-" + name, options: options);
        using var client = new ActorClient<IMember>(Client.Resolver(), name, options: options);

        await control.Actor.Put(10);
        Assert.Equal(11, await client.Actor.Add(1));
        var first = (await Client.Resolver().ResolveAsync(name)).First();
        await control.Actor.Put(20); // another object under the same name
        Assert.Equal(21, await client.Actor.Add(1));
        Assert.NotEqual(first.Metadata["handle"], (await Client.Resolver().ResolveAsync(name)).First().Metadata["handle"]);
        await control.Actor.Take();
        Assert.True((await Client.Resolver().ResolveAsync(name)).IsEmpty);
        await job.TerminateAsync();
    }

    [Fact]
    public async Task Pool_OverReplicas_TakesTurnsAndBroadcasts()
    {
        var name = _name;
        var job = await Client.SubmitAsync((CancellationToken stopping) => ServeAsync(name, stopping), new JobOptions { Replicas = 3, Ports = ["actor"] });
        using var pool = new ActorPool<IMember>(Client.Resolver(), name);
        await pool.WaitForSizeAsync(3);

        var turns = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            turns.Add(await pool.Call().Where());
        }

        Assert.Equal([$"{job.Id} 0", $"{job.Id} 1", $"{job.Id} 2"], turns.Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(turns.Take(3), turns.Skip(3));
        var all = await pool.Broadcast(member => member.Add(7)).WaitAllAsync(s_patience);
        Assert.All(all, result => Assert.Equal((true, 7), (result.Success, result.Value)));
        Assert.Equal(3, all.Select(result => result.Endpoint.Id).Distinct().Count());
        await job.TerminateAsync();
        await Eventually.True(() => pool.Size == 0, "the pool sees its members go");
        var error = await Assert.ThrowsAsync<ClusterException>(() => pool.Call().Where());
        Assert.StartsWith($"The pool of '{name}' is empty", error.Message, StringComparison.Ordinal);
    }

    // An actor calls another one through its own context (seed 001, stage 8, example 2).
    [Fact]
    public async Task Actor_CallsAnotherThroughItsContext()
    {
        var name = _name;
        var target = await Client.SubmitAsync((CancellationToken stopping) => ServeAsync(name, stopping), new JobOptions { Ports = ["actor"] });
        var caller = await Client.SubmitAsync(async () =>
        {
            using var client = new ActorClient<IMember>(FlusterContext.Current.Resolver, name);
            return await client.Actor.Add(2) + await client.Actor.Add(3);
        });

        Assert.Equal(7, await caller.ResultAsync(s_patience));
        await target.TerminateAsync();
    }

    private static async Task ServeAsync(string name, CancellationToken stopping)
    {
        await using var server = new ActorServer();
        server.Register(name, new Member(0), new ActorOptions { Metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["color"] = "blue" } });
        await server.RunAsync(stopping);
    }

    public interface IControl
    {
        Task Put(int start);

        Task Take();
    }

    private sealed class Member(int start) : IMember
    {
        private int _sum = start;

        public Task<string> Where() => Task.FromResult($"{FlusterContext.Current.JobId} {FlusterContext.Current.TaskIndex}");

        public Task<int> Add(int number) => Task.FromResult(_sum += number);
    }

    private sealed class Control(ActorServer server, string name) : IControl
    {
        public async Task Put(int start)
        {
            await server.RemoveAsync(name);
            await server.RegisterAsync(name, new Member(start));
        }

        public async Task Take() => await server.RemoveAsync(name);
    }
}
