using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Fluster.Tests;

/// <summary>The real AppHost with the real command line: what a user does in the first five minutes, and what they leave behind.</summary>
public class AppHostTests
{
    private const int Interrupt = 2;

    private static readonly TimeSpan s_goneWithin = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Run_JobThenInterrupt_RunsItKillsTheLiveOneAndLeavesNothing()
    {
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");
        await using var host = await AppHostProcess.StartFlusterAsync(directory.File("data"), context);
        Assert.Contains("./fluster job run -- ", host.Output, StringComparison.Ordinal);

        // Its jobs read what only whoever started it may read.
        var own = Directory.CreateTempSubdirectory("fluster-own-").FullName;
        await File.WriteAllTextAsync(Path.Combine(own, "notes"), "mine\n");
        using (var job = CliProcess.Start(context, "job", "run", "--", "bash", "-c", $"echo id $FLUSTER_JOB_ID; cat {own}/notes; exit 3"))
        {
            Assert.Equal(3, await job.ExitAsync());
            Assert.Matches("^id bash-[0-9a-f]{8}\nmine\n$", job.Out);
        }

        Directory.Delete(own, recursive: true);

        using (var workers = CliProcess.Start(context, "worker", "list", "--output", "json"))
        {
            await workers.ExitAsync();
            Assert.Contains("worker-1", workers.Out, StringComparison.Ordinal);
            Assert.Contains("worker-2", workers.Out, StringComparison.Ordinal);
        }

        using var live = CliProcess.Start(context, "job", "run", "--", "bash", "-c", "(setsid sleep 4321 &); echo up $$; trap 'echo told' TERM; while :; do sleep 0.1; done");
        var leader = await PidAsync(host, live, "up");
        var started = ProcessTree.Descendants(host.Pid);
        Assert.True(ProcessTree.IsAlive(leader));

        host.Signal(Interrupt);

        // The job is told, has its grace, and is killed, and the client hears why.
        Assert.Equal(137, await live.ExitAsync());
        Assert.Contains("told", live.Out, StringComparison.Ordinal);
        Assert.Contains("the cluster shut down", live.Error, StringComparison.Ordinal);
        Assert.Equal(0, await host.ExitCodeAsync());
        await ProcessTree.GoneAsync([leader, .. started], s_goneWithin);
        Assert.Empty(JsonNode.Parse(await File.ReadAllTextAsync(context))!["contexts"]!.AsObject());
    }

    [Fact]
    public async Task Run_IsKilled_NothingIsLeftNotEvenJobs()
    {
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");
        await using var host = await AppHostProcess.StartFlusterAsync(directory.File("data"), context);
        using var job = CliProcess.Start(
            context, "job", "run", "--", "bash", "-c", "(setsid bash -c 'echo daemon $$; exec sleep 4322' &); env -i bash -c 'echo bare $$; exec /bin/sleep 4323' & trap '' TERM; echo up $$; while :; do sleep 0.1; done");
        int[] pids = [await PidAsync(host, job, "daemon"), await PidAsync(host, job, "bare"), await PidAsync(host, job, "up")];
        var started = ProcessTree.Descendants(host.Pid);

        host.Signal(Signals.Kill);

        await ProcessTree.GoneAsync([.. pids, .. started], s_goneWithin);
    }

    [Fact]
    public async Task Run_NoRedis_WorksFromMemory()
    {
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");
        var path = AppHostProcess.PathOf(directory, "sh", "bash", "setsid", "sleep", "env");
        await using var host = await AppHostProcess.StartFlusterAsync(directory.File("data"), context, path: path);

        Assert.Contains("redis-server is not on PATH", await host.LineAsync(line => line.StartsWith("[registry]", StringComparison.Ordinal)), StringComparison.Ordinal);
        using var job = CliProcess.Start(context, "job", "run", "--", "bash", "-c", "echo works");
        Assert.Equal(0, await job.ExitAsync());
        Assert.Equal("works\n", job.Out);
    }

    [Fact]
    public async Task Run_SecondAppHostAndFresh_EachHasItsOwn()
    {
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");
        var data = directory.File("data");
        await using (var first = await AppHostProcess.StartFlusterAsync(data, context))
        {
            await using var second = await AppHostProcess.StartFlusterAsync(data, context);
            Assert.Contains("--context default-2 ", second.Output, StringComparison.Ordinal);
            var contexts = JsonNode.Parse(await File.ReadAllTextAsync(context))!["contexts"]!;
            Assert.NotEqual((string?)contexts["default"]!["address"], (string?)contexts["default-2"]!["address"]);

            using var job = CliProcess.Start(context, "--context", "default-2", "job", "run", "--", "true");
            Assert.Equal(0, await job.ExitAsync());
            Assert.Matches("true-[0-9a-f]{8}", await JobsAsync("default-2"));
            Assert.DoesNotContain("true-", await JobsAsync("default"), StringComparison.Ordinal);
            second.Signal(Interrupt);
            await second.ExitCodeAsync();

            using var kept = CliProcess.Start(context, "job", "run", "--", "true");
            Assert.Equal(0, await kept.ExitAsync());
            first.Signal(Interrupt);
            await first.ExitCodeAsync();
        }

        await using (var again = await AppHostProcess.StartFlusterAsync(data, context))
        {
            Assert.Matches("true-[0-9a-f]{8}", await JobsAsync("default"));
            again.Signal(Interrupt);
            await again.ExitCodeAsync();
        }

        await using var fresh = await AppHostProcess.StartFlusterAsync(data, context, fresh: true);
        Assert.DoesNotContain("true-", await JobsAsync("default"), StringComparison.Ordinal);

        async Task<string> JobsAsync(string name)
        {
            using var list = CliProcess.Start(context, "--context", name, "job", "list", "--output", "json");
            Assert.Equal(0, await list.ExitAsync());
            return list.Out;
        }
    }

    private static async Task<int> PidAsync(AppHostProcess host, CliProcess job, string name)
    {
        var match = Match.Empty;
        await Eventually.True(() => (match = Regex.Match(job.Out, $"^{name} ([0-9]+)$", RegexOptions.Multiline, TimeSpan.FromSeconds(1))).Success, () => job.Out + job.Error + host.Output);
        return int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
    }
}
