using System.Runtime.Versioning;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>
/// Controller, workers, guards and launchers are killed at random moments, one or several at a time, and start again at once, while jobs
/// run: every job ends with its own outcome, nothing starts twice, nothing is left.
/// </summary>
[SupportedOSPlatform("linux")]
public class ChaosTests(ITestOutputHelper output)
{
    private const int RoundsPerBlock = 20;

    private static readonly Dictionary<string, string?> s_shortLeases = new(StringComparer.Ordinal)
    {
        ["Fluster__Controller__WorkerSuspectSeconds"] = "6",
        ["Fluster__Controller__WorkerLostSeconds"] = "12",
    };

    /// <summary>A machine that is busy with other tests takes its time to start a controller again.</summary>
    private static readonly TimeSpan s_clientPatience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task KillsAtRandomMoments_NothingIsLostStartedTwiceOrLeft()
    {
        var started = TimeProvider.System.GetTimestamp();
        var random = new Random(TestScale.Seed);
        output.WriteLine($"Seed {TestScale.Seed} (FLUSTER_TESTS_SEED)");
        await using var cluster = await TestCluster.StartAsync(workers: 3, controllerSettings: s_shortLeases, clientPatience: s_clientPatience);
        Assert.Empty(await cluster.Client.ListAsync().ToListAsync()); // who has reached a controller once waits for it
        var kills = new ChaosKills(cluster, random);
        var figures = new ChaosFigures();
        try
        {
            for (var block = 0; block < TestScale.Of(usual: 1, full: 10); block++)
            {
                await using var jobs = new ChaosJobs(cluster, random);
                for (var round = 0; round < RoundsPerBlock; round++)
                {
                    jobs.SubmitSome();
                    await kills.RoundAsync();
                }

                await kills.SettledAsync();
                figures += await jobs.VerifyAsync();
                await kills.VerifyCapacityAsync();
            }
        }
        finally
        {
            output.WriteLine($"Figures: {kills.Rounds} rounds in {TimeProvider.System.GetElapsedTime(started).TotalSeconds:0} s, killed: {kills.Summary}; {figures}");
        }
    }
}
