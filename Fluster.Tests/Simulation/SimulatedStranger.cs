using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// Another controller behind the address of the right one: of another cluster (an empty directory), or an older copy. It wants nothing of what a worker
/// holds, and a worker does nothing about it.
/// </summary>
internal sealed class SimulatedStranger(SimulatedWorld world)
{
    private long _until;

    public bool IsThere => _until > world.Time.Now;

    public void ComeFor(int milliseconds) => _until = world.Time.Now + milliseconds;

    public void Leave() => _until = 0;

    /// <summary>Whom it says it is, to a worker that knows the right one.</summary>
    public ClusterIdentity Identity(ClusterIdentity known)
    {
        var older = known.Epoch > 1 && world.Dice.Chance(50);
        world.Figures.Count(older ? SimulatedEvent.OlderControllerRefused : SimulatedEvent.StrangerRefused);
        return older ? known with { Epoch = known.Epoch - 1 } : new ClusterIdentity("stranger", known.Epoch + 1);
    }

    /// <summary>Nothing is wanted.</summary>
    public static V1.Desired Nothing() => new() { Complete = true, Version = 1_000_000_000 };
}
