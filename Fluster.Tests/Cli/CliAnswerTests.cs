using System.Text.Json;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What the other commands answer, and how they say that something is wrong: in one line.</summary>
public sealed class CliAnswerTests : IAsyncLifetime
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fluster-cli-");
    private readonly List<CliProcess> _processes = [];
    private ScriptedController? _controller;
    private string _context = "";

    [Fact]
    public async Task NoCluster_AnyCommand_SaysWhatToStart()
    {
        var list = Start(Path.Combine(_directory.FullName, "none.json"), "job", "list");

        Assert.Equal(125, await list.ExitAsync());
        Assert.Matches(@"^fluster: There is no cluster to speak to: .* Start one with 'fluster cluster up' \(in a checkout of Fluster also with 'dotnet run --project Fluster\.AppHost'\), or name one that runs with 'fluster login'\.\n$", list.Error);
    }

    [Fact]
    public async Task NothingListens_AnyCommand_SaysWhatToStart()
    {
        var context = await CliProcess.WriteContextAsync(_directory.CreateSubdirectory("gone").FullName, "http://127.0.0.1:1", "t");

        var run = Start(context, "job", "run", "--", "true");

        Assert.Equal(125, await run.ExitAsync());
        Assert.Matches(@"^fluster: No controller is running at http://127\.0\.0\.1:1 .*: the connection was refused\. Check the address\. Start one with 'fluster cluster up' .*\n$", run.Error);
    }

    [Theory]
    [InlineData("wrong")]
    [InlineData(null)]
    public async Task WrongToken_AnyCommand_SaysWhereItComesFrom(string? token)
    {
        var context = await CliProcess.WriteContextAsync(_directory.CreateSubdirectory("wrong").FullName, _controller!.Address, token);

        var run = Start(context, "job", "run", "--", "true");

        Assert.Equal(125, await run.ExitAsync());
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.Contains("token", run.Error, StringComparison.Ordinal);
        Assert.Contains("context.json", run.Error, StringComparison.Ordinal);
        Assert.Empty(_controller.Jobs);
    }

    [Fact]
    public async Task UnknownJob_NearName_IsSuggested()
    {
        _controller!.Add("trainer-1a2b3c4d", "trainer");

        var show = Start(_context, "job", "show", "tainer");

        Assert.Equal(125, await show.ExitAsync());
        Assert.Equal("fluster: There is no job 'tainer' in the namespace default. Did you mean trainer?\n", show.Error);
    }

    [Theory]
    [InlineData("job", "stop", "nothing-like-it")]
    [InlineData("job", "logs", "UPPER/case")]
    public async Task UnknownJob_NothingNear_SaysWhereToLook(params string[] arguments)
    {
        _controller!.Add("trainer-1a2b3c4d", "trainer");

        var command = Start(_context, arguments);

        Assert.Equal(125, await command.ExitAsync());
        Assert.Equal($"fluster: There is no job '{arguments[^1]}' in the namespace default. See 'fluster job list'.\n", command.Error);
    }

    [Theory]
    [InlineData("fluster: 'x' is not a number of cores: write it like 2 or 0.5. See 'fluster job run --help'.", "job", "run", "--cpu", "x", "--", "true")]
    [InlineData("fluster: '12q' is not a size: write it like 512m or 2g. See 'fluster job run --help'.", "job", "run", "--memory", "12q", "--", "true")]
    [InlineData("fluster: 'soon' is not a time: write it like 90s, 5m or 1.5h. See 'fluster job run --help'.", "job", "run", "--timeout", "soon", "--", "true")]
    [InlineData("fluster: 'A-B/C' is not a job name: '/' separates the parts of a job id and cannot be in a name.", "job", "run", "--name", "A-B/C", "--", "true")]
    [InlineData("fluster: 'jbo' is no command of 'fluster'. Did you mean job? See 'fluster --help'.", "jbo")]
    [InlineData("fluster: 'lst' is no command of 'fluster job'. Did you mean list? See 'fluster job --help'.", "job", "lst")]
    [InlineData("fluster: Required argument missing for command: 'run'. See 'fluster job run --help'.", "job", "run")]
    [InlineData("fluster: The variable FLUSTER_TEST_NOT_SET is not set here; write FLUSTER_TEST_NOT_SET=VALUE.", "job", "run", "--env", "FLUSTER_TEST_NOT_SET", "--", "true")]
    public async Task BadArguments_AnyCommand_SayWhatIsWrongAndChangeNothing(string error, params string[] arguments)
    {
        var command = Start(_context, arguments);

        Assert.Equal(125, await command.ExitAsync());
        Assert.Equal(error + "\n", command.Error);
        Assert.Empty(_controller!.Jobs);
    }

    [Fact]
    public async Task List_InAPipe_IsPlainColumns()
    {
        _controller!.Add("trainer-1a2b3c4d", "trainer").End();
        _controller.Add("eval-00000001", "eval");

        var list = Start(_context, "job", "list");

        Assert.Equal(0, await list.ExitAsync());
        var lines = list.Out.TrimEnd('\n').Split('\n');
        Assert.Matches("^JOB +STATE +AGE +RAN +RUNS$", lines[0]);
        Assert.Matches("^eval-00000001 +Running ", lines[1]);
        Assert.Matches("^trainer-1a2b3c4d +Succeeded ", lines[2]);
        Assert.DoesNotContain('\e', list.Out);
    }

    [Fact]
    public async Task List_Json_IsAnArray()
    {
        _controller!.Add("trainer-1a2b3c4d", "trainer").End(V1.JobState.Failed, new V1.Failure { Kind = V1.FailureKind.ExitCode, ExitCode = 3, Message = "Exit code: 3" });

        var list = Start(_context, "job", "list", "--output", "json");

        Assert.Equal(0, await list.ExitAsync());
        using var json = JsonDocument.Parse(list.OutBytes);
        var job = Assert.Single(json.RootElement.EnumerateArray());
        Assert.Equal(("trainer-1a2b3c4d", "Failed", 3), (job.GetProperty("id").GetString(), job.GetProperty("state").GetString(), job.GetProperty("exitCode").GetInt32()));
        Assert.Equal("Exit code: 3", job.GetProperty("failure").GetProperty("message").GetString());
    }

    [Fact]
    public async Task Show_BareName_IsItsNewestRun()
    {
        _controller!.Add("trainer-00000001", "trainer");
        _controller.Add("trainer-00000002", "trainer").End(V1.JobState.Failed, new V1.Failure { Kind = V1.FailureKind.Timeout, Message = "Timeout exceeded", ExitCode = -1 });

        var show = Start(_context, "job", "show", "trainer");

        Assert.Equal(0, await show.ExitAsync());
        Assert.Contains("trainer-00000002", show.Out, StringComparison.Ordinal);
        Assert.Contains("Timeout exceeded", show.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("trainer-00000001", show.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logs_Follow_PrintsUntilTheJobEnds()
    {
        var job = _controller!.Add("trainer-00000001", "trainer");
        job.Write("one\n");

        var logs = Start(_context, "job", "logs", "-f", "trainer-00000001");
        await Eventually.True(() => logs.Out == "one\n", () => logs.Error);
        job.Write("two\n");
        await Eventually.True(() => logs.Out == "one\ntwo\n", () => logs.Error);
        job.End();

        Assert.Equal(0, await logs.ExitAsync());
        Assert.Equal("one\ntwo\n", logs.Out);
    }

    [Fact]
    public async Task Wait_SeveralJobs_ExitsAsTheFirstThatFailed()
    {
        _controller!.Add("a-00000001", "a").End();
        _controller.Add("b-00000001", "b").End(V1.JobState.Failed, new V1.Failure { Kind = V1.FailureKind.Signal, Signal = 11, Message = "Signal: 11" });
        _controller.Add("c-00000001", "c").End(V1.JobState.Killed, new V1.Failure { Kind = V1.FailureKind.Killed, Message = "Killed by a user" });

        var wait = Start(_context, "job", "wait", "a", "b", "c");

        Assert.Equal(139, await wait.ExitAsync());
        Assert.Equal("a-00000001 Succeeded\nb-00000001 Failed: Signal: 11\nc-00000001 Killed: Killed by a user\n", wait.Out);
    }

    [Fact]
    public async Task Wait_TimeoutPasses_Exits124AndTheJobGoesOn()
    {
        var job = _controller!.Add("a-00000001", "a");

        var wait = Start(_context, "job", "wait", "a", "--timeout", "300ms");

        Assert.Equal(124, await wait.ExitAsync());
        Assert.Contains("a-00000001 has not ended after 0.3 s", wait.Error, StringComparison.Ordinal);
        Assert.False(job.StopRequested.IsCompleted);
    }

    [Fact]
    public async Task Stop_RunningJob_AsksItToStop()
    {
        var job = _controller!.Add("a-00000001", "a");

        var stop = Start(_context, "job", "stop", "a-00000001");

        Assert.Equal(0, await stop.ExitAsync());
        Assert.Equal("a-00000001 is stopping\n", stop.Out);
        Assert.True(job.StopRequested.IsCompleted);
    }

    [Fact]
    public async Task WorkerListAndClusterStatus_Text_SayWhatThereIs()
    {
        var workers = Start(_context, "worker", "list");
        var status = Start(_context, "cluster", "status");

        Assert.Equal(0, await workers.ExitAsync());
        Assert.Equal(0, await status.ExitAsync());
        Assert.Matches(@"(?m)^worker-1 +Alive +1/10 +0\.5/2 +256 MiB/4 GiB +cgroup2", workers.Out);
        Assert.Matches(@"(?m)^up for +1 min 15 s$", status.Out);
        Assert.Matches(@"(?m)^jobs +2 Running, 5 Succeeded$", status.Out);
    }

    [Fact]
    public async Task VmList_SaysHowFarMachinesAre_AndWhereNoneAreToBeHad()
    {
        var text = Start(_context, "vm", "list");
        var json = Start(_context, "vm", "list", "--output", "json");

        Assert.Equal((0, 0), (await text.ExitAsync(), await json.ExitAsync()));
        Assert.Matches(@"(?m)^MACHINE +STATE +BACKEND +SHAPE +ZONE +WORKERS +AGE +WHY$", text.Out);
        Assert.Matches(@"(?m)^fluster-0000000a +Booting +gce +n2-standard-4 +us-central1-a +0/1 +.* for train-00000001$", text.Out);
        Assert.Matches(@"(?m)^fluster-tpu-0000000b +Releasing +tpu +v5litepod-16 +us-west4-a +4/4 +.* its worker fluster-tpu-0000000b-2 is lost$", text.Out);
        Assert.Contains("None are asked for in us-central1-b until 12:00:05 UTC (Stockout): none left there", text.Error, StringComparison.Ordinal);
        using var parsed = JsonDocument.Parse(json.OutBytes);
        Assert.Equal(4, parsed.RootElement.GetProperty("vms")[1].GetProperty("workers").GetArrayLength());
        Assert.Equal("us-central1-b", parsed.RootElement.GetProperty("blocked")[0].GetProperty("scope").GetString());
    }

    [Fact]
    public async Task Help_HalfACommand_ShowsTheOtherHalves()
    {
        var help = Start(_context, "job");

        Assert.Equal(0, await help.ExitAsync());
        Assert.Contains("run <command>", help.Out, StringComparison.Ordinal);
    }

    public async Task InitializeAsync()
    {
        _controller = await ScriptedController.StartAsync();
        _context = await CliProcess.WriteContextAsync(_directory.FullName, _controller.Address, ScriptedController.Token);
    }

    public async Task DisposeAsync()
    {
        _processes.ForEach(process => process.Dispose());
        await _controller!.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    private CliProcess Start(string context, params string[] arguments)
    {
        var process = CliProcess.Start(context, arguments);
        _processes.Add(process);
        return process;
    }
}
