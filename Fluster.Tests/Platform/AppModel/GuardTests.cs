using System.Diagnostics;
using Aspire.Hosting.Guarding;
using Aspire.Hosting.Running;

namespace Fluster.Tests;

/// <summary>However an AppHost ends, nothing of what it started is left.</summary>
public class GuardTests
{
    // What the script starts: itself; a child; a daemon (double-forked, its own session); a child that shed its environment.
    private const string Script =
        "(setsid sh -c 'echo daemon $$; exec sleep 1000' &); sleep 1001 & echo child $!; env -i sh -c 'echo bare $$; exec sleep 1002' & echo self $$; " +
        "trap 'echo told; kill $(jobs -p); exit 0' TERM; while :; do wait; done";

    // A patience, not the figure: on an idle machine it takes half of the 10 s that are promised, on a busy one the stop alone may take them.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(40);

    [Theory]
    [InlineData(NativeMethods.SigKill)]
    [InlineData(NativeMethods.SigTerm)]
    [InlineData(2)]
    [InlineData(1)]
    public async Task AppHost_EndsByASignal_LeavesNothing(int signal)
    {
        await using var host = await AppHostProcess.StartProbeAsync(Script);
        var pids = await host.ReadPidsAsync("daemon", "child", "bare", "self");
        var started = ProcessTree.Descendants(host.Pid);
        Assert.Contains(started, pid => ProcessTable.CommandLine(pid).Contains("ProbeService.dll", StringComparison.Ordinal));

        var clock = Stopwatch.StartNew();
        host.Signal(signal);

        await ProcessTree.GoneAsync([host.Pid, .. started, .. pids], s_limit);
        Assert.True(clock.Elapsed < s_limit, $"It took {clock.Elapsed}.");
        if (signal != NativeMethods.SigKill)
        {
            // In order: the script was told, and the AppHost ended well.
            Assert.Equal(0, await host.ExitCodeAsync());
            Assert.Contains("told", host.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task DotnetRun_IsKilled_AppHostNoticesAndStops()
    {
        await using var host = await AppHostProcess.StartProbeAsync("echo self $$; exec sleep 1000", byDotnetRun: true);
        var pids = await host.ReadPidsAsync("self");
        var started = ProcessTree.Descendants(host.Pid);

        host.Signal(NativeMethods.SigKill);

        await ProcessTree.GoneAsync([.. started, .. pids], s_limit);
    }

    [Fact]
    public async Task Guard_NestedGuardLives_IsGivenTimeToClearItsWard()
    {
        // The outer ward's only process starts an inner guarded tree whose mark replaces the outer one, as a worker does. The inner
        // guard writes down that it had the time to finish.
        var directory = Directory.CreateTempSubdirectory("guard-").FullName;
        var done = Path.Combine(directory, "done");
        var inner = Path.Combine(directory, "inner-guard");
        await File.WriteAllTextAsync(inner, $"#!/bin/sh\nread line\nsleep 1\necho cleared > '{done}'\n");
        using var ward = Process.Start(new ProcessStartInfo("sh", ["-c", $"mkfifo '{directory}/pipe'; sh '{inner}' a-guard < '{directory}/pipe' & exec 3> '{directory}/pipe'; echo up; exec sleep 1000"])
        {
            RedirectStandardOutput = true,
            Environment = { [WardSweep.Variable] = "outer.one" },
        })!;
        Assert.Equal("up", await ward.StandardOutput.ReadLineAsync());
        var sweep = new WardSweep($"{WardSweep.Variable}=outer.");
        sweep.AddRoot(ProcessTable.Read(ward.Id)!.Value.Identity);

        Assert.True(await sweep.ClearAsync(TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(9)));

        Assert.Equal("cleared\n", await File.ReadAllTextAsync(done));
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Sweep_OtherMark_IsLeftAlone()
    {
        using var mine = Start("a.one");
        using var other = Start("ab.one");
        var sweep = new WardSweep($"{WardSweep.Variable}=a.");

        Assert.True(await sweep.ClearAsync(TimeSpan.Zero, s_limit));

        Assert.True(mine.WaitForExit(s_limit));
        Assert.False(other.HasExited);
        other.Kill();
        await other.WaitForExitAsync();

        static Process Start(string mark) => Process.Start(new ProcessStartInfo("sleep", ["1000"]) { Environment = { [WardSweep.Variable] = mark } })!;
    }

    [Fact]
    public async Task Signal_IdBelongsToAnotherProcessNow_IsNotSent()
    {
        using var process = Process.Start("sleep", ["1000"]);
        var identity = ProcessTable.Read(process.Id)!.Value.Identity;

        ProcessTable.Signal(identity with { StartTime = identity.StartTime - 1 }, NativeMethods.SigKill);
        Assert.True(ProcessTable.IsAlive(identity));

        ProcessTable.Signal(identity, NativeMethods.SigKill);
        await process.WaitForExitAsync().WaitAsync(s_limit);
        Assert.False(ProcessTable.IsAlive(identity));
    }
}
