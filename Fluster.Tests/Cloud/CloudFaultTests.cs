using System.Globalization;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>
/// Machines with real processes in a cloud that does what clouds do on a bad day: full quotas, too many requests, server errors, lost answers, names that are taken, partial lists, machines that are
/// taken away, and a controller that is killed in between. Every job ends well, no machine is left, none is made twice. Thousands of such days are in <see cref="VmSimulationTests"/>, without processes.
/// </summary>
public class CloudFaultTests(ITestOutputHelper output)
{
    /// <summary>Schedules at a time: a few wait more than they work, and many leave nothing of the processors to other tests.</summary>
    private static readonly int s_atATime = TestScale.Of(usual: 5, full: 3);

    [ToolFact("curl", "setsid")]
    public async Task Schedules_OfFaults_LeaveNoMachineBehind_AndMakeNoneTwice()
    {
        var count = TestScale.Of(usual: 5, full: 50);
        output.WriteLine($"{count} schedules from FLUSTER_TESTS_SEED={TestScale.Seed} on");
        var (gate, failures, kills, problems) = (new Lock(), 0, 0, new List<string>());
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = s_atATime }, async (index, _) =>
        {
            var seed = unchecked(TestScale.Seed + index);
            var schedule = new CloudFaultSchedule(seed);
            var start = TimeProvider.System.GetTimestamp();
            var problem = await schedule.FailureAsync();
            lock (gate)
            {
                failures += schedule.Failures;
                kills += schedule.Kills;
                problems.AddRange(problem is null ? [] : [problem]);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seed}: {TimeProvider.System.GetElapsedTime(start).TotalSeconds:0} s, {schedule.Failures} requests failed; {schedule.Steps}"));
            }
        });

        Assert.True(problems.Count == 0, string.Join("\n\n", problems));
        Assert.True(kills >= count, $"The controller was killed {kills} times.");
        Assert.True(failures > 0, "Nothing failed."); // of five schedules with two to six faults each
    }
}
