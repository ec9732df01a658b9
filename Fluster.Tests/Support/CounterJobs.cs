using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>A job that serves an actor, and one that calls it: what two machines of one cluster have to be able to do.</summary>
internal static class CounterJobs
{
    public interface ICounter
    {
        Task<int> Add(int value);
    }

    /// <summary>A job that serves "counter" until it is stopped.</summary>
    public static Task<JobHandle> ServeAsync(IClusterController client, ResourceSpec resources) => client.SubmitAsync(
        async (CancellationToken stopping) =>
        {
            await using var actors = new ActorServer();
            actors.Register("counter", new Counter());
            await actors.RunAsync(stopping);
        },
        new JobOptions { Name = "server", Resources = resources, Ports = [ActorServer.PortName] });

    /// <summary>A job that adds 3 to it. Its result names the caller's worker, the sum, and the address that it called.</summary>
    public static Task<JobHandle<string>> CallAsync(IClusterController client, ResourceSpec resources) => client.SubmitAsync(
        async () =>
        {
            using var counter = new ActorClient<ICounter>(FlusterContext.Current.Resolver, "counter");
            var sum = await counter.Actor.Add(3);
            return $"{FlusterContext.Current.WorkerId} {sum} {(await FlusterContext.Current.Resolver.ResolveAsync("counter")).First().Address}";
        },
        new JobOptions { Name = "caller", Resources = resources });

    private sealed class Counter : ICounter
    {
        private int _value;

        public Task<int> Add(int value) => Task.FromResult(_value += value);
    }
}
