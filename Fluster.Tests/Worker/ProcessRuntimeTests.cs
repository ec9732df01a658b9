using System.Runtime.Versioning;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What a job sees of the machine, and what the worker sees of the job: real processes.</summary>
[SupportedOSPlatform("linux")]
public class ProcessRuntimeTests
{
    [Theory]
    [IsolationData]
    public async Task Run_ExitCodes_AreReported(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var (zero, output) = await bench.RunForOutputAsync(RuntimeBench.Bash("echo out; echo err >&2"));
        var three = await bench.RunAsync(RuntimeBench.Bash("echo before; exit 3"));

        Assert.Equal((0, "out\n"), (zero.ExitCode, output));
        Assert.Equal((1, 1, 0, 2), (zero.Logs.StdoutLines, zero.Logs.StderrLines, zero.Logs.BuildLines, zero.Logs.Chunks));
        Assert.Equal(3, three.ExitCode);
        Assert.Equal(["before"], three.LastLines);
    }

    [Theory]
    [IsolationData]
    public async Task Run_EndedBySignal_SaysWhich(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var end = await bench.RunAsync(RuntimeBench.Bash("kill -SEGV $$"));

        Assert.Equal((null, 11), (end.ExitCode, end.Signal));
    }

    [Theory]
    [IsolationData]
    public async Task Run_StandardInput_IsEmptyAndSignalsAreAtTheirDefaults(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        // A shell cannot un-ignore what it was born ignoring, so SIGPIPE and SIGTERM ending these proves that nothing was passed on.
        var (end, output) = await bench.RunForOutputAsync(RuntimeBench.Bash("cat; grep -E 'SigIgn|SigBlk' /proc/self/status; bash -c 'kill -PIPE $$'; echo $?; bash -c 'kill -TERM $$'; echo $?"));

        Assert.Equal(0, end.ExitCode);
        Assert.Equal("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n141\n143\n", output);
    }

    [Theory]
    [IsolationData]
    public async Task Run_OpenDescriptors_AreTheThreeStandardOnes(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var (_, output) = await bench.RunForOutputAsync(RuntimeBench.Command(["ls", "/proc/self/fd"]));

        Assert.Equal("0\n1\n2\n3\n", output); // 3 is the directory that ls reads
    }

    [Theory]
    [IsolationData]
    public async Task Run_Environment_IsOursOverTheUsersAndNothingOfTheWorkers(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var (_, output) = await bench.RunForOutputAsync(RuntimeBench.Command(["env"], spec =>
        {
            spec.TaskIndex = 2;
            spec.TaskCount = 5;
            spec.Ports.Add("metrics-http");
            spec.Trace = new V1.TraceContext { Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
            spec.Environment.Variables.Add("GREETING", "hello world");
            spec.Environment.Variables.Add("Logging.Level", "not a shell's name");
            spec.Environment.Variables.Add("FLUSTER_JOB_ID", "forged");
            spec.Environment.Variables.Add("TRACEPARENT", "forged");
        }));

        var variables = output.TrimEnd().Split('\n').Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.Equal("test-1a2b3c4d", variables["FLUSTER_JOB_ID"]);
        Assert.Equal("default", variables["FLUSTER_NAMESPACE"]);
        Assert.Equal("2", variables["FLUSTER_TASK_INDEX"]);
        Assert.Equal("5", variables["FLUSTER_TASK_COUNT"]);
        Assert.Equal("worker-1", variables["FLUSTER_WORKER_ID"]);
        Assert.Equal("http://127.0.0.1:7070", variables["FLUSTER_CONTROLLER_ADDRESS"]);
        Assert.Equal("secret", variables["FLUSTER_TOKEN"]);
        Assert.Equal("public key", variables["FLUSTER_CLUSTER_KEY"]);
        Assert.InRange(int.Parse(variables["FLUSTER_PORT_METRICS_HTTP"]), 20000, 25000);
        Assert.Equal("127.0.0.1", variables["FLUSTER_BIND_HOST"]);
        Assert.Equal("127.0.0.1", variables["FLUSTER_ADVERTISE_HOST"]);
        Assert.StartsWith("00-0af7651916cd43dd8448eb211c80319c-", variables["TRACEPARENT"], StringComparison.Ordinal);
        Assert.Equal("hello world", variables["GREETING"]);
        Assert.Equal("not a shell's name", variables["Logging.Level"]);
        Assert.DoesNotContain(variables.Keys, name => name.StartsWith("DOTNET_Enable", StringComparison.Ordinal) || name.StartsWith("Fluster__", StringComparison.Ordinal));
    }

    [Theory]
    [IsolationData]
    public async Task Run_MissingProgram_IsNotFoundByName(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var named = await bench.RunAsync(RuntimeBench.Command(["no-such-program-here"]));
        var path = await bench.RunAsync(RuntimeBench.Command(["/no/such/program"]));
        var directory = await bench.RunAsync(RuntimeBench.Command(["/tmp"]));
        var data = await bench.RunAsync(RuntimeBench.Command(["/etc/passwd"]));

        Assert.All([named, path, directory, data], end => Assert.Equal(FailureKind.ProgramNotFound, end.Failure?.Kind));
        Assert.StartsWith("The program 'no-such-program-here' was not found on this worker. PATH is /", named.Failure!.Message, StringComparison.Ordinal);
        Assert.Equal("The program '/no/such/program' does not exist on this worker.", path.Failure!.Message);
        Assert.Equal("'/tmp' is a directory, not a program.", directory.Failure!.Message);
        Assert.Equal("The program '/etc/passwd' is not executable.", data.Failure!.Message);
    }

    [Theory]
    [IsolationData]
    public async Task Run_ProgramThatTheKernelRefuses_SaysWhy(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var noInterpreter = await bench.RunAsync(RuntimeBench.Bash("", spec => AddSetup(spec, "printf '#!/no/such/interpreter\\n' > a; chmod +x a", ["./a"])));
        var noFormat = await bench.RunAsync(RuntimeBench.Bash("", spec => AddSetup(spec, "echo hello > b; chmod +x b", ["./b"])));
        var tooLong = await bench.RunAsync(RuntimeBench.Command(["echo", new string('x', 200_000)]));

        Assert.Contains("its interpreter", noInterpreter.Failure?.Message, StringComparison.Ordinal);
        Assert.Contains("neither a program for this machine nor a script", noFormat.Failure?.Message, StringComparison.Ordinal);
        Assert.Contains("longer than the system allows", tooLong.Failure?.Message, StringComparison.Ordinal);
        Assert.All([noInterpreter, noFormat, tooLong], end => Assert.Equal(FailureKind.ProgramNotFound, end.Failure?.Kind));
    }

    [Theory]
    [IsolationData]
    public async Task Setup_OutputAndFailure_AreOnTheBuildStreamAndInTheReason(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var good = bench.Start(RuntimeBench.Bash("cat made", spec => spec.Environment.SetupCommands.AddRange(["echo preparing; echo 42 > made", "echo more >&2"])));
        var goodEnd = await good.EndAsync();
        var bad = bench.Start(RuntimeBench.Bash("echo never", spec => spec.Environment.SetupCommands.AddRange(["echo oops; exit 7", "echo not reached"])));
        var badEnd = await bad.EndAsync();

        Assert.Equal(0, goodEnd.ExitCode);
        Assert.Equal("42\n", bench.TextOf(good.Fence, V1.LogStream.Stdout));
        Assert.Equal("preparing\nmore\n", bench.TextOf(good.Fence, V1.LogStream.Build));
        Assert.Equal("The set-up command 'echo oops; exit 7' failed: exit code 7", badEnd.Failure?.Message);
        Assert.Equal("oops\n", bench.TextOf(bad.Fence, V1.LogStream.Build));
        Assert.Equal("", bench.TextOf(bad.Fence, V1.LogStream.Stdout));
    }

    [Theory]
    [IsolationData]
    public async Task Terminate_ProgramThatHeedsIt_EndsByItsOwnCode(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash("trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done"));
        await test.RunningAsync();
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "the program is ready");

        test.Attempt.Terminate();

        Assert.Equal(9, (await test.EndAsync()).ExitCode);
        Assert.Equal("ready\nbye\n", bench.TextOf(test.Fence, V1.LogStream.Stdout));
    }

    [Theory]
    [IsolationData]
    public async Task Terminate_ChildOfAProgramThatEndsAtOnce_HasItsGrace(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash("bash -c 'trap \"sleep 0.3; echo tidied; exit\" TERM; echo ready; while :; do sleep 0.05; done' & wait"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "the child is ready");

        test.Attempt.Terminate();
        await test.EndAsync();

        Assert.Equal("ready\ntidied\n", bench.TextOf(test.Fence, V1.LogStream.Stdout));
    }

    [Theory]
    [IsolationData]
    public async Task Kill_ProgramThatIgnoresTerm_IsGone(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Stdout) == "ready\n", "the program is ready");

        test.Attempt.Terminate();
        test.Attempt.Kill();

        Assert.Equal(9, (await test.EndAsync()).Signal);
        Assert.Equal(1, test.Ends);
    }

    [Theory]
    [IsolationData]
    public async Task Terminate_DuringSetup_NeverStartsTheProgram(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash("echo never", spec => spec.Environment.SetupCommands.Add("echo setting up; sleep 1000")));
        await Eventually.True(() => bench.TextOf(test.Fence, V1.LogStream.Build) == "setting up\n", "the set-up runs");

        test.Attempt.Terminate();
        var end = await test.EndAsync();

        Assert.Equal((null, null), (end.ExitCode, end.Failure?.Kind == FailureKind.WorkerFault ? end.Failure.Message : null));
        Assert.Equal("", bench.TextOf(test.Fence, V1.LogStream.Stdout));
    }

    [Theory]
    [IsolationData]
    public async Task Memory_PastItsLimit_EndsTheTree(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var end = await bench.RunAsync(RuntimeBench.Command(["perl", "-e", "my $x = 'a' x 200_000_000; sleep 1000"], spec => spec.Resources.MemoryBytes = 100_000_000));

        Assert.Equal(100_000_000, end.MemoryLimitPassed);
        Assert.Equal(9, end.Signal);
    }

    [Theory]
    [IsolationData]
    public async Task Memory_SharedByManyProcesses_IsCountedOnce(string mode)
    {
        await using var bench = new RuntimeBench(mode);

        var (end, output) = await bench.RunForOutputAsync(RuntimeBench.Command(
            ["perl", "-e", "my $x = 'a' x 40_000_000; for (1..9) { unless (fork) { sleep 3; exit } } 1 while wait > 0; print qq(done\\n)"],
            spec => spec.Resources.MemoryBytes = 200_000_000));

        Assert.Equal((0, null, "done\n"), (end.ExitCode, end.MemoryLimitPassed, output));
    }

    [Theory]
    [IsolationData]
    public async Task LauncherKilled_JobIsTheWorkersFaultAndTheNextOneRuns(string mode)
    {
        await using var bench = new RuntimeBench(mode);
        var test = bench.Start(RuntimeBench.Bash("echo ready; sleep 1000"));
        await test.RunningAsync();
        var launcher = ProcessTable.Marked(ProcessTable.Read(), FlusterEnvironment.AttemptMarker, bench.Isolation.Ward.LauncherMark).MinBy(entry => entry.Identity.StartTime);

        Libc.Signal(launcher.Identity, Libc.SigKill);
        if (bench.Isolation.Mode == IsolationMode.Marker)
        {
            test.Attempt.Kill(); // its own starter watches it, and does not need the launcher
        }

        var end = await test.EndAsync();
        var next = await bench.RunAsync(RuntimeBench.Bash("exit 4"));

        Assert.Equal(bench.Isolation.Mode == IsolationMode.Marker ? null : FailureKind.WorkerFault, end.Failure?.Kind);
        Assert.Equal(4, next.ExitCode);
    }

    private static void AddSetup(V1.AttemptSpec spec, string command, string[] argv)
    {
        spec.Environment.SetupCommands.Add(command);
        spec.Entrypoint.Command.Argv.Clear();
        spec.Entrypoint.Command.Argv.AddRange(argv);
    }
}
