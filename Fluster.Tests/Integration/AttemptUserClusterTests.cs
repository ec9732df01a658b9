using System.Runtime.Versioning;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Users of attempts with a real worker: what jobs cannot reach, what still works, and what is said where it does not.</summary>
[SupportedOSPlatform("linux")]
public sealed class AttemptUserClusterTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public sealed record Inside(string User, string Temporary, string Home, string Bundle, string BundleWrite);

    [UsersFact]
    public async Task Job_CannotReadOrWriteWhatIsTheWorkers()
    {
        await using var cluster = await TestCluster.StartAsync();
        var worker = cluster.Workers[0];
        var data = worker.DataDirectory;
        Assert.Equal("every attempt has a user of its own", await DetailAsync(cluster));

        // Also after a lambda, so that there are bundles and blobs.
        Assert.Equal(1, await (await cluster.Client.SubmitAsync(() => 1)).ResultAsync(s_patience));
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash(
            $"""
            exec 2>&1
            for path in {data} {data}/spool {data}/blobs {data}/work {data}/bundles; do ls $path; echo > $path/mine; done
            for path in {data}/worker.json {data}/ward {data}/lock {data}/spool/starts /proc/{worker.Process.Id}/environ; do cat $path; done
            for path in {data}/worker.json {data}/ward /run/fluster/users/mine; do echo > $path; done
            kill -9 {worker.Process.Id}
            exit 0
            """));
        await job.WaitAsync(s_patience);

        var lines = (await cluster.LogAsync(job.Id)).Split('\n');
        Assert.Equal(19, lines.Length);
        Assert.All(lines, line => Assert.True(line.EndsWith("Permission denied", StringComparison.Ordinal) || line.EndsWith("Operation not permitted", StringComparison.Ordinal), line));
    }

    [UsersFact]
    public async Task Lambda_RunsAsItsUserAndCannotChangeItsBundle()
    {
        await using var cluster = await TestCluster.StartAsync();
        var list = Enumerable.Range(0, 50_000).ToList(); // more than travels inline

        var job = await cluster.Client.SubmitAsync(() => new Inside(
            $"{File.ReadLines("/proc/self/status").First(line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1]} {list.Count}",
            Path.GetTempPath(),
            Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
            Path.GetDirectoryName(typeof(AttemptUserClusterTests).Assembly.Location)!,
            TryWrite(Path.GetDirectoryName(typeof(AttemptUserClusterTests).Assembly.Location)!)));

        var inside = await job.ResultAsync(s_patience);
        Assert.Matches("^20[0-9]{4} 50000$", inside.User);
        var work = Path.Combine(cluster.Workers[0].DataDirectory, "work");
        Assert.StartsWith(work, inside.Temporary, StringComparison.Ordinal);
        Assert.StartsWith(work, inside.Home, StringComparison.Ordinal);
        Assert.StartsWith(Path.Combine(cluster.Workers[0].DataDirectory, "bundles"), inside.Bundle, StringComparison.Ordinal);
        Assert.Equal("UnauthorizedAccessException UnauthorizedAccessException", inside.BundleWrite);
        await Eventually.True(() => Directory.GetFileSystemEntries(work).Length == 0, "the attempt's files are removed");
    }

    [UsersFact]
    public async Task SwitchedOff_RunsAsTheWorkerAndHealthSaysSo()
    {
        await using var cluster = await TestCluster.StartAsync(workerSettings: new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster__Worker__IsolateAttempts"] = "false" });

        Assert.Equal("attempts are not isolated from each other (Fluster:Worker:IsolateAttempts is false)", await DetailAsync(cluster));
        Assert.Equal("0", await OutputAsync(cluster, "id -u"));
    }

    [UsersFact]
    public async Task DataDirectoryThatOthersCannotReach_IsNamedAndRefusedWhenIsolationIsAskedFor()
    {
        using var closed = Closed();
        var settings = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster__Worker__DataDirectory"] = closed.File("data") };
        await using var cluster = await TestCluster.StartAsync(workerSettings: settings);
        var says = $"others than its owner do not get through '{closed.Path}', on the way to '{Path.Combine(closed.Path, "data", "work")}{Path.DirectorySeparatorChar}";

        Assert.StartsWith($"attempts are not isolated from each other: {says}", await DetailAsync(cluster), StringComparison.Ordinal);
        Assert.Equal("0", await OutputAsync(cluster, "id -u"));

        using var closedToo = Closed();
        await using var worker = new WorkerProcess(cluster.Controller, "worker-2", new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Worker__DataDirectory"] = closedToo.File("data"),
            ["Fluster__Worker__IsolateAttempts"] = "true",
        });
        worker.Start();
        var (exitCode, output) = await worker.EndedAsync();
        Assert.Equal(1, exitCode);
        Assert.Contains("Fluster:Worker:IsolateAttempts is true, but attempts cannot have users of their own: others than its owner", output, StringComparison.Ordinal);
    }

    private static string TryWrite(string directory)
    {
        var file = Directory.EnumerateFiles(directory).First();
        return $"{Try(() => File.WriteAllText(Path.Combine(directory, "new"), ""))} {Try(() => File.AppendAllText(file, "more"))}";

        static string Try(Action write) => Record.Exception(write)?.GetType().Name ?? "written";
    }

    private static TemporaryDirectory Closed()
    {
        var directory = new TemporaryDirectory();
        File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return directory;
    }

    private static async Task<string> OutputAsync(TestCluster cluster, string script)
    {
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash(script));
        await job.WaitAsync(s_patience);
        return await cluster.LogAsync(job.Id);
    }

    /// <summary>What health says of the runtime of processes, after how it holds them together.</summary>
    private static async Task<string> DetailAsync(TestCluster cluster)
    {
        using var channel = cluster.Controller.Channel();
        var workers = await ControllerProcess.Service(channel).ListWorkersAsync(new Cluster.V1.ListWorkersRequest(), cluster.Controller.Headers());
        return workers.Workers.Single().Health.Runtimes.Single(runtime => runtime.Name == "process").Detail.Split("; ", 2)[1];
    }
}

/// <summary>A test of what only a worker that is root can do.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class UsersFactAttribute : FactAttribute
{
    public UsersFactAttribute()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
        {
            Skip = "It needs Linux and root.";
        }
    }
}
