using System.Runtime.Versioning;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Commands from submit to result through a real controller and real workers.</summary>
[SupportedOSPlatform("linux")]
public class CommandJobTests
{
    [Fact]
    public async Task Command_Fails_WithItsExitCodeLogsAndLastLines()
    {
        await using var cluster = await TestCluster.StartAsync();

        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("echo $FLUSTER_JOB_ID; echo oops >&2; exit 3"));
        var status = await job.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(JobState.Failed, status.State);
        Assert.Equal((FailureKind.ExitCode, "Exit code: 3", 3), (status.Failure!.Kind, status.Failure.Message, status.Failure.ExitCode));
        Assert.Equal(["oops"], status.Failure.LastLines.Where(line => line == "oops"));
        Assert.Equal(job.Id.ToString(), await cluster.LogAsync(job.Id));
        Assert.Equal("oops", await cluster.LogAsync(job.Id, JobLogStream.Stderr));
    }

    [Fact]
    public async Task Command_Succeeds_WithFilesSetupVariablesAndPorts()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var files = new TemporaryDirectory();
        await File.WriteAllTextAsync(files.File("input.txt"), "from the submitter\n");
        await File.WriteAllTextAsync(files.File("run.sh"), "#!/bin/sh\ncat input.txt prepared.txt; echo $GREETING; echo extra >> input.txt; echo port $FLUSTER_PORT_HTTP\n");
        File.SetUnixFileMode(files.File("run.sh"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        var job = await cluster.Client.SubmitAsync(new JobRequest
        {
            Name = "files",
            Entrypoint = JobEntrypoint.Command("./run.sh"),
            Environment = new JobEnvironment
            {
                WorkingFiles = files.Path,
                SetupCommands = ["echo preparing; echo from set-up > prepared.txt"],
                Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["GREETING"] = "hello" },
            },
            Ports = ["http"],
        });
        var status = await job.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(JobState.Succeeded, status.State);
        var port = status.Tasks.Single().Attempts.Single().Ports["http"];
        Assert.InRange(port, 10000, 20000);
        Assert.Equal($"from the submitter\nfrom set-up\nhello\nport {port}", await cluster.LogAsync(job.Id));
        Assert.Equal("preparing", await cluster.LogAsync(job.Id, JobLogStream.Build));
        Assert.Equal("from the submitter\n", await File.ReadAllTextAsync(files.File("input.txt")));
    }

    [Fact]
    public async Task Command_Missing_SaysSo()
    {
        await using var cluster = await TestCluster.StartAsync();

        var job = await cluster.Client.SubmitAsync(new JobRequest { Name = "missing", Entrypoint = JobEntrypoint.Command("no-such-program") });
        var status = await job.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal((JobState.Failed, FailureKind.ProgramNotFound), (status.State, status.Failure!.Kind));
        Assert.StartsWith("The program 'no-such-program' was not found on this worker.", status.Failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_ThatTakesTooLong_IsKilledWithItsTree()
    {
        await using var cluster = await TestCluster.StartAsync();

        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("setsid sleep 1000 & sleep 1000") with { ExecutionTimeout = TimeSpan.FromSeconds(1) });
        var status = await job.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal((JobState.Failed, FailureKind.Timeout, "Timeout exceeded", -1), (status.State, status.Failure!.Kind, status.Failure.Message, status.Failure.ExitCode));
    }

    [Fact]
    public async Task Terminate_RunningJob_EndsKilledAfterItsGrace()
    {
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.05; done"));
        await Eventually.True(async () => await cluster.LogAsync(job.Id, follow: false) == "ready", () => "the job is ready");

        await job.TerminateAsync();
        var status = await job.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal((JobState.Killed, KillCause.User), (status.State, status.Failure!.KilledBy));
        Assert.Equal("ready\ntidied", await cluster.LogAsync(job.Id));
    }

    [Fact]
    public async Task Follow_100000Lines_NoneLostNoneDoubled()
    {
        const int Lines = 100_000;
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"seq 0 {Lines - 1}"));

        var next = 0;
        await foreach (var line in job.StreamLogs(new LogOptions { Follow = true }))
        {
            Assert.Equal((next, next.ToString()), ((int)line.Number, line.Text));
            next++;
        }

        Assert.Equal(Lines, next);
    }

    [Fact]
    public async Task Follow_SlowLines_AreSeenWhileTheJobRuns()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var directory = new TemporaryDirectory();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo first; until [ -e {directory.File("go")} ]; do sleep 0.02; done; echo second"));

        var seen = new List<string>();
        await foreach (var line in job.StreamLogs(new LogOptions { Follow = true }))
        {
            seen.Add(line.Text);
            await File.WriteAllTextAsync(directory.File("go"), ""); // the job goes on only because its first line was seen
        }

        Assert.Equal(["first", "second"], seen);
    }
}
