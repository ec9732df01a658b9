using System.Diagnostics;
using System.Text.RegularExpressions;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The samples as a user starts them: in one process, and with the same actors in the jobs of a cluster (seed 001, stage 8).</summary>
public sealed class SampleTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private const string CalculatorSays = """
        2 + 3 = 5
        6 * 7 = 42
        1 / 0: Attempted to divide by zero.
        history: 2 + 3 = 5, 6 * 7 = 42

        """;

    [Fact]
    public async Task Calculator_InBothModes_AnswersRemembersAndThrowsWhatItsTypeSays()
    {
        Assert.Equal(CalculatorSays, await RunInThisProcessAsync("Calculator"));
        Assert.Equal(CalculatorSays, await RunOnTheClusterAsync("Calculator"));
    }

    [Fact]
    public async Task Calculator_WithoutAMode_RunsInBoth() =>
        Assert.Equal((0, $"{Here}{CalculatorSays}{OnTheCluster}{CalculatorSays}", ""), await RunAsync("Calculator"));

    [Theory]
    [InlineData("--mode", "everywhere")]
    [InlineData("--mode")]
    [InlineData("jobs")]
    public async Task Calculator_BadArguments_AreRefusedWithTheUsage(params string[] arguments)
    {
        var (exitCode, output, error) = await RunAsync("Calculator", arguments);

        Assert.Equal((2, ""), (exitCode, output));
        Assert.Equal($"Not understood: {string.Join(' ', arguments)}\nusage: dotnet run --project samples/Calculator -- [--mode actors|jobs|all]\n", error);
    }

    [Fact]
    public async Task Calculator_WithoutACluster_SaysWhatToStart()
    {
        var (exitCode, output, error) = await RunAsync("Calculator", cluster: null, "--mode", "jobs");

        Assert.Equal((1, ""), (exitCode, output));
        Assert.StartsWith("There is no cluster to speak to: ", error, StringComparison.Ordinal);
        Assert.EndsWith(" Start one with 'fluster cluster up' (in a checkout of Fluster also with 'dotnet run --project Fluster.AppHost'), or name one that runs with 'fluster login'.\n", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Coordinator_InBothModes_GivesEachTaskToOneWorker()
    {
        foreach (var said in new[] { await RunInThisProcessAsync("Coordinator"), await RunOnTheClusterAsync("Coordinator") })
        {
            var shares = Regex.Match(said, @"\A20 tasks, done by 3 workers: (\d+) \+ (\d+) \+ (\d+) = 20\nprimes below 100000: 9592\n\z");
            Assert.True(shares.Success, said);
            Assert.Equal(20, shares.Groups.Values.Skip(1).Sum(share => int.Parse(share.Value)));
        }
    }

    [Fact]
    public async Task InferencePool_InBothModes_TakesTurnsAndPredictsWithTheNewWeightsEverywhere()
    {
        const string Says = """
            version 1: 3 servers have 1000000 weights
              server 0 predicts 21 (version 1) and 21 (version 1)
              server 1 predicts 21 (version 1) and 21 (version 1)
              server 2 predicts 21 (version 1) and 21 (version 1)
            version 2: 3 servers have 1000000 weights
              server 0 predicts 42 (version 2) and 42 (version 2)
              server 1 predicts 42 (version 2) and 42 (version 2)
              server 2 predicts 42 (version 2) and 42 (version 2)

            """;

        Assert.Equal(Says, await RunInThisProcessAsync("InferencePool"));
        Assert.Equal(Says, await RunOnTheClusterAsync("InferencePool"));
    }

    [Fact]
    public async Task RlLoop_InBothModes_LearnsTheSameLessonsInTheSameRounds()
    {
        var here = await RunInThisProcessAsync("RlLoop");

        var rounds = Regex.Matches(here, @"(?m)^  round (\d+): (\d+) of 100 walks reached the end of (\d)$").Select(round => round.Groups.Values.Skip(1).Select(number => int.Parse(number.Value)).ToArray()).ToList();
        Assert.Equal(Enumerable.Range(1, rounds.Count), rounds.Select(round => round[0]));
        Assert.Contains(rounds, round => round[1] < 95); // there was something to learn
        Assert.Equal([1, 2, 3, 4, 5, 6], rounds.Where(round => round[1] >= 95).Select(round => round[2])); // each lesson is passed once, in its turn
        Assert.Contains($"\nall 6 lessons passed after {rounds.Count} rounds\n", here, StringComparison.Ordinal);
        Assert.Equal(here, await RunOnTheClusterAsync("RlLoop"));
    }

    private const string Here = "In this process:\n";

    private string OnTheCluster => $"On the cluster at {shared.Cluster.Controller.GrpcAddress}:\n";

    /// <summary>What the sample says under its headline.</summary>
    private async Task<string> RunInThisProcessAsync(string sample) => Below(Here, await RunAsync(sample, cluster: null, "--mode", "actors"));

    /// <summary>Likewise. A sample leaves nothing that runs.</summary>
    private async Task<string> RunOnTheClusterAsync(string sample)
    {
        var said = Below(OnTheCluster, await RunAsync(sample, "--mode", "jobs"));
        await Eventually.True(
            async () => await shared.Cluster.Client.ListAsync(new JobFilter { AllNamespaces = true }).AllAsync(job => job.State.IsTerminal),
            () => $"Jobs of {sample} go on.");
        return said;
    }

    private static string Below(string headline, (int ExitCode, string Output, string Error) ended)
    {
        Assert.Equal((0, ""), (ended.ExitCode, ended.Error));
        Assert.StartsWith(headline, ended.Output, StringComparison.Ordinal);
        return ended.Output[headline.Length..];
    }

    private Task<(int ExitCode, string Output, string Error)> RunAsync(string sample, params string[] arguments) => RunAsync(sample, shared.Cluster.Controller, arguments);

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string sample, ControllerProcess? cluster, params string[] arguments)
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory); // bin/Debug/net10.0, as that of the sample
        var program = Path.Combine(Repository.Root, "samples", sample, "bin", output.Parent!.Name, output.Name, $"{sample}.dll");
        var start = new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (cluster is not null)
        {
            start.Environment[FlusterEnvironment.ControllerAddress] = cluster.GrpcAddress;
            start.Environment[FlusterEnvironment.Token] = cluster.AdminToken;
        }

        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, text, await error);
    }
}
