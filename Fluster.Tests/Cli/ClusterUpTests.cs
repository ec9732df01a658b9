using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary><c>fluster cluster up</c>: found by the command line while it runs, and nothing left when it ends, however that is.</summary>
public sealed class ClusterUpTests
{
    [Fact]
    public async Task Up_IsFoundByJobRun_AndCtrlCLeavesNothing()
    {
        using var directory = new TemporaryDirectory();
        var (context, data) = (directory.File("context.json"), directory.File("data"));
        using var up = CliProcess.Start(context, "cluster", "up", "--data", data);
        await UpAsync(up);

        using var run = CliProcess.Start(context, "job", "run", "--", "bash", "-c", "echo hello; exit 3");
        Assert.Equal((3, "hello\n"), (await run.ExitAsync(), run.Out));
        using var endless = CliProcess.Start(context, "job", "submit", "--", "sleep", "620");
        Assert.Equal(0, await endless.ExitAsync());
        await Eventually.True(() => Sleeps("620"), () => "The job did not start.");

        await up.SignalAsync("INT");

        Assert.Equal(0, await up.ExitAsync());
        Assert.False(Sleeps("620"));
        Assert.Empty(RunningProcesses.Where(line => line.Contains(data, StringComparison.Ordinal)));
        var file = ClusterContextFile.Read(context)!;
        Assert.Empty(file.Contexts);
        Assert.Null(file.Current);
        using var again = CliProcess.Start(context, "cluster", "up", "--data", data, "--output", "json");
        await Eventually.True(() => again.Out.Contains('}', StringComparison.Ordinal) || again.Error.Length > 0, () => "It does not start again.");
        using var list = CliProcess.Start(context, "job", "list", "--all");
        Assert.Equal(0, await list.ExitAsync());
        Assert.Contains("sleep 620", list.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Up_Killed_LeavesNoJob_AndItsEntryCountsAsLeftOver()
    {
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");
        using var up = CliProcess.Start(context, "cluster", "up", "--data", directory.File("data"));
        await UpAsync(up);
        using var submit = CliProcess.Start(context, "job", "submit", "--", "sleep", "621");
        Assert.Equal(0, await submit.ExitAsync());
        await Eventually.True(() => Sleeps("621"), () => "The job did not start.");
        Assert.NotNull(ClientEnvironment.FindRunning(context));

        await up.SignalAsync("KILL");

        await Eventually.True(() => !Sleeps("621"), () => "The guard did not kill the job.");
        await up.ExitAsync();
        Assert.Null(ClientEnvironment.FindRunning(context));
        using var second = CliProcess.Start(context, "cluster", "up");
        await UpAsync(second);
        Assert.Equal("default", Assert.Single(ClusterContextFile.Read(context)!.Contexts).Key); // in its place
        await second.SignalAsync("TERM");
        Assert.Equal((0, "It stops: jobs have 5 seconds. Again Ctrl+C leaves at once.\n"), (await second.ExitAsync(), second.Error));
    }

    private static Task UpAsync(CliProcess up) => Eventually.True(
        () => up.Out.Contains("Type next", StringComparison.Ordinal), () => $"It is not up: {up.Out} {up.Error}");

    private static bool Sleeps(string seconds) => RunningProcesses.Where(line => line == $"sleep\0{seconds}\0").Count > 0;
}
