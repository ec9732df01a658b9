using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A test of what only root can do: give attempts users of their own.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class RootTheoryAttribute : TheoryAttribute
{
    public RootTheoryAttribute()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess || Tools.Find("setpriv") is null)
        {
            Skip = "It needs Linux, root and setpriv.";
        }
    }
}

/// <summary>A worker that is root gives each attempt a user, by which attempts are kept from each other and from the worker.</summary>
[SupportedOSPlatform("linux")]
public class AttemptUserTests
{
    [RootTheory]
    [IsolationData]
    public async Task TwoAttempts_HaveDifferentUsersAndNoOtherGroups(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var (_, first) = await bench.RunForOutputAsync(RuntimeBench.Bash("echo $(id -u) $(id -g) $(id -G); grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status"));
        var (_, second) = await bench.RunForOutputAsync(RuntimeBench.Bash("id -u"));

        var numbers = first.Split('\n')[0].Split(' ');
        Assert.Equal([numbers[0], numbers[0], numbers[0]], numbers);
        Assert.InRange(int.Parse(numbers[0], CultureInfo.InvariantCulture), 200_000, 209_999);
        Assert.InRange(int.Parse(second, CultureInfo.InvariantCulture), 200_000, 209_999);
        Assert.NotEqual(numbers[0], second.TrimEnd());
        Assert.Contains("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1", first, StringComparison.Ordinal);
    }

    [RootTheory]
    [IsolationData]
    public async Task Attempt_CannotReadOrSignalAnotherOrTheWorker(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var victim = bench.Start(RuntimeBench.Bash("echo secret > file; pwd; echo $$; sleep 100", spec => spec.Environment.Variables["PASSWORD"] = "very-secret"));
        await Eventually.True(() => bench.TextOf(victim.Fence, V1.LogStream.Stdout).Split('\n').Length == 3, "it runs");
        var (directory, process) = bench.TextOf(victim.Fence, V1.LogStream.Stdout).Split('\n') is [var first, var second, ..] ? (first, second) : default;

        var intruder = bench.Start(RuntimeBench.Bash(
            $"""
            exec 2>&1
            cat {directory}/file
            ls {directory}/..
            cat /proc/{process}/environ
            cat /proc/{process}/cwd/file
            touch {directory}/mine
            kill -9 {process}
            kill -9 {Environment.ProcessId}
            kill -9 {bench.Launcher.ProcessId}
            echo > /proc/{process}/mem
            exit 0
            """));
        await intruder.EndAsync();

        var lines = bench.TextOf(intruder.Fence, V1.LogStream.Stdout).TrimEnd().Split('\n');
        Assert.Equal(9, lines.Length);
        Assert.All(lines, line => Assert.True(line.EndsWith("Permission denied", StringComparison.Ordinal) || line.EndsWith("Operation not permitted", StringComparison.Ordinal), line));
        Assert.Equal("secret\n", await File.ReadAllTextAsync(Path.Combine(directory, "file"))); // the worker can
        victim.Attempt.Kill();
        Assert.Equal(9, (await victim.EndAsync()).Signal);
        Assert.False(Directory.Exists(Path.GetDirectoryName(directory)));
    }

    [RootTheory]
    [IsolationData]
    public async Task Attempt_HasAHomeATemporaryDirectoryAndItsStreams(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var files = Add(bench, "input", "from the user"u8.ToArray());

        var test = bench.Start(RuntimeBench.Bash(
            """
            set -e
            echo to > "$HOME/a"; file=$(mktemp); case $file in "$TMPDIR"/*) ;; *) exit 3;; esac
            echo more >> input; mv input renamed; cat renamed
            echo direct > /dev/stdout; echo errors > /dev/stderr
            [ "$(stat -c %a "$HOME")" = 700 ]
            mkdir -p deep/er; touch deep/er/file; chmod 000 deep/er/file deep/er
            echo $USER $LOGNAME $(id -u)
            """,
            spec =>
            {
                spec.Environment.WorkingFiles = files;
                spec.Environment.SetupCommands.Add("[ -w input ] && touch made-by-setup");
            }));
        var end = await test.EndAsync();

        Assert.Equal((0, null), (end.ExitCode, end.Failure?.Message));
        var lines = bench.TextOf(test.Fence, V1.LogStream.Stdout).Split('\n');
        Assert.Equal(["from the usermore", "direct"], lines[..2]);
        var who = lines[2].Split(' ');
        Assert.Equal([$"fluster-{who[2]}", $"fluster-{who[2]}", who[2]], who);
        Assert.Equal("errors\n", bench.TextOf(test.Fence, V1.LogStream.Stderr));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(bench.DirectoryPath, "work")));
    }

    [RootTheory]
    [IsolationData]
    public async Task ProgramThatOnlyRootMayRun_IsNamed(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        using var directory = new TemporaryDirectory();
        var program = directory.File("program");
        await File.WriteAllTextAsync(program, "#!/bin/sh\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        var end = await bench.RunAsync(RuntimeBench.Command([program]));

        Assert.Equal($"The program '{program}' cannot be run: attempts have a user of their own on this worker, and that one may not execute it.", end.Failure?.Message);
    }

    [RootTheory]
    [IsolationData]
    public async Task ProcessOfTheUser_OutsideOfTheBoundary_EndsWithTheAttempt(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash("id -u; sleep 100"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout).EndsWith('\n'), "it runs");
        using var other = StartAs(bench.TextOf(test.Fence, V1.LogStream.Stdout).TrimEnd());
        var someone = StartAs("219999");
        try
        {
            await Eventually.True(() => ProcessTable.OfUsers(ProcessTable.Read(), new HashSet<uint> { 219_999 }).Any(), "both have become somebody else");

            test.Attempt.Kill();
            await test.EndAsync();

            await other.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromSeconds(20)).Token);
            Assert.Equal(128 + 9, other.ExitCode);
            Assert.False(someone.HasExited);
        }
        finally
        {
            someone.Kill();
        }
    }

    [RootTheory]
    [InlineData("2099990")]
    public async Task Sweep_OfAWorkerThatDied_FindsItsAttemptsByTheirUsers(string user)
    {
        var ward = new Ward(Ward.NewId(), "");
        Directory.CreateDirectory(UserPool.DefaultLockDirectory);
        var path = Path.Combine(UserPool.DefaultLockDirectory, user);
        await File.WriteAllTextAsync(path, ward.Id); // as a worker leaves it that was killed
        try
        {
            using var left = StartAs(user);
            await Eventually.True(() => ProcessTable.OfUsers(ProcessTable.Read(), new HashSet<uint> { uint.Parse(user, CultureInfo.InvariantCulture) }).Any(), "it has become that user");
            var pool = new UserPool(UserRange.Parse($"{user}-{user}"), [], new Ward(Ward.NewId(), ""), UserPool.DefaultLockDirectory);
            Assert.Throws<UsersExhaustedException>(() => pool.Take(default)); // not before what the dead worker left is gone

            Assert.True(ward.SweepUntilEmpty(patience: TimeSpan.FromSeconds(20)));

            Assert.True(left.WaitForExit(TimeSpan.FromSeconds(10)));
            Assert.Equal(0, new FileInfo(path).Length); // nobody has to look for it again
            pool.Take(default).Dispose();
        }
        finally
        {
            File.Delete(path);
        }
    }

    [RootTheory]
    [InlineData("2088880-2088883")]
    public void Pools_OfTwoWorkers_NeverGiveTheSameUser(string range)
    {
        using var directory = new TemporaryDirectory();
        UserPool Pool() => new(UserRange.Parse(range), [new UserRange(2_088_881, 2_088_881)], new Ward(Ward.NewId(), ""), directory.Path);
        var (one, two) = (Pool(), Pool());

        var leases = new List<UserLease> { one.Take(new Fence(1)), two.Take(new Fence(1)), one.Take(new Fence(1)) };
        Assert.Equal([2_088_880u, 2_088_882u, 2_088_883u], leases.Select(lease => lease.User).Order());
        Assert.Contains("No user is free in 2088880-2088883", Assert.Throws<UsersExhaustedException>(() => two.Take(new Fence(9))).Message, StringComparison.Ordinal);

        leases[1].Dispose();
        using var again = one.Take(new Fence(7));
        Assert.Equal(leases[1].User, again.User);
    }

    [Fact]
    public void Taken_HasNamedUsersAndSubordinateRanges()
    {
        var taken = UserRange.Taken(["root:x:0:0:root:/root:/bin/bash", "", "bob:x:200001:100::/:", "broken"], ["bob:165536:65536", "nobody::"]).ToList();

        Assert.Equal([new UserRange(0, 0), new UserRange(200_001, 200_001), new UserRange(165_536, 231_071)], taken);
    }

    private static Process StartAs(string user) =>
        Process.Start("setpriv", ["--reuid", user, "--regid", user, "--clear-groups", "env", "-i", "sleep", "60"]);

    private static V1.BlobRef Add(RuntimeBench bench, string name, byte[] content)
    {
        var manifest = new V1.BundleManifest();
        manifest.Files.Add(new V1.BundleFile { Path = name, Blob = bench.AddBlob(content) });
        return bench.AddBlob(Google.Protobuf.MessageExtensions.ToByteArray(manifest));
    }
}
