using System.Globalization;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Jobs that try to leave something behind, or to keep the worker busy. In every mode: nothing is left, and the worker goes on.</summary>
[SupportedOSPlatform("linux")]
public class AdversarialJobTests
{
    // A fork that outlives its parent in a session of its own, without any of our variables.
    private const string Daemon = "perl -e 'use POSIX; for (1..2) { exit if fork; setsid } exec qw(env -i sleep), $ARGV[0]' ";

    private readonly string _seconds = string.Create(CultureInfo.InvariantCulture, $"10000.{RandomNumberGenerator.GetInt32(int.MaxValue)}");

    [IsolationFact(nameof(IsolationMode.Cgroup2))]
    public void Cgroup2_IsTested() => Assert.True(IsolationDataAttribute.IsAvailable(IsolationMode.Cgroup2));

    [IsolationFact(nameof(IsolationMode.Cgroup1))]
    public void Cgroup1_IsTested() => Assert.True(IsolationDataAttribute.IsAvailable(IsolationMode.Cgroup1));

    [Theory]
    [IsolationData]
    public async Task Daemon_WithoutOurVariables_EndsWithItsJob(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var end = await bench.RunAsync(RuntimeBench.Bash($"{Daemon} {_seconds}; until pgrep -xf 'sleep {_seconds}' > /dev/null; do :; done; echo it runs"));

        Assert.Equal((0, "it runs"), (end.ExitCode, end.LastLines.Single()));
        Assert.Empty(Left());
    }

    [Theory]
    [IsolationData]
    public async Task Daemon_OfASetupCommand_RunsForTheProgramAndEndsWithIt(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var end = await bench.RunAsync(RuntimeBench.Bash(
            $"until pgrep -xf 'sleep {_seconds}' > /dev/null; do :; done; echo it runs",
            spec => spec.Environment.SetupCommands.Add(Daemon + _seconds)));

        Assert.Equal((0, "it runs"), (end.ExitCode, end.LastLines.Single()));
        Assert.Empty(Left());
    }

    [Theory]
    [IsolationData]
    public async Task Daemon_ThatIgnoresTermAndIsStopped_IsKilled(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash($"trap '' TERM HUP INT; {Daemon} {_seconds}; until pgrep -xf 'sleep {_seconds}' > /dev/null; do :; done; pkill -STOP -xf 'sleep {_seconds}'; echo ready; while :; do sleep 0.1; done"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "the daemon is stopped");

        test.Attempt.Terminate();
        test.Attempt.Kill();
        await test.EndAsync();

        Assert.Empty(Left());
    }

    [Theory]
    [IsolationData]
    public async Task ThousandChildren_EndWithTheirJob(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Command(["perl", "-e", "for (1..1000) { unless (fork) { exec 'sleep', $ARGV[0] } } $| = 1; print qq(ready\\n); sleep 1000", _seconds]));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "the children run");

        test.Attempt.Kill();
        await test.EndAsync();

        Assert.Empty(Left());
    }

    [Theory]
    [IsolationData]
    public async Task ForkingForEver_IsKilled(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        // Every process lives for a moment and leaves another one behind: whoever kills what he has seen comes too late.
        // It ends by itself after a minute, so that a test run that is cut off leaves nothing.
        var test = bench.Start(RuntimeBench.Command(["perl", "-e", "$| = 1; print qq(ready\\n); my $end = time + 60; while (time < $end) { exit if fork; select undef, undef, undef, 0.001 }", _seconds]));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout).Length > 0, "it forks");

        test.Attempt.Kill();
        await test.EndAsync();

        Assert.Empty(Left());
    }

    [Theory]
    [IsolationData]
    public async Task PipesHeldByADaemon_DoNotDelayTheEnd(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var (end, output) = await bench.RunForOutputAsync(RuntimeBench.Bash($"echo first; (setsid sleep {_seconds} &) ; echo last"));

        Assert.Equal((0, "first\nlast\n"), (end.ExitCode, output));
        Assert.Empty(Left());
    }

    [Theory]
    [IsolationData]
    public async Task ClosedOutput_JobGoesOn(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var end = await bench.RunAsync(RuntimeBench.Bash("exec 1>&- 2>&-; sleep 0.2; exit 5"));

        Assert.Equal(5, end.ExitCode);
    }

    [Theory]
    [IsolationData]
    public async Task EndlessLine_IsCutIntoPieces(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash("head -c 1000000 /dev/zero | tr '\\0' x"));

        var end = await test.EndAsync();

        Assert.Equal(new string('x', 1_000_000), bench.TextOf(test.Fence, V1.LogStream.Stdout));
        Assert.Equal(16, end.Logs.StdoutLines); // 15 pieces of 64 KiB and the rest
    }

    [Theory]
    [IsolationData]
    public async Task StarterKilledByItsJob_NothingIsLeft(string mode)
    {
        await using var bench = new RuntimeBench(mode, users: false); // with a user of its own it could not

        // In marker mode the parent is the starter. What bears the mark is found without it.
        var test = bench.Start(RuntimeBench.Bash($"(setsid sleep {_seconds} &); if [ $(cat /proc/$PPID/comm) = fluster-starter ]; then kill -9 $PPID; fi; echo done; sleep 0.2"));
        await test.RunningAsync();
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "done\n", "the job did it");
        test.Attempt.Kill();
        await test.EndAsync();

        Assert.Empty(Left());
    }

    [Theory]
    [IsolationData]
    public async Task WipedEnvironmentAndIgnoredTerm_IsKilledWithItsDaemon(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Command(["env", "-i", "PATH=/usr/bin:/bin", "bash", "-c", $"trap '' TERM HUP INT; {Daemon} {_seconds}; echo ready; while :; do sleep 0.1; done"]));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "it runs");

        test.Attempt.Terminate();
        test.Attempt.Kill();
        await test.EndAsync();

        Assert.Empty(Left());
    }

    [SmallDiskFact]
    public async Task DiskFiller_FailsByItselfAndTheRoomIsFreeAgain()
    {
        foreach (var mode in Enum.GetValues<IsolationMode>().Where(IsolationDataAttribute.IsAvailable))
        {
            using var disk = new SmallDisk(megabytes: 32);
            await using var bench = new RuntimeBench(mode.ToString(), directory: disk.Path);

            var end = await bench.RunAsync(RuntimeBench.Bash("dd if=/dev/zero of=fill bs=1M; code=$?; echo said when nothing fits any more; exit $code"));
            var after = await bench.RunAsync(RuntimeBench.Bash("dd if=/dev/zero of=fill bs=1M count=16"));

            Assert.Equal((1, null, 0), (end.ExitCode, end.Failure, after.ExitCode));
        }
    }

    [Theory]
    [IsolationData]
    public async Task ReadOnlyWorkDirectory_IsRemoved(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var (end, output) = await bench.RunForOutputAsync(RuntimeBench.Bash("mkdir -p a/b; touch a/b/c; chmod 000 a/b; chmod 500 a; pwd"));

        Assert.Equal(0, end.ExitCode);
        Assert.False(Directory.Exists(Path.GetDirectoryName(output.TrimEnd())));
    }

    [Theory]
    [IsolationData]
    public async Task ManyJobsAtOnce_EachHasItsOwnEnd(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var tests = Enumerable.Range(0, 60).Select(i => bench.Start(RuntimeBench.Bash($"echo {i}; exit {i}"))).ToList();
        var ends = await Task.WhenAll(tests.Select(test => test.EndAsync()));

        Assert.Equal(Enumerable.Range(0, 60), ends.Select(end => end.ExitCode ?? -1));
        Assert.Equal(Enumerable.Range(0, 60).Select(i => $"{i}\n"), tests.Select(test => bench.TextOf(test.Fence, V1.LogStream.Stdout)));
    }

    /// <summary>Processes of this test that run still.</summary>
    private List<int> Left()
    {
        var found = new List<int>();
        foreach (var entry in ProcessTable.Read().Where(entry => !entry.IsDead && entry.Identity.Id != Environment.ProcessId))
        {
            try
            {
                if (File.ReadAllText($"/proc/{entry.Identity.Id}/cmdline").Contains(_seconds, StringComparison.Ordinal))
                {
                    found.Add(entry.Identity.Id);
                }
            }
            catch (IOException)
            {
                // It has ended.
            }
        }

        return found;
    }
}
