using System.Diagnostics;
using System.Text.Json;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The real program against a controller whose jobs do what the test says.</summary>
public sealed class JobRunTests : IAsyncLifetime
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fluster-cli-");
    private readonly List<CliProcess> _processes = [];
    private ScriptedController? _controller;
    private string _context = "";

    [Fact]
    public async Task Run_JobWrites_OutputGoesWhereTheJobSentItAndTheIdToStandardError()
    {
        Controller.Play = job =>
        {
            job.Write("one\n");
            job.Write("oops\n", V1.LogStream.Stderr);
            job.Write([0xff, 0x00, 0x80, (byte)'x']); // not UTF-8, no line feed at the end
            job.End(V1.JobState.Failed, new V1.Failure { Kind = V1.FailureKind.ExitCode, ExitCode = 3, Message = "Exit code: 3" });
            return Task.CompletedTask;
        };

        var run = Start("job", "run", "--", "bash", "-c", "echo $X; exit 3");

        Assert.Equal(3, await run.ExitAsync());
        Assert.Equal([.. "one\n"u8, 0xff, 0x00, 0x80, (byte)'x'], run.OutBytes);
        var id = Assert.Single(Controller.Jobs).Info.JobId;
        Assert.Matches("^bash-[0-9a-f]{8}$", id);
        Assert.Equal($"{id}\noops\n", run.Error);
    }

    [Fact]
    public async Task Run_Options_BecomeTheJobsRequest()
    {
        var run = Start(
            "job", "run", "--name", "train", "--cpu", "0.5", "--memory", "2g", "-e", "A=1=2", "--env", "B=", "--port", "http", "--port", "metrics", "--replicas", "3",
            "--retries", "2", "--timeout", "90s", "--namespace", "team", "--image", "ubuntu:24.04", "--", "@file", "--", "-x", "--name", "of the job", "");

        Assert.Equal(0, await run.ExitAsync());
        var spec = Assert.Single(Controller.Jobs).Spec;
        Assert.Equal(["@file", "--", "-x", "--name", "of the job", ""], spec.Entrypoint.Command.Argv);
        Assert.Equal(("train", 500, 2L << 30, 3, "team"), (spec.Name, spec.Resources.CpuMillis, spec.Resources.MemoryBytes, spec.Replicas, spec.Namespace));
        Assert.Equal(2, spec.Retries.Failures);
        Assert.Equal(TimeSpan.FromSeconds(90), spec.ExecutionTimeout.ToTimeSpan());
        Assert.Equal(["http", "metrics"], spec.Ports);
        Assert.Equal("ubuntu:24.04", spec.Environment.Image);
        Assert.Equal(("1=2", ""), (spec.Environment.Variables["A"], spec.Environment.Variables["B"]));
    }

    [Fact]
    public async Task Run_ManyLines_AllArriveInOrder()
    {
        const int Lines = 100_000;
        Controller.Play = job =>
        {
            foreach (var chunk in Enumerable.Range(0, Lines).Chunk(500))
            {
                job.Write(string.Concat(chunk.Select(number => $"line {number}\n")));
            }

            job.End();
            return Task.CompletedTask;
        };

        var run = Start("job", "run", "--", "seq");

        Assert.Equal(0, await run.ExitAsync());
        Assert.Equal(string.Concat(Enumerable.Range(0, Lines).Select(number => $"line {number}\n")), run.Out);
    }

    [Fact]
    public async Task Run_SeveralTasks_LinesCarryTheirTask()
    {
        Controller.Play = job =>
        {
            job.Write("a\nb\n", task: 1);
            job.Write("c\n", task: 0);
            job.End();
            return Task.CompletedTask;
        };

        var run = Start("job", "run", "--replicas", "2", "--", "true");

        Assert.Equal(0, await run.ExitAsync());
        Assert.Equal("[1] a\n[1] b\n[0] c\n", run.Out);
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public async Task Run_Interrupted_StopsTheJobAndPrintsItsLastWords(string signal, int exitCode)
    {
        Controller.Play = async job =>
        {
            job.Write("working\n");
            await job.StopRequested;
            job.Write("stopping\n");
            job.End(V1.JobState.Killed, new V1.Failure { Kind = V1.FailureKind.Killed, KilledBy = V1.KillCause.User, Message = "Killed by a user" });
        };
        var run = Start("job", "run", "--", "sleep", "1000");
        await Eventually.True(() => run.Out == "working\n", () => run.Error);

        await run.SignalAsync(signal);

        Assert.Equal(exitCode, await run.ExitAsync());
        Assert.Equal("working\nstopping\n", run.Out);
        Assert.True(Assert.Single(Controller.Jobs).StopRequested.IsCompleted);
    }

    [Fact]
    public async Task Run_InterruptedTwice_LeavesAtOnce()
    {
        Controller.Play = job =>
        {
            job.Write("working\n");
            return Task.CompletedTask; // never ends, whatever is asked
        };
        var run = Start("job", "run", "--", "sleep", "1000");
        await Eventually.True(() => run.Out == "working\n", () => run.Error);

        await run.SignalAsync("INT");
        await Controller.Jobs[0].StopRequested.WaitAsync(TimeSpan.FromSeconds(30));
        await Eventually.True(() => run.Error.Contains("Ctrl+C again", StringComparison.Ordinal), () => run.Error);
        await run.SignalAsync("INT");

        Assert.Equal(130, await run.ExitAsync());
    }

    [Fact]
    public async Task Run_ProcessIsKilled_JobGoesOn()
    {
        Controller.Play = job =>
        {
            job.Write("working\n");
            return Task.CompletedTask;
        };
        var run = Start("job", "run", "--", "sleep", "1000");
        await Eventually.True(() => run.Out == "working\n", () => run.Error);

        await run.SignalAsync("KILL");
        await run.ExitAsync();

        Assert.False(Controller.Jobs[0].StopRequested.IsCompleted);
    }

    [Fact]
    public async Task Run_ReaderGoesAway_StopsTheJobAsSigpipeWould()
    {
        Controller.Play = async job =>
        {
            while (!job.StopRequested.IsCompleted)
            {
                job.Write("y\n");
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
            }

            job.End(V1.JobState.Killed);
        };
        using var shell = Process.Start(new ProcessStartInfo("bash", ["-c", "dotnet \"$1\" job run -- yes | head -1; exit ${PIPESTATUS[0]}", "bash", CliProcess.Program])
        {
            RedirectStandardOutput = true,
            Environment = { [FlusterEnvironment.ContextFile] = _context },
        })!;

        Assert.Equal("y\n", await shell.StandardOutput.ReadToEndAsync());
        await shell.WaitForExitAsync();

        Assert.Equal(141, shell.ExitCode);
        await Controller.Jobs[0].StopRequested.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Run_JobFindsNoPlace_SaysWhatItWaitsFor()
    {
        var enough = new TaskCompletionSource();
        Controller.Play = async job =>
        {
            job.Wait("no worker has 64 cores");
            await enough.Task;
            job.End();
        };
        var run = Start("job", "run", "--", "true");

        await Eventually.True(() => run.Error.Contains("waits: no worker has 64 cores", StringComparison.Ordinal), () => run.Error);
        enough.SetResult();

        Assert.Equal(0, await run.ExitAsync());
    }

    [Fact]
    public async Task Submit_Json_IsTheId()
    {
        var submit = Start("job", "submit", "-o", "json", "--", "true");

        Assert.Equal(0, await submit.ExitAsync());
        using var json = JsonDocument.Parse(submit.OutBytes);
        Assert.Equal(Controller.Jobs[0].Info.JobId, json.RootElement.GetProperty("id").GetString());
        Assert.Equal("", submit.Error);
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

    private ScriptedController Controller => _controller!;

    private CliProcess Start(params string[] arguments)
    {
        var process = CliProcess.Start(_context, arguments);
        _processes.Add(process);
        return process;
    }
}
