using System.Net;
using System.Net.Sockets;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What is a local client's own: places, ids, ports, the console, and what there cannot be in one process (seed 000). The rest are scenarios.</summary>
public sealed class LocalClientTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Jobs_HaveTheIdsOfTheSeed()
    {
        await using var client = new LocalClient();

        var first = await client.SubmitAsync(() => FlusterContext.Current.JobId.ToString());
        var second = await client.SubmitAsync(async () =>
        {
            var child = await FlusterContext.Current.Controller!.SubmitAsync(() => 1, new JobOptions { Name = "child" });
            var endpoint = await FlusterContext.Current.Controller!.EndpointRegistry.RegisterAsync("service", "127.0.0.1:1");
            return $"{child.Id} {endpoint.Id}";
        });

        Assert.Equal("local://localhost", client.Address);
        Assert.Equal(("local-1", "local-2"), (first.Id.ToString(), second.Id.ToString()));
        Assert.Equal("local-1", await first.ResultAsync(s_patience));
        Assert.Matches("^local-2/child local-ep-[0-9a-f]{8}$", await second.ResultAsync(s_patience));
    }

    [Fact]
    public async Task Namespace_IsTheClients_OrThatOfTheContextThatSubmits()
    {
        await using var client = new LocalClient(new LocalClientOptions { Namespace = Namespace.Parse("test-ns") });
        var outside = await client.SubmitAsync(() => FlusterContext.Current.Namespace.ToString());
        JobHandle<string> inside;
        using (new FlusterContext { Namespace = Namespace.Parse("from-context"), JobId = JobId.Parse("somewhere-1a2b3c4d") }.Enter())
        {
            inside = await client.SubmitAsync(() => FlusterContext.Current.Namespace.ToString());
        }

        Assert.Equal("test-ns", await outside.ResultAsync(s_patience));
        Assert.Equal("from-context", await inside.ResultAsync(s_patience));
        Assert.Null(inside.Id.Parent); // that context is of another cluster
    }

    [Fact]
    public async Task Places_AreAsManyAsTheLimit_AndExplainSaysWhoHasThem()
    {
        await using var client = new LocalClient(new LocalClientOptions { MaxTasks = 2 });
        var jobs = new List<JobHandle>();
        for (var i = 0; i < 3; i++)
        {
            jobs.Add(await client.SubmitAsync(async (CancellationToken stopping) =>
            {
                Console.WriteLine("ready");
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping);
            }));
        }

        await Scenario.FirstLineAsync(jobs[0]);
        await Scenario.FirstLineAsync(jobs[1]);
        var waiting = await client.ExplainAsync(jobs[2].Id);

        Assert.Equal((JobState.Pending, PendingCause.Concurrency, "All 2 places of this LocalClient are taken."), (waiting.State, waiting.Cause, waiting.Reason));
        Assert.Equal("End 1 task, or give the LocalClient more than MaxTasks = 2.", waiting.Change);
        Assert.Equal([jobs[0].Id, jobs[1].Id], waiting.Holders.Select(holder => holder.Job));
        Assert.Equal(waiting.Reason, (await jobs[2].GetStatusAsync()).PendingReason);
        await jobs[0].TerminateAsync();
        await Scenario.FirstLineAsync(jobs[2]);
    }

    [Fact]
    public async Task Place_OfAJobThatWaitsForItsChildren_IsLent()
    {
        await using var client = new LocalClient(new LocalClientOptions { MaxTasks = 1 });
        var job = await client.SubmitAsync(async () =>
        {
            var total = 0;
            for (var i = 1; i <= 3; i++)
            {
                var child = await FlusterContext.Current.Controller!.SubmitAsync(
                    async () => await (await FlusterContext.Current.Controller!.SubmitAsync(() => i, new JobOptions { Name = "inner" })).ResultAsync(), new JobOptions { Name = "outer" });
                total += await child.ResultAsync();
            }

            return total;
        });

        Assert.Equal(6, await job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task Children_AndProduction_GoFirst()
    {
        await using var client = new LocalClient(new LocalClientOptions { MaxTasks = 1 });
        using var directory = new TemporaryDirectory();
        var (order, go) = (directory.File("order"), directory.File("go"));
        var blocker = await client.SubmitAsync(TestCluster.Bash($"while [ ! -e {go} ]; do sleep 0.01; done"));
        var last = await client.SubmitAsync(Write("interactive"));
        await client.SubmitAsync(Write("batch") with { Priority = JobPriority.Batch });
        await client.SubmitAsync(Write("production") with { Priority = JobPriority.Production });
        await File.WriteAllTextAsync(go, "");

        await client.WaitAsync(await client.ListAsync().Select(job => job.Id).ToListAsync(), s_patience, throwOnFailure: true);

        Assert.Equal(["production", "interactive", "batch"], await File.ReadAllLinesAsync(order));

        JobRequest Write(string word) => TestCluster.Bash($"echo {word} >> {order}");
    }

    [Fact]
    public async Task SchedulingTimeout_Passed_IsUnschedulable()
    {
        await using var client = new LocalClient(new LocalClientOptions { MaxTasks = 1 });
        var blocker = await client.SubmitAsync(TestCluster.Bash("sleep 600"));
        var job = await client.SubmitAsync(TestCluster.Bash("exit 0") with { SchedulingTimeout = TimeSpan.FromMilliseconds(100) });

        var status = await job.WaitAsync(s_patience);

        Assert.Equal((JobState.Unschedulable, "No place was found within the scheduling timeout of 0.1 s"), (status.State, status.Failure?.Message));
        Assert.False((await blocker.GetStatusAsync()).State.IsTerminal);
    }

    [Fact]
    public async Task Gang_StartsTogether_AndAFailureEndsItsTryForAll()
    {
        await using var client = new LocalClient(new LocalClientOptions { MaxTasks = 2 });
        using var directory = new TemporaryDirectory();
        var (marker, other) = (directory.File("once"), directory.File("other"));
        var job = await client.SubmitAsync(TestCluster.Bash(
            $"if [ -e {marker} ]; then exit 0; fi; if [ $FLUSTER_TASK_INDEX = 0 ]; then until [ -e {other} ]; do sleep 0.02; done; touch {marker}; exit 5; fi; touch {other}; sleep 600") with
        {
            Replicas = 2,
            Coscheduled = true,
            MaxFailureRetries = 1,
        });

        var status = await job.WaitAsync(s_patience);

        Assert.Equal(JobState.Succeeded, status.State);
        Assert.All(status.Tasks, task => Assert.Equal(2, task.Attempts.Count));
        Assert.Equal(KillCause.Gang, status.Tasks[1].Attempts[0].Failure?.KilledBy);
    }

    [Fact]
    public async Task Requests_ThatMeanNothingInOneProcess_AreRefusedAndSayWhatToDo()
    {
        await using var client = new LocalClient();
        var lambda = JobEntrypoint.For(() => 1);
        var variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["MODE"] = "fast" };

        await Refused("asks for 5 tasks, and this LocalClient runs 4 at a time", new JobRequest { Name = "x", Entrypoint = lambda, Replicas = 5 });
        await Refused("names the image 'ubuntu:24.04', and a LocalClient runs no containers", TestCluster.Bash("exit 0") with { Environment = new JobEnvironment { Image = "ubuntu:24.04" } });
        await Refused("has environment variables (MODE), and a .NET job in a LocalClient has no process of its own", new JobRequest { Name = "x", Entrypoint = lambda, Environment = new JobEnvironment { Variables = variables } });
        Assert.Empty(await client.ListAsync().ToListAsync());

        async Task Refused(string words, JobRequest request) =>
            Assert.Contains(words, (await Assert.ThrowsAsync<JobRequestException>(() => client.SubmitAsync(request))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ports_AreOfTheRange_HeldUntilTheyAreAskedFor_AndNobodyElses()
    {
        await using var client = new LocalClient();
        using var directory = new TemporaryDirectory();
        var go = directory.File("go");
        var job = await client.SubmitAsync(
            async () =>
            {
                await Eventually.True(() => File.Exists(go), () => "Nobody said go.");
                var port = FlusterContext.Current.GetPort("http");
                using var listener = new TcpListener(IPAddress.Any, port);
                listener.Start();
                return port;
            },
            new JobOptions { Ports = ["http"] });
        await Eventually.True(async () => (await job.GetStatusAsync()).State == JobState.Running, () => "It does not run.");
        var given = (await job.GetStatusAsync()).Tasks[0].Attempts[0].Ports["http"];

        Assert.InRange(given, 50_000, 60_000);
        Assert.Throws<SocketException>(() =>
        {
            using var thief = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            thief.Bind(new IPEndPoint(IPAddress.Any, given));
            thief.Listen();
        });
        await File.WriteAllTextAsync(go, "");
        Assert.Equal(given, await job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task Terminate_JobThatDoesNotListen_IsKilledForEverybodyAfterTheGrace()
    {
        await using var client = new LocalClient(new LocalClientOptions { MaxTasks = 1, Grace = TimeSpan.FromMilliseconds(200) });
        using var directory = new TemporaryDirectory();
        var end = directory.File("end");
        var deaf = await client.SubmitAsync(() =>
        {
            Console.WriteLine("ready");
            SpinWait.SpinUntil(() => File.Exists(end));
            Console.WriteLine("too late");
        });
        await Scenario.FirstLineAsync(deaf);

        await deaf.TerminateAsync();
        var status = await deaf.WaitAsync(s_patience);

        Assert.Equal((JobState.Killed, KillCause.User, "Killed: terminated on request"), (status.State, status.Failure?.KilledBy, status.Failure?.Message));
        Assert.Equal(1, await (await client.SubmitAsync(() => 1)).ResultAsync(s_patience)); // its place is free
        await File.WriteAllTextAsync(end, "");
        Assert.Equal(["ready"], await Scenario.LinesAsync(deaf));
    }

    [Fact]
    public async Task Terminate_Command_EndsItsWholeTree()
    {
        await using var client = new LocalClient(new LocalClientOptions { Grace = TimeSpan.FromMilliseconds(200) });
        var job = await client.SubmitAsync(TestCluster.Bash("trap '' TERM; (setsid sleep 613 &); echo ready; sleep 614; sleep 615"));
        await Scenario.FirstLineAsync(job);
        await Eventually.True(() => RunningProcesses.Where(line => line is "sleep\0613\0").Count > 0, "The process in the background does not run.");

        await job.TerminateAsync();
        var status = await job.WaitAsync(s_patience);

        Assert.Equal(JobState.Killed, status.State);
        Assert.Empty(RunningProcesses.Where(line => line is "sleep\0613\0" or "sleep\0614\0" or "sleep\0615\0"));
    }

    [Fact]
    public async Task Command_HasItsFilesSetUpAndPorts_AndLeavesNothing()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory.File("sub"));
        await File.WriteAllTextAsync(directory.File("sub/data.txt"), "data");
        await using var client = new LocalClient();
        var job = await client.SubmitAsync(TestCluster.Bash("cat sub/data.txt made; echo; [ $FLUSTER_PORT_HTTP -gt 0 ] && echo \"${FLUSTER_CONTROLLER_ADDRESS:-none}\"; pwd") with
        {
            Ports = ["http"],
            Environment = new JobEnvironment { WorkingFiles = directory.Path, SetupCommands = ["echo preparing; printf ' and more' > made"] },
        });

        var status = await job.WaitAsync(s_patience, throwOnFailure: true);
        var lines = await Scenario.LinesAsync(job);

        Assert.Equal(["data and more", "none"], lines[..2]);
        Assert.False(Directory.Exists(lines[2]));
        Assert.False(File.Exists(directory.File("made")));
        Assert.Equal(["preparing"], await job.StreamLogs().Where(line => line.Stream == JobLogStream.Build).Select(line => line.Text).ToListAsync());
        var broken = await client.SubmitAsync(TestCluster.Bash("echo never") with { Environment = new JobEnvironment { SetupCommands = ["exit 9"] } });
        Assert.Equal("The set-up command 'exit 9' failed: exit code 9", (await broken.WaitAsync(s_patience)).Failure?.Message);
    }

    [Fact]
    public async Task Console_OutsideOfJobs_GoesWhereItWent()
    {
        await using var client = new LocalClient();
        var started = await client.SubmitAsync(() => Console.WriteLine("inside"));
        await started.WaitAsync(s_patience, throwOnFailure: true);
        var (before, mine) = (Console.Out, new StringWriter());
        try
        {
            Console.SetOut(mine);
            Console.WriteLine("outside");
            var job = await client.SubmitAsync(() => Console.WriteLine("inside again"));
            await job.WaitAsync(s_patience, throwOnFailure: true);
            Console.Write("outside");
            Console.WriteLine(" again");

            Assert.Equal(["inside again"], await Scenario.LinesAsync(job));
        }
        finally
        {
            Console.SetOut(before);
        }

        var lines = mine.ToString().Split('\n');
        Assert.Contains("outside", lines);
        Assert.Contains("outside again", lines);
        Assert.DoesNotContain(lines, line => line.StartsWith("inside", StringComparison.Ordinal));
        Assert.Equal(["inside"], await Scenario.LinesAsync(started));
    }

    [Fact]
    public async Task LongLines_ComeInPieces()
    {
        await using var client = new LocalClient();
        var job = await client.SubmitAsync(() => Console.Write(new string('x', 70_000) + "\nlast, without its end"));
        await job.WaitAsync(s_patience);

        var lines = await job.StreamLogs().ToListAsync();

        Assert.Equal([(64 * 1024, true), (70_000 - 64 * 1024, false), (21, false)], lines.Select(line => (line.Text.Length, line.IsPartial)));
        Assert.Equal([0L, 1, 2], lines.Select(line => line.Number));
    }

    [Fact]
    public async Task Services_OfAJob_AreMadeInIt()
    {
        await using var client = new LocalClient();
        var job = await client.SubmitAsync(new JobRequest { Name = "services", Entrypoint = JobEntrypoint.For((ContextReader reader) => reader.Read()) });
        await job.WaitAsync(s_patience, throwOnFailure: true);

        Assert.Equal("local-1", await new JobHandle<string>(client, job.Id).ResultAsync());
    }

    [Fact]
    public async Task Dispose_StopsTheJobs_AndWithWaitLeavesThemTheirTime()
    {
        var patient = new LocalClient();
        var quick = await patient.SubmitAsync(TestCluster.Bash("sleep 0.2; exit 0"));
        await patient.DisposeAsync(wait: true);
        Assert.Equal(JobState.Succeeded, (await quick.GetStatusAsync()).State);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => patient.SubmitAsync(() => 1));

        var hasty = new LocalClient();
        var endless = await hasty.SubmitAsync(TestCluster.Bash("sleep 616"));
        await hasty.DisposeAsync();
        var status = await endless.GetStatusAsync();
        Assert.Equal((JobState.Killed, KillCause.Shutdown), (status.State, status.Failure?.KilledBy));
        Assert.Empty(RunningProcesses.Where(line => line is "sleep\0616\0"));
    }

    [Fact]
    public async Task Clients_AreClustersOfTheirOwn()
    {
        await using var one = new LocalClient();
        await using var other = new LocalClient();
        var job = await one.SubmitAsync(async () =>
        {
            await FlusterContext.Current.Controller!.EndpointRegistry.RegisterAsync("service", "127.0.0.1:1");
            Console.WriteLine("ready");
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, FlusterContext.Current.Stopping);
        });
        await Scenario.FirstLineAsync(job);

        Assert.Single(await one.EndpointRegistry.LookupAsync(Namespace.Default, "service"));
        Assert.Empty(await other.EndpointRegistry.LookupAsync(Namespace.Default, "service"));
        Assert.Equal(ClusterError.NotFound, (await Assert.ThrowsAsync<ClusterException>(() => other.GetStatusAsync(job.Id))).Error);
    }

    internal sealed class ContextReader(FlusterContext context)
    {
        public string Read() => context.JobId.ToString();

        internal static void ConfigureServices(Microsoft.Extensions.DependencyInjection.IServiceCollection services) => Assert.NotNull(services);
    }
}
