using System.Globalization;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>The simulation bites: each mistake that is put into the rules, or around them, is found within the seeds of a normal run.</summary>
public class PlantedBugTests(ITestOutputHelper output)
{
    private const int Seeds = 1_000;

    [Theory]
    [InlineData(nameof(PlantedBug.AnswerBeforeCommit))]
    [InlineData(nameof(PlantedBug.CapacityFreedAtKillRequest))]
    [InlineData(nameof(PlantedBug.StaleReportAccepted))]
    [InlineData(nameof(PlantedBug.HalfPlacedGang))]
    [InlineData(nameof(PlantedBug.EndpointOutlivesAttempt))]
    [InlineData(nameof(PlantedBug.RetryCountedTwice))]
    [InlineData(nameof(PlantedBug.IncompleteSetReadAsComplete))]
    [InlineData(nameof(PlantedBug.UnsortedEffects))]
    [InlineData(nameof(PlantedBug.LeaseByWallClock))]
    [InlineData(nameof(PlantedBug.FenceReusedAfterRestart))]
    [InlineData(nameof(PlantedBug.ExclusiveForgotten))]
    [InlineData(nameof(PlantedBug.SilentRegistrationKept))]
    public void PlantedBug_IsFound(string name)
    {
        var bug = Enum.Parse<PlantedBug>(name);

        var failure = Simulation.FindFailure(1, Seeds, bug, out _);

        Assert.True(failure is not null, $"{bug} is not found in {Seeds} seeds.");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{bug}: seed {failure.Seed}, step {failure.Steps}: {failure.Violation}"));
    }

    [Fact]
    public void Failure_IsMadeAgainExactly_AndTellsItsLastSteps()
    {
        var failure = Simulation.FindFailure(1, Seeds, PlantedBug.StaleReportAccepted, out _)!;

        var text = Simulation.Explain(failure, PlantedBug.StaleReportAccepted);

        Assert.StartsWith($"Seed {failure.Seed}, step {failure.Steps}: {failure.Violation}\nMade again exactly", text, StringComparison.Ordinal);
        Assert.Contains("a report arrives", text, StringComparison.Ordinal);
    }
}
