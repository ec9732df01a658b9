using Fluster.Controller;
using FsCheck;
using FsCheck.Fluent;

namespace Fluster.Tests;

/// <summary>What holds of every plan, for random clusters.</summary>
public class SchedulerProperties
{
    private static readonly string[] s_gpus = ["", "h100", "a100"];
    private static readonly string[] s_regions = ["", "east", "west"];

    [Fact]
    public void Plans_AreAcceptedWhole_AndLeaveNothingThatFits() => Check(numbers =>
    {
        var lab = Cluster(numbers);
        lab.PlanAndPlace(); // the machine refuses what does not fit, and its invariants hold after it

        foreach (var job in lab.State.Jobs.Ascending().Where(job => job.Waiting > 0))
        {
            if (job.Terms.HasGangs)
            {
                Assert.Equal(job.Terms.Replicas, job.Waiting); // whole or not at all
                continue;
            }

            Assert.DoesNotContain(lab.State.Workers.Ascending(), worker => worker.HasRoomFor(job.Terms.Shape));
        }
    });

    [Fact]
    public void Plans_FollowFromTheState() => Check(numbers =>
    {
        var lab = Cluster(numbers);

        Assert.Equal(lab.Plan(), lab.Plan());
    });

    /// <summary>What goes first is placed whenever there was room for it alone.</summary>
    [Fact]
    public void TheFirstOfAll_IsPlacedIfAnyWorkerCouldHoldIt() => Check(numbers =>
    {
        var lab = Cluster(numbers);
        var first = lab.State.Jobs.Ascending().First(job => !job.Terms.HasGangs);
        if (first.Uid > 1)
        {
            return; // a gang came before it
        }

        var fits = lab.State.Workers.Ascending().Any(worker => worker.HasRoomFor(first.Terms.Shape));

        Assert.Equal(fits, lab.Plan().Any(text => text.StartsWith($"{first.Id} ", StringComparison.Ordinal) || text.StartsWith($"{first.Id}#0 ", StringComparison.Ordinal)));
    });

    internal static SchedulerLab Cluster(int[] numbers)
    {
        var lab = new SchedulerLab();
        var workers = 1 + numbers[0] % 24;
        for (var i = 0; i < workers; i++)
        {
            var number = numbers[(i + 1) % numbers.Length];
            lab.Worker(
                $"w{i}",
                cpu: 1 + number % 8,
                jobs: 1 + number / 8 % 4,
                gpus: number / 32 % 5,
                gpu: number / 32 % 5 == 0 ? "" : s_gpus[1 + number / 256 % 2],
                preemptible: number / 512 % 2 == 0,
                region: s_regions[1 + number / 1024 % 2]);
        }

        for (var i = 0; i < numbers.Length; i++)
        {
            var number = numbers[i] / 7;
            var gpus = number / 8 % 3;
            lab.Submit(
                $"j{i}",
                new ResourceShape
                {
                    CpuMillis = 500 * (1 + number % 8),
                    Gpus = gpus,
                    GpuVariant = gpus == 0 ? "" : number / 64 % 2 == 0 ? "auto" : s_gpus[1 + number / 128 % 2],
                    Preemptible = number / 256 % 2 == 0,
                    Regions = s_regions[number / 512 % 3],
                },
                terms => terms with { Replicas = 1 + number / 2048 % 3, Coscheduled = number / 8192 % 3 == 0 });
        }

        return lab;
    }

    private static void Check(Action<int[]> property) => Prop
        .ForAll(Gen.Choose(0, int.MaxValue - 1).ArrayOf(30).ToArbitrary(), property)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(60));
}
