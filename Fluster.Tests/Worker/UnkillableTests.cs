using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A process that SIGKILL does not end. A frozen control group makes one: the kill takes effect when it thaws.</summary>
[SupportedOSPlatform("linux")]
public class UnkillableTests
{
    [IsolationFact(nameof(IsolationMode.Cgroup1))]
    public async Task ProcessThatCannotBeKilled_OutcomeIsToldAndTheEndComesWhenItHasGone()
    {
        await using var bench = new RuntimeBench(nameof(IsolationMode.Marker), unkillableAfter: TimeSpan.FromSeconds(1));
        using var directory = new TemporaryDirectory();
        await using var group = new FrozenGroup();
        var test = bench.Start(RuntimeBench.Bash($"sleep 100 & echo $!; until [ -e {directory.File("go")} ]; do sleep 0.05; done; exit 3"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout).EndsWith('\n'), "it runs");
        var process = int.Parse(bench.TextOf(test.Fence, V1.LogStream.Stdout), CultureInfo.InvariantCulture);
        await group.FreezeAsync(process);
        await File.WriteAllTextAsync(directory.File("go"), "");

        var undead = await test.UndeadAsync();
        Assert.Equal((3, process), (undead.End.ExitCode, undead.Processes.Single()));
        Assert.Contains($"SIGKILL does not end process {process}.", bench.Runtime.Problems.Single(), StringComparison.Ordinal);
        Assert.Equal(0, test.Ends);

        await group.ThawAsync();
        Assert.Equal(3, (await test.EndAsync()).ExitCode);
        Assert.Empty(bench.Runtime.Problems);
    }

    [EngineFact]
    public async Task ContainerThatCannotBeKilled_OutcomeIsToldAndTheEndComesWhenItHasGone()
    {
        if (!IsolationDataAttribute.IsAvailable(IsolationMode.Cgroup1))
        {
            return; // nothing here can make a process that SIGKILL does not end
        }

        await using var bench = new DockerBench(unkillableAfter: TimeSpan.FromSeconds(1));
        await using var group = new FrozenGroup();
        var test = bench.Start(DockerBench.Bash("echo up; sleep 100"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "up\n", "it runs");
        var init = (await bench.Engine.FindContainerAsync(bench.NameOf(test.Fence), CancellationToken.None))!.State.Pid;
        await group.FreezeAsync(init);

        test.Attempt.Kill();
        var undead = await test.UndeadAsync();
        Assert.Contains(init, undead.Processes);
        Assert.Equal((FailureKind.WorkerFault, 1), (undead.End.Failure?.Kind, undead.End.Logs.StdoutLines));
        Assert.Contains("does not end", bench.Runtime.Problems.Single(), StringComparison.Ordinal);
        Assert.Equal(0, test.Ends);

        await group.ThawAsync();
        Assert.Equal(9, (await test.EndAsync()).Signal);
        Assert.Empty(bench.Runtime.Problems);
        Assert.Empty(await bench.ContainersAsync());
    }

    /// <summary>A control group that stops what is put into it, until it is thawed; at the latest after a minute, should the test be cut off.</summary>
    private sealed class FrozenGroup : IAsyncDisposable
    {
        private readonly string _directory = Path.Combine(CgroupMount.FindOwnGroup(IsolationMode.Cgroup1)!, $"fluster-test-{Ward.NewId()}");
        private readonly Process _thaw;

        public FrozenGroup()
        {
            Directory.CreateDirectory(_directory);
            _thaw = Process.Start("sh", ["-c", $"sleep 60; echo THAWED > {State}"]);
        }

        private string State => Path.Combine(_directory, "freezer.state");

        public async Task FreezeAsync(int process)
        {
            await File.WriteAllTextAsync(Path.Combine(_directory, "cgroup.procs"), $"{process}");
            await File.WriteAllTextAsync(State, "FROZEN");
            await Eventually.True(() => File.ReadAllText(State) == "FROZEN\n", "it is frozen");
        }

        public Task ThawAsync() => File.WriteAllTextAsync(State, "THAWED");

        public async ValueTask DisposeAsync()
        {
            await ThawAsync();
            _thaw.Kill(entireProcessTree: true);
            _thaw.Dispose();
            await Eventually.True(() => CgroupTree.IsEmpty(_directory), "the group is empty");
            CgroupTree.RemoveBelow(_directory);
        }
    }
}
