using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The command line against a real controller with a real worker: following, waiting, stopping, Ctrl+C.</summary>
public sealed class CliClusterTests : IAsyncLifetime, IDisposable
{
    private const int Lines = 100_000;
    private const string Interrupt = "INT";

    private readonly TemporaryDirectory _directory = new();
    private TestCluster _cluster = null!;
    private string _context = null!;

    public async Task InitializeAsync()
    {
        _cluster = await TestCluster.StartAsync();
        _context = await CliProcess.WriteContextAsync(_directory.Path, _cluster.Controller.GrpcAddress, _cluster.Controller.AdminToken);
    }

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Run_Interrupted_EndsTheJobsTreeAndExits130()
    {
        using var run = CliProcess.Start(_context, "job", "run", "--", "bash", "-c", "(setsid sleep 600 & echo child $!); echo self $$; sleep 600");
        await Eventually.True(() => run.Out.Contains("self ", StringComparison.Ordinal), () => run.Error);
        var pids = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture)).ToArray();

        await run.SignalAsync(Interrupt);

        Assert.Equal(130, await run.ExitAsync());
        await ProcessTree.GoneAsync(pids, TimeSpan.FromSeconds(10));
        Assert.Equal(JobState.Killed, (await _cluster.Client.ListAsync(new JobFilter()).SingleAsync()).State);
    }

    [Fact]
    public async Task LogsFollow_JobWritesOn_ShowsLinesWhileItRunsAndIsCompleteAtItsEnd()
    {
        var go = _directory.File("go");
        var job = await _cluster.Client.SubmitAsync(TestCluster.Bash($"echo first; until [ -e {go} ]; do sleep 0.05; done; seq {Lines}"));
        using var logs = CliProcess.Start(_context, "job", "logs", "-f", job.Id.ToString());

        await Eventually.True(() => logs.Out == "first\n", () => logs.Error);
        await File.WriteAllTextAsync(go, "");

        Assert.Equal(0, await logs.ExitAsync());
        Assert.Equal("first\n" + string.Concat(Enumerable.Range(1, Lines).Select(number => $"{number}\n")), logs.Out);
    }

    [Fact]
    public async Task Wait_JobIsStopped_ExitsAsKilled()
    {
        var job = await _cluster.Client.SubmitAsync(TestCluster.Bash("echo up; sleep 600"));
        using var wait = CliProcess.Start(_context, "job", "wait", job.Id.ToString());
        await Eventually.True(async () => await _cluster.LogAsync(job.Id, follow: false) == "up", () => "the job runs");

        using var stop = CliProcess.Start(_context, "job", "stop", job.Id.ToString());

        Assert.Equal(0, await stop.ExitAsync());
        Assert.Equal(137, await wait.ExitAsync());
    }

    [Fact]
    public async Task Run_ControllerIsKilledAndComesBack_GoesOnToTheJobsTrueEnd()
    {
        var (away, back) = (_directory.File("away"), _directory.File("back"));
        using var run = CliProcess.Start(
            _context, "job", "run", "--", "bash", "-c", $"echo one; until [ -e {away} ]; do sleep 0.05; done; echo two; until [ -e {back} ]; do sleep 0.05; done; echo three; exit 7");
        await Eventually.True(() => run.Out == "one\n", () => run.Error);

        await _cluster.Controller.KillAsync();
        await File.WriteAllTextAsync(away, "");
        await _cluster.Controller.StartAsync();
        await File.WriteAllTextAsync(back, "");

        Assert.Equal(7, await run.ExitAsync());
        Assert.Equal("one\ntwo\nthree\n", run.Out);
    }
}
