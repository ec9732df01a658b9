using System.Globalization;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Users: submit jobs of all kinds for as long as things break. None of their jobs fails by its own fault.</summary>
internal sealed class VmWorldJobs(VmWorld world)
{
    public const string Tpu = "v5litepod-16";

    private int _submitted;

    /// <summary>Those whose submit was acknowledged.</summary>
    public List<long> Acknowledged { get; } = [];

    public void Begin() => world.After(world.Dice.Roll(2_000), "a user comes", Submit);

    private void Submit()
    {
        if (!world.IsTroubled)
        {
            return;
        }

        if (world.Controller.IsUp)
        {
            var number = ++_submitted;
            var name = string.Create(CultureInfo.InvariantCulture, $"job-{number:x8}");
            world.Controller.Put(
                new ClusterInput.SubmitJob(JobId.Parse(name), name, Namespace.Default, Terms(name), default, default, default),
                answer =>
                {
                    if (answer.Rejection is null)
                    {
                        Acknowledged.Add(answer.Subject);
                    }
                });
        }

        // Sometimes nobody wants anything for so long that machines go.
        world.After(world.Dice.Chance(12) ? world.Dice.Between(30_000, 70_000) : world.Dice.Between(100, 12_000), "a user comes", Submit);
    }

    private JobTerms Terms(string name)
    {
        var terms = new JobTerms { Name = name, LossRetries = 1_000, Shape = new ResourceShape { CpuMillis = 500 * world.Dice.Between(1, 8), MemoryBytes = 1 << 20 } };
        return world.Dice.Roll(8) switch
        {
            0 => terms with { Replicas = 4, SliceSize = 4, Shape = terms.Shape with { TpuVariant = Tpu } },
            1 => terms with { Replicas = 2, Coscheduled = true },
            2 => terms with { Replicas = world.Dice.Between(1, 4) },
            _ => terms,
        };
    }
}
