using System.Collections.Concurrent;
using System.Globalization;
using Xunit.Sdk;

namespace Fluster.Tests;

/// <summary>How a run went.</summary>
/// <param name="Seed">Which one.</param>
/// <param name="Steps">How many steps it had.</param>
/// <param name="Fingerprint">The same for the same run.</param>
/// <param name="Violation">What went wrong; null: nothing.</param>
internal sealed record SimulationResult(ulong Seed, long Steps, ulong Fingerprint, string? Violation);

/// <summary>Runs seeds, and shows the ones that fail.</summary>
internal static class Simulation
{
    /// <summary>Steps with faults; those in which everything comes to an end follow.</summary>
    public const int Steps = 800;

    /// <summary>One seed in so many is run twice, to see that it is the same again.</summary>
    private const int Replayed = 8;

    private const int ShownLines = 60;

    public static SimulationResult Run(ulong seed, PlantedBug bug = PlantedBug.None) => Run(seed, bug, traced: false, figures: null).Result;

    /// <summary>Runs seeds until one fails.</summary>
    /// <returns>The failing one with the lowest number of those that were run; null: none.</returns>
    public static SimulationResult? FindFailure(ulong first, int count, PlantedBug bug, out SimulationFigures figures)
    {
        var failures = new ConcurrentBag<SimulationResult>();
        var total = new SimulationFigures();
        Parallel.For(0L, count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, (index, loop) =>
        {
            var (result, _) = Run(first + (ulong)index, bug, traced: false, total);
            if (result.Violation is null && index % Replayed == 0 && Run(result.Seed, bug) is var again && again.Fingerprint != result.Fingerprint)
            {
                result = result with { Violation = $"Two runs of the same seed differ: something counts that is not an input ({result.Steps} and {again.Steps} steps)." };
            }

            if (result.Violation is not null)
            {
                failures.Add(result);
                loop.Break(); // lower ones are still run
            }
        });
        figures = total;
        return failures.MinBy(failure => failure.Seed);
    }

    /// <summary>Runs a failing seed again and tells how it came to that.</summary>
    public static string Explain(SimulationResult failure, PlantedBug bug = PlantedBug.None)
    {
        var (again, trace) = Run(failure.Seed, bug, traced: true, figures: null);
        var same = again == failure ? "Made again exactly" : $"Made again differently ({again.Steps} steps, {again.Violation})";
        return string.Create(CultureInfo.InvariantCulture, $"Seed {failure.Seed}, step {failure.Steps}: {failure.Violation}\n{same} (eng/simulate.sh 1 {failure.Seed} does it again); the last steps:\n{trace.Tail(ShownLines)}");
    }

    private static (SimulationResult Result, SimulationTrace Trace) Run(ulong seed, PlantedBug bug, bool traced, SimulationFigures? figures)
    {
        using var world = new SimulatedWorld(seed, bug, traced);
        string? violation = null;
        try
        {
            world.Run(Steps);
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

        figures?.Add(world.Figures, world.Steps);
        return (new SimulationResult(seed, world.Steps, world.Trace.Fingerprint, violation), world.Trace);
    }
}
