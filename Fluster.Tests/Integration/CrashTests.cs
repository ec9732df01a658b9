using System.Globalization;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Parts that die without a word, while jobs run.</summary>
[SupportedOSPlatform("linux")]
public class CrashTests
{
    // A fork that outlives its parent in a session of its own, without any of our variables.
    private const string Daemon = "perl -e 'use POSIX; for (1..2) { exit if fork; setsid } exec qw(env -i sleep), $ARGV[0]' ";

    private static readonly Dictionary<string, string?> s_quickLoss = new(StringComparer.Ordinal)
    {
        ["Fluster__Controller__WorkerSuspectSeconds"] = "4",
        ["Fluster__Controller__WorkerLostSeconds"] = "8",
    };

    private readonly string _seconds = string.Create(CultureInfo.InvariantCulture, $"20000.{RandomNumberGenerator.GetInt32(int.MaxValue)}");

    [Theory]
    [IsolationData]
    public async Task WorkerKilled_TreesAreGoneWithin10Seconds(string mode)
    {
        await using var cluster = await TestCluster.StartAsync(workerSettings: Isolated(mode));
        var worker = cluster.Workers[0];
        await cluster.Client.SubmitAsync(TestCluster.Bash($"{Daemon} {_seconds}; setsid sleep {_seconds} & trap '' TERM HUP; sleep {_seconds}; wait"));
        await Eventually.True(() => Sleepers().Count == 3, "three processes of the job run");
        var helpers = RunningProcesses.HelpersOf(worker);
        Assert.Contains(helpers, helper => RunningProcesses.Name(helper) == "fluster-guard");

        var killed = TimeProvider.System.GetTimestamp();
        await worker.KillAsync();
        await Eventually.True(() => Sleepers().Count == 0 && RunningProcesses.HelpersOf(worker).Count == 0, () => $"left: {string.Join(' ', Sleepers())}, {string.Join(' ', RunningProcesses.HelpersOf(worker))}");

        Assert.InRange(TimeProvider.System.GetElapsedTime(killed), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    [Theory]
    [IsolationData]
    public async Task WorkerAndGuardKilled_TreesAreGoneWithin10Seconds(string mode)
    {
        await using var cluster = await TestCluster.StartAsync(workerSettings: Isolated(mode));
        var worker = cluster.Workers[0];
        await cluster.Client.SubmitAsync(TestCluster.Bash($"{Daemon} {_seconds}; sleep {_seconds}"));
        await Eventually.True(() => Sleepers().Count == 2, "two processes of the job run");

        var guard = RunningProcesses.HelpersOf(worker).Single(helper => RunningProcesses.Name(helper) == "fluster-guard");
        Signals.Send(worker.Process.Id, Signals.Stop); // so that it cannot start another guard in between
        Signals.Send(guard, Signals.Kill);
        await worker.KillAsync();

        await Eventually.True(() => Sleepers().Count == 0 && RunningProcesses.HelpersOf(worker).Count == 0, () => $"left: {string.Join(' ', Sleepers())}, {string.Join(' ', RunningProcesses.HelpersOf(worker))}");
    }

    [Theory]
    [IsolationData]
    public async Task WorkerGuardAndLauncherKilled_NextStartOfTheWorkerSweeps(string mode)
    {
        await using var cluster = await TestCluster.StartAsync(workerSettings: Isolated(mode));
        using var directory = new TemporaryDirectory();
        var worker = cluster.Workers[0];
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo $FLUSTER_FENCE >> {directory.File("ran")}; [ $(wc -l < {directory.File("ran")}) -ge 2 ] && exit; {Daemon} {_seconds}; sleep {_seconds}"));
        await Eventually.True(() => Sleepers().Count == 2, "two processes of the job run");

        // Stopped first, so that none of them can do anything about the end of the others.
        int[] all = [worker.Process.Id, .. RunningProcesses.HelpersOf(worker).Where(helper => RunningProcesses.Name(helper) is "fluster-guard" or "fluster-launch")];
        Assert.Equal(3, all.Length);
        Array.ForEach(all, process => Signals.Send(process, Signals.Stop));
        Array.ForEach(all, process => Signals.Send(process, Signals.Kill));
        await worker.KillAsync();
        await ProcessTree.GoneAsync(all, TimeSpan.FromSeconds(10));
        Assert.Equal(2, Sleepers().Count); // nobody is there to end them
        worker.Start();

        Assert.Equal(JobState.Succeeded, (await job.WaitAsync(TimeSpan.FromSeconds(60))).State);
        Assert.Empty(Sleepers());
        Assert.Equal(["fluster-guard", "fluster-launch"], RunningProcesses.HelpersOf(worker).Select(RunningProcesses.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task GuardKilled_AnotherOneStarts()
    {
        await using var cluster = await TestCluster.StartAsync();
        var worker = cluster.Workers[0];
        var first = RunningProcesses.HelpersOf(worker).Single(helper => RunningProcesses.Name(helper) == "fluster-guard");

        Signals.Send(first, Signals.Kill);

        await Eventually.True(() => RunningProcesses.HelpersOf(worker).Exists(helper => helper != first && RunningProcesses.Name(helper) == "fluster-guard"), "another guard runs");
    }

    [Fact]
    public async Task WorkerKilled_JobRunsAgainElsewhere()
    {
        await using var cluster = await TestCluster.StartAsync(workers: 2, controllerSettings: s_quickLoss);
        using var directory = new TemporaryDirectory();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo $FLUSTER_WORKER_ID >> {directory.File("ran")}; [ $(wc -l < {directory.File("ran")}) -ge 2 ] || sleep {_seconds}"));
        await Eventually.True(() => directory.Lines("ran") > 0, "the job runs");

        var first = cluster.Workers.Single(worker => worker.Id == File.ReadLines(directory.File("ran")).First());
        await first.KillAsync();
        var status = await job.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal(2, File.ReadLines(directory.File("ran")).Distinct().Count());
        Assert.Equal(2, status.Tasks.Single().Attempts.Count);
        Assert.Empty(Sleepers());
    }

    [Fact]
    public async Task WorkerKilledAndRestarted_LostAttemptIsReportedAndTheJobRunsAgain()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var directory = new TemporaryDirectory();
        var worker = cluster.Workers[0];
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo line; echo $FLUSTER_FENCE >> {directory.File("ran")}; [ $(wc -l < {directory.File("ran")}) -ge 2 ] || sleep {_seconds}"));
        await Eventually.True(async () => await cluster.LogAsync(job.Id, follow: false) == "line" && directory.Lines("ran") > 0, () => "the job runs");

        await worker.KillAsync();
        worker.Start();
        var status = await job.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal([FailureKind.WorkerLost, null], status.Tasks.Single().Attempts.Select(attempt => attempt.Failure?.Kind));
        Assert.Equal("line\n[the worker was lost: there may have been more lines]\nline", await cluster.LogAsync(job.Id));
        Assert.Empty(Sleepers());
    }

    [Fact]
    public async Task ControllerKilled_WhileJobsRun_EachEndsOnceWithItsTrueOutcome()
    {
        const int Jobs = 20;
        await using var cluster = await TestCluster.StartAsync(workers: 2);
        using var directory = new TemporaryDirectory();
        var jobs = new List<JobHandle>();
        for (var i = 0; i < Jobs; i++)
        {
            // Half of them end while the controller is away.
            jobs.Add(await cluster.Client.SubmitAsync(TestCluster.Bash(
                $"echo ran >> {directory.File($"job-{i}")}; until [ -e {directory.File(i % 2 == 0 ? "away" : "back")} ]; do sleep 0.05; done; echo out-{i}; exit {i % 5}")));
        }

        await Eventually.True(() => Enumerable.Range(0, Jobs).All(i => directory.Lines($"job-{i}") > 0), "all jobs run");
        await cluster.Controller.KillAsync();
        await File.WriteAllTextAsync(directory.File("away"), "");
        await Eventually.True(() => cluster.Workers.Sum(worker => Directory.GetFiles(Path.Combine(worker.DataDirectory, "spool"), "outcome", SearchOption.AllDirectories).Length) == Jobs / 2, "half of the outcomes are spooled");
        await cluster.Controller.StartAsync();
        await File.WriteAllTextAsync(directory.File("back"), "");

        for (var i = 0; i < Jobs; i++)
        {
            var status = await jobs[i].WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal((i % 5 == 0 ? JobState.Succeeded : JobState.Failed, i % 5), (status.State, status.ExitCode ?? -1));
            Assert.Single(status.Tasks.Single().Attempts);
            Assert.Equal($"out-{i}", await cluster.LogAsync(jobs[i].Id));
            Assert.Equal("ran\n", await File.ReadAllTextAsync(directory.File($"job-{i}")));
        }

        // Acknowledged and sent: nothing is kept.
        await Eventually.True(() => cluster.Workers.All(worker => Directory.GetDirectories(Path.Combine(worker.DataDirectory, "spool")).Length == 0), "the spools are empty");
    }

    [Fact]
    public async Task WorkerStopped_EndsItsJobsAndLeavesNothing()
    {
        await using var cluster = await TestCluster.StartAsync(workers: 2);
        using var directory = new TemporaryDirectory();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo $FLUSTER_WORKER_ID >> {directory.File("ran")}; [ $(wc -l < {directory.File("ran")}) -ge 2 ] || sleep {_seconds}"));
        await Eventually.True(() => directory.Lines("ran") > 0, "the job runs");
        var first = cluster.Workers.Single(worker => worker.Id == File.ReadLines(directory.File("ran")).First());

        var (exitCode, _) = await first.StopAsync();

        Assert.Equal(0, exitCode);
        Assert.Empty(Sleepers());
        Assert.Empty(RunningProcesses.HelpersOf(first));
        Assert.Equal(JobState.Succeeded, (await job.WaitAsync(TimeSpan.FromSeconds(60))).State);
        Assert.Equal(2, File.ReadLines(directory.File("ran")).Distinct().Count());
    }

    private static Dictionary<string, string?> Isolated(string mode) => new(StringComparer.Ordinal) { ["Fluster__Worker__Isolation"] = mode.ToLowerInvariant() };

    /// <summary>Processes of this test's jobs that run still.</summary>
    private List<int> Sleepers() => RunningProcesses.Where(line => line.Contains("sleep\0" + _seconds, StringComparison.Ordinal));
}
