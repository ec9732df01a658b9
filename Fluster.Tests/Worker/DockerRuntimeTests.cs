using System.Runtime.Versioning;
using System.Text.Json;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What a job sees of its container, and what the worker sees of the job: real containers.</summary>
[SupportedOSPlatform("linux")]
public class DockerRuntimeTests
{
    [EngineFact]
    public async Task Run_ExitCodesAndOutput_AreReported()
    {
        await using var bench = new DockerBench();

        var (zero, output) = await bench.RunForOutputAsync(DockerBench.Bash("echo out; echo err >&2"));
        var three = await bench.RunAsync(DockerBench.Bash("echo before; exit 3"));

        Assert.Equal((0, "out\n", null), (zero.ExitCode, output, zero.Failure));
        Assert.Equal((1, 1, 0), (zero.Logs.StdoutLines, zero.Logs.StderrLines, zero.Logs.BuildLines));
        Assert.False(zero.Logs.UnknownTail);
        Assert.Equal((3, "before"), (three.ExitCode, three.LastLines.Single()));
        Assert.Empty(await bench.ContainersAsync());
        Assert.False(Directory.EnumerateFileSystemEntries(bench.WorkDirectory).Any());
    }

    [Fact]
    public async Task Request_OfAnAttemptWithGpus_NamesThemByIndex()
    {
        await using var bench = new DockerBench();

        var with = Request(1, 3);
        Assert.Equal("""[{"DeviceIDs":["1","3"],"Capabilities":[["gpu"]]}]""", with.GetProperty("HostConfig").GetProperty("DeviceRequests").GetRawText());
        Assert.Contains("CUDA_VISIBLE_DEVICES=0,1", with.GetProperty("Env").EnumerateArray().Select(variable => variable.GetString())); // inside they are numbered from 0
        Assert.False(Request().GetProperty("HostConfig").TryGetProperty("DeviceRequests", out _));

        JsonElement Request(params int[] gpus)
        {
            var spec = DockerBench.Bash("true", spec => spec.GpuIndices.AddRange(gpus));
            var plan = new ContainerPlan(spec, new Fence(1), bench.Runtime, new AttemptDirectory(bench.WorkDirectory), new DockerImage("sha256:1", Config: null), new Dictionary<string, int>(StringComparer.Ordinal));
            return JsonSerializer.SerializeToElement(plan.Request(), DockerJson.Default.DockerContainerRequest);
        }
    }

    /// <summary>Root in root's group may ask the metadata server: no container is that on a machine that has one.</summary>
    [Theory]
    [InlineData("", "0:65534")]
    [InlineData("root", "root:65534")]
    [InlineData("0:0", "0:65534")]
    [InlineData("toor:wheel", "toor:65534")]
    [InlineData("1000:00", "1000:65534")]
    [InlineData("1000:200000", "1000:65534")]
    [InlineData("1000:1000", "1000:1000")]
    public async Task Request_WhereTheMetadataServerIsClosed_IsNotRootInRootsGroup(string named, string expected)
    {
        await using var bench = new DockerBench(metadataGroup: 200_000);

        Assert.Equal((expected, 0), Request(asks: false));
        Assert.Equal((expected, 1), Request(asks: true));

        (string? User, int Groups) Request(bool asks)
        {
            var spec = DockerBench.Bash("true", spec => spec.Environment.MetadataServer = asks);
            var image = new DockerImage("sha256:1", new DockerImageConfig(named, WorkingDir: null));
            var request = new ContainerPlan(spec, new Fence(1), bench.Runtime, new AttemptDirectory(bench.WorkDirectory), image, new Dictionary<string, int>(StringComparer.Ordinal)).Request();
            return (request.User, request.HostConfig.GroupAdd.Count(group => group == "200000"));
        }
    }

    /// <summary>The program in the container finds the notice where it is told to look, whoever it runs as.</summary>
    [EngineFact]
    public async Task Run_Preempted_TheProgramReadsItsNotice()
    {
        await using var bench = new DockerBench();

        var running = bench.Start(DockerBench.Bash("trap 'cat $FLUSTER_PREEMPTION_FILE; exit 7' TERM; echo runs; while true; do sleep 0.05; done"));
        await Eventually.True(() => bench.TextOf(running.Fence, V1.LogStream.Stdout) == "runs\n", "it is ready");
        running.Attempt.Notify(new PreemptionNotice(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero)));
        running.Attempt.Terminate();
        var end = await running.EndAsync();

        Assert.Equal(7, end.ExitCode);
        Assert.StartsWith("2030-01-02T03:04:05", end.LastLines[^1], StringComparison.Ordinal);
    }

    [EngineFact]
    public async Task Run_EndedBySignal_SaysWhich()
    {
        await using var bench = new DockerBench();

        var end = await bench.RunAsync(DockerBench.Bash("kill -SEGV $$"));

        Assert.Equal((null, 11, null), (end.ExitCode, end.Signal, end.MemoryLimitPassed));
    }

    [EngineFact]
    public async Task Run_Environment_IsOursOverTheUsersOverTheImagesAndNothingOfTheWorkers()
    {
        await using var bench = new DockerBench();

        var (_, output) = await bench.RunForOutputAsync(DockerBench.Command(["env"], spec =>
        {
            spec.Ports.Add("http");
            spec.Environment.Variables.Add("GREETING", "hello world");
            spec.Environment.Variables.Add("FLUSTER_JOB_ID", "forged");
        }));

        var variables = output.TrimEnd().Split('\n').Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.Equal("test-1a2b3c4d", variables["FLUSTER_JOB_ID"]);
        Assert.Equal("hello world", variables["GREETING"]);
        Assert.Equal("secret", variables["FLUSTER_TOKEN"]);
        Assert.InRange(int.Parse(variables["FLUSTER_PORT_HTTP"]), 20000, 25000);
        Assert.Contains("/usr/bin", variables["PATH"], StringComparison.Ordinal);
        Assert.DoesNotContain(variables.Keys, name => name.StartsWith("Fluster__", StringComparison.Ordinal) || name.StartsWith("LC_", StringComparison.Ordinal));
    }

    [EngineFact]
    public async Task Run_IsConfined_NoCapabilitiesNoNewPrivilegesLimitsOfItsOwn()
    {
        await using var bench = new DockerBench();

        var (end, output) = await bench.RunForOutputAsync(DockerBench.Bash(
            "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max; pwd; ls -A",
            spec =>
            {
                spec.Resources.CpuMillis = 500;
                spec.Resources.MemoryBytes = 64 << 20;
            }));

        Assert.Equal(0, end.ExitCode);
        Assert.Equal("CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n67108864\n50000\n/fluster/work\n", output);
    }

    [EngineFact]
    public async Task Run_MemoryBomb_IsOutOfMemory()
    {
        const long Limit = 32L << 20;
        await using var bench = new DockerBench();

        var end = await bench.RunAsync(DockerBench.Bash("x=x; while :; do x=$x$x; done", spec => spec.Resources.MemoryBytes = Limit));

        Assert.Equal(Limit, end.MemoryLimitPassed);
        Assert.Equal(V1.FailureKind.OutOfMemory, Outcomes.Of(end, stop: null).Failure.Kind);
    }

    [EngineFact]
    public async Task Run_MissingImage_IsAFailureOfTheImage()
    {
        await using var bench = new DockerBench();

        var missing = await bench.RunAsync(DockerBench.Bash("true", spec => spec.Environment.Image = "127.0.0.1:1/no/image:1"));
        var forged = await bench.RunAsync(DockerBench.Bash("true", spec => spec.Environment.Image = "a/../../containers"));

        Assert.Equal(FailureKind.Image, missing.Failure?.Kind);
        Assert.StartsWith("The image '127.0.0.1:1/no/image:1' is not on this worker and cannot be pulled: ", missing.Failure!.Message, StringComparison.Ordinal);
        Assert.Equal(FailureKind.Image, forged.Failure?.Kind);
    }

    [EngineFact]
    public async Task Run_MissingProgram_IsNotFoundByName()
    {
        await using var bench = new DockerBench();

        var end = await bench.RunAsync(DockerBench.Command(["no-such-program-here"]));

        Assert.Equal(FailureKind.ProgramNotFound, end.Failure?.Kind);
        Assert.Equal($"The program 'no-such-program-here' was not found in the image '{TestEngine.Image}', or cannot be run.", end.Failure!.Message);
    }

    [EngineFact]
    public async Task Run_ManyLinesAndALastOneWithoutAnEnd_AreAllThere()
    {
        const int Lines = 50_000;
        await using var bench = new DockerBench();

        var (end, output) = await bench.RunForOutputAsync(DockerBench.Bash($"seq 1 {Lines}; printf tail"));

        Assert.Equal(string.Concat(Enumerable.Range(1, Lines).Select(number => $"{number}\n")) + "tail", output);
        Assert.Equal((Lines + 1, false), (end.Logs.StdoutLines, end.Logs.UnknownTail));
    }

    [EngineFact]
    public async Task Run_SetupCommands_PrepareTheSameContainerAndWriteToTheBuildLog()
    {
        await using var bench = new DockerBench();
        var test = bench.Start(DockerBench.Bash("cat /opt/prepared; echo $0 $1", spec =>
        {
            spec.Environment.SetupCommands.Add("echo 'getting ready'; echo 'made by set-up' > /opt/prepared");
            spec.Environment.SetupCommands.Add("echo warning >&2");
            spec.Entrypoint.Command.Argv.Add(["name", "with space"]);
        }));

        var end = await test.EndAsync();

        Assert.Equal((0, "made by set-up\nname with space\n"), (end.ExitCode, bench.TextOf(test.Fence, V1.LogStream.Stdout)));
        Assert.Equal("getting ready\nwarning\n", bench.TextOf(test.Fence, V1.LogStream.Build));
        Assert.NotNull(await test.RunningAsync());
    }

    [EngineFact]
    public async Task Run_FailingSetupCommand_IsNamed()
    {
        await using var bench = new DockerBench();

        var end = await bench.RunAsync(DockerBench.Bash("echo never", spec => spec.Environment.SetupCommands.Add(["true", "exit 7", "true"])));

        Assert.Equal((FailureKind.ProgramNotFound, "The set-up command 'exit 7' failed: exit code 7"), (end.Failure!.Kind, end.Failure.Message));
        Assert.Empty(await bench.ContainersAsync());
    }

    [EngineFact]
    public async Task Terminate_ReachesTheWholeTree_AndTheProgramTidiesUp()
    {
        await using var bench = new DockerBench();
        var test = bench.Start(DockerBench.Bash("trap 'echo parent heard; wait; exit 4' TERM; bash -c 'trap \"echo child heard; exit\" TERM; echo ready; while :; do sleep 0.05; done' & wait"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "it is ready");

        test.Attempt.Terminate();
        var end = await test.EndAsync();

        Assert.Equal(4, end.ExitCode);
        Assert.Equal(["child heard", "parent heard", "ready"], bench.TextOf(test.Fence, V1.LogStream.Stdout).TrimEnd().Split('\n').Order());
    }

    [EngineFact]
    public async Task Kill_ProgramThatIgnoresTerm_IsGoneWithItsContainer()
    {
        await using var bench = new DockerBench();
        var test = bench.Start(DockerBench.Bash("trap '' TERM; setsid sleep 50 & env -i sleep 50 & echo ready; while :; do sleep 0.05; done"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "it is ready");
        var container = await bench.Engine.FindContainerAsync(bench.NameOf(test.Fence), CancellationToken.None);
        var inside = ProcessTable.Descendants(ProcessTable.Read(), [container!.State.Pid]);

        test.Attempt.Terminate();
        test.Attempt.Kill();
        var end = await test.EndAsync();

        Assert.Equal((null, 9), (end.ExitCode, end.Signal));
        Assert.True(inside.Count >= 3);
        Assert.DoesNotContain(inside, process => process.Identity.IsAlive());
        Assert.Empty(await bench.ContainersAsync());
        Assert.Equal(1, test.Ends);
    }

    [EngineFact]
    public async Task Container_TakenAwayByAHand_EndsTheAttempt()
    {
        await using var bench = new DockerBench();
        var test = bench.Start(DockerBench.Bash("echo ready; exec sleep 50"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "it is ready");

        await bench.Engine.RemoveAsync(bench.NameOf(test.Fence), CancellationToken.None);
        var end = await test.EndAsync();

        Assert.True(end.Failure?.Kind == FailureKind.WorkerFault || end.Signal == 9, end.ToString());
    }

    [EngineFact]
    public async Task Sweep_OfTheWard_LeavesNoContainer()
    {
        await using var bench = new DockerBench();
        var test = bench.Start(DockerBench.Bash("exec sleep 50"));
        await test.RunningAsync();

        Assert.True(bench.Ward.SweepUntilEmpty(patience: TimeSpan.FromSeconds(20)));

        Assert.Empty(await bench.ContainersAsync());
        await test.EndAsync();
    }

    [Fact]
    public async Task Probe_WithoutAnEngine_SaysWhy()
    {
        using var directory = new TemporaryDirectory();
        using var engine = new DockerEngine(directory.File("no.sock"));

        Assert.True(WardContainers.Remove(engine.Socket, "ward"));
        await Assert.ThrowsAsync<DockerEngineException>(() => engine.GetVersionAsync(CancellationToken.None));
    }
}
