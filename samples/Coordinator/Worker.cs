using Fluster.Actors;
using Fluster.Cluster;

namespace Samples;

internal interface IWorker
{
    /// <summary>Works until the coordinator has no more tasks.</summary>
    /// <returns>How many it did.</returns>
    Task<int> Work(string coordinator, CancellationToken cancellationToken);
}

/// <summary>An actor that calls another one.</summary>
internal sealed class Worker : IWorker
{
    /// <param name="coordinator">The coordinator's name. Where it runs, the cluster knows.</param>
    /// <param name="cancellationToken">Is not sent: it is cancelled when the caller gives up, or its time is over.</param>
    public async Task<int> Work(string coordinator, CancellationToken cancellationToken)
    {
        // A method of an actor runs in the context of the job that serves it, which leads to the other actors of the namespace.
        using var client = new ActorClient<ICoordinator>(FlusterContext.Current.Resolver, coordinator);
        var done = 0;
        while (await client.Actor.NextTask() is { } range)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await client.Actor.Report(range, CountPrimes(range));
            done++;
        }

        return done;
    }

    public static async Task ServeAsync(string name)
    {
        await using var server = new ActorServer();
        server.Register(name, new Worker());
        await server.RunAsync();
    }

    private static int CountPrimes(NumberRange range) => Enumerable.Range(range.Start, range.End - range.Start).Count(IsPrime);

    private static bool IsPrime(int number)
    {
        for (var divisor = 2; divisor * divisor <= number; divisor++)
        {
            if (number % divisor == 0)
            {
                return false;
            }
        }

        return number > 1;
    }
}
