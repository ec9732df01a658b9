using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Fluster.Tests;

/// <summary>Machines come and go while the cloud, the machines and the controller break in every way: none is left behind, none is made twice, nothing is counted twice.</summary>
public class VmSimulationTests(ITestOutputHelper output)
{
    private const int ShownLines = 80;

    /// <summary>In so many seeds everything occurs that the simulation is there for.</summary>
    private const int Enough = 1_000;

    [Fact]
    public void ManySeeds_LeaveNoMachineBehind_AndMakeNoneTwice()
    {
        var count = TestScale.Of(usual: 1_000, full: 10_000);
        var started = Stopwatch.GetTimestamp();
        var failure = FindFailure(count, PlantedVmBug.None, out var occasions, out var steps);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count} seeds: {steps} steps in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s"));
        foreach (var what in Enum.GetValues<VmOccasion>())
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{occasions[(int)what],9:n0}  {what}"));
        }

        Assert.True(failure is null, failure is null ? "" : Explain(failure, PlantedVmBug.None));
        if (count >= Enough)
        {
            Assert.DoesNotContain(Enum.GetValues<VmOccasion>(), what => occasions[(int)what] == 0);
        }
    }

    [Theory]
    [InlineData(nameof(PlantedVmBug.CreateRepeatedAsAnother))]
    [InlineData(nameof(PlantedVmBug.ForgottenBeforeItIsGone))]
    [InlineData(nameof(PlantedVmBug.PartialListReadAsComplete))]
    [InlineData(nameof(PlantedVmBug.OrphanAtFirstSight))]
    public void PlantedBug_IsFound(string name)
    {
        var bug = Enum.Parse<PlantedVmBug>(name);

        var failure = FindFailure(Enough, bug, out _, out _);

        Assert.True(failure is not null, $"{bug} is not found in {Enough} seeds.");
        output.WriteLine($"{bug}: seed {failure.Seed}, step {failure.Steps}: {failure.Violation}");
    }

    [Fact]
    public void Seed_RunTwice_IsTheSameRun() => Assert.Equal(Run(7, PlantedVmBug.None, out _), Run(7, PlantedVmBug.None, out _));

    private static SimulationResult? FindFailure(int count, PlantedVmBug bug, out long[] occasions, out long steps)
    {
        var (gate, total, failures, taken) = (new Lock(), new long[Enum.GetValues<VmOccasion>().Length], new List<SimulationResult>(), 0L);
        Parallel.For(1L, count + 1, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, (seed, loop) =>
        {
            var result = Run((ulong)seed, bug, out var world);
            lock (gate)
            {
                taken += result.Steps;
                for (var i = 0; i < total.Length; i++)
                {
                    total[i] += world.Occasions[i];
                }

                if (result.Violation is not null)
                {
                    failures.Add(result);
                    loop.Break();
                }
            }
        });
        (occasions, steps) = (total, taken);
        return failures.MinBy(failure => failure.Seed);
    }

    private static SimulationResult Run(ulong seed, PlantedVmBug bug, out VmWorld world, bool traced = false)
    {
        world = new VmWorld(seed, bug, traced);
        string? violation = null;
        try
        {
            world.Run();
            world.Checks.AtTheEnd();
        }
        catch (Exception exception) when (exception is InvariantViolatedException or XunitException)
        {
            violation = exception.Message;
        }
#pragma warning disable CA1031 // A rule that throws is a finding like any other.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            violation = exception.ToString();
        }

        world.Dispose();
        return new SimulationResult(seed, world.Steps, world.Trace.Fingerprint, violation);
    }

    private static string Explain(SimulationResult failure, PlantedVmBug bug)
    {
        var again = Run(failure.Seed, bug, out var world, traced: true);
        return $"Seed {failure.Seed}, step {failure.Steps}: {failure.Violation}\n{(again == failure ? "Made again exactly" : $"Made again differently: {again}")}; the last steps:\n{world.Trace.Tail(ShownLines)}";
    }
}
