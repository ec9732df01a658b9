using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
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
        var group = Path.Combine(CgroupMount.FindOwnGroup(IsolationMode.Cgroup1)!, $"fluster-test-{Ward.NewId()}");
        var state = Path.Combine(group, "freezer.state");
        Directory.CreateDirectory(group);
        using var thaw = Process.Start("sh", ["-c", $"sleep 60; echo THAWED > {state}"]); // should this test be cut off
        try
        {
            var test = bench.Start(RuntimeBench.Bash($"sleep 100 & echo $!; until [ -e {directory.File("go")} ]; do sleep 0.05; done; exit 3"));
            await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout).EndsWith('\n'), "it runs");
            var process = int.Parse(bench.TextOf(test.Fence, V1.LogStream.Stdout), CultureInfo.InvariantCulture);
            await File.WriteAllTextAsync(Path.Combine(group, "cgroup.procs"), $"{process}");
            await File.WriteAllTextAsync(state, "FROZEN");
            await Eventually.True(() => File.ReadAllText(state) == "FROZEN\n", "it is frozen");
            await File.WriteAllTextAsync(directory.File("go"), "");

            var undead = await test.UndeadAsync();
            Assert.Equal((3, process), (undead.End.ExitCode, undead.Processes.Single()));
            Assert.Contains($"SIGKILL does not end process {process}.", bench.Runtime.Problems.Single(), StringComparison.Ordinal);
            Assert.Equal(0, test.Ends);

            await File.WriteAllTextAsync(state, "THAWED");
            Assert.Equal(3, (await test.EndAsync()).ExitCode);
            Assert.Empty(bench.Runtime.Problems);
        }
        finally
        {
            await File.WriteAllTextAsync(state, "THAWED");
            thaw.Kill(entireProcessTree: true);
            await Eventually.True(() => CgroupTree.IsEmpty(group), "the group is empty");
            CgroupTree.RemoveBelow(group);
        }
    }
}
