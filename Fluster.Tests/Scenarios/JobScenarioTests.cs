using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What jobs, endpoints and contexts do, whatever runs them: every scenario passes unchanged on every backend (seed 003, stage 7).</summary>
public abstract class JobScenarioTests(ScenarioBackend backend)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    protected IClusterController Client { get; } = backend.Client;

    public sealed record Score(string Name, IReadOnlyList<double> Values);

    [Fact]
    public async Task Lambda_CapturesAndReturnsCopies()
    {
        var (number, score) = (7, new Score("a", [1.5, 2.5]));
        var numbers = new List<int> { 1, 2 };

        var job = await Client.SubmitAsync(() =>
        {
            numbers.Add(number);
            return new Score(score.Name + number, [.. score.Values, numbers.Count]);
        });

        var result = await job.ResultAsync(s_patience);
        Assert.Equal("a7", result.Name);
        Assert.Equal([1.5, 2.5, 3], result.Values);
        Assert.Equal([1, 2], numbers); // the job had a copy
        var status = await job.GetStatusAsync();
        Assert.Equal((JobState.Succeeded, 0, 1, JobState.Succeeded), (status.State, status.ExitCode, status.Tasks.Count, status.Tasks[0].State));
        Assert.True(status.CreatedAt <= status.StartedAt && status.StartedAt <= status.EndedAt);
    }

    [Fact]
    public async Task Capture_ThatCannotTravel_IsRefusedByNameAtSubmit()
    {
        using var file = File.OpenRead(typeof(JobScenarioTests).Assembly.Location);

        var error = await Assert.ThrowsAsync<JobRequestException>(() => Client.SubmitAsync(() => file.Length, new JobOptions { Name = "never-there" }));

        Assert.StartsWith("The captured variable 'file' is a System.IO.FileStream, which cannot travel: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(await Client.ListAsync().ToListAsync(), job => job.Name == "never-there");
    }

    [Fact]
    public async Task Lambda_Throws_FailsWithTheExceptionAndItsLastLines()
    {
        var job = await Client.SubmitAsync(void () =>
        {
            Console.WriteLine("about to fail");
            throw new InvalidOperationException("not that");
        });

        var error = await Assert.ThrowsAsync<JobFailedException>(() => job.WaitAsync(s_patience, throwOnFailure: true));

        var failure = error.Status.Failure!;
        Assert.Equal((JobState.Failed, FailureKind.ExitCode, 1), (error.Status.State, failure.Kind, error.Status.ExitCode));
        Assert.Equal("System.InvalidOperationException: not that", failure.Message);
        Assert.Equal(("System.InvalidOperationException", "not that"), (failure.Exception?.Type, failure.Exception?.Message));
        Assert.Contains(nameof(Lambda_Throws_FailsWithTheExceptionAndItsLastLines), failure.Exception?.Stack, StringComparison.Ordinal);
        Assert.Contains("about to fail", failure.LastLines);
        Assert.Contains("Unhandled exception. System.InvalidOperationException: not that", failure.LastLines);
        var noResult = await Assert.ThrowsAsync<ClusterException>(() => Client.GetResultAsync(job.Id, 0));
        Assert.Equal((ClusterError.FailedPrecondition, $"Task 0 of job '{job.Id}' has no result: it ended Failed."), (noResult.Error, noResult.Message));
    }

    [Fact]
    public async Task Command_Fails_WithItsExitCodeAndLastLines()
    {
        var job = await Client.SubmitAsync(TestCluster.Bash("echo out; echo err >&2; exit 3"));

        var status = await job.WaitAsync(s_patience);

        Assert.Equal((JobState.Failed, "Exit code: 3", 3), (status.State, status.Failure?.Message, status.ExitCode));
        Assert.Equal(["err", "out"], status.Failure!.LastLines.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Command_KnowsWhichJobItIs_AndHasADirectoryOfItsOwn()
    {
        var job = await Client.SubmitAsync(TestCluster.Bash("pwd; ls -A; cat; echo \"$FLUSTER_JOB_ID $FLUSTER_NAMESPACE $FLUSTER_TASK_INDEX $FLUSTER_TASK_COUNT $OWN\"") with
        {
            Environment = new JobEnvironment { Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["OWN"] = "mine", ["FLUSTER_JOB_ID"] = "theirs" } },
        });

        var lines = await Scenario.LinesAsync(job);

        Assert.Equal(2, lines.Count);
        Assert.NotEqual(Environment.CurrentDirectory, lines[0]);
        Assert.Equal($"{job.Id} default 0 1 mine", lines[1]);
    }

    [Fact]
    public async Task Command_WithoutAProgram_FailsAndNamesIt()
    {
        var job = await Client.SubmitAsync(new JobRequest { Name = "nothing", Entrypoint = JobEntrypoint.Command("there-is-no-such-program") });

        var status = await job.WaitAsync(s_patience);

        Assert.Equal((JobState.Failed, FailureKind.ProgramNotFound), (status.State, status.Failure?.Kind));
        Assert.Contains("'there-is-no-such-program'", status.Failure?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Context_InAJob_IsTheJobsOwn()
    {
        var job = await Client.SubmitAsync(
            () =>
            {
                var context = FlusterContext.Current;
                return $"{context.JobId} {context.Namespace} {context.TaskIndex}/{context.TaskCount} {context.Fence.IsNone} {context.Controller?.Address}";
            },
            new JobOptions { Name = "context" });

        Assert.Equal($"{job.Id} default 0/1 False {Client.Address}", await job.ResultAsync(s_patience));
        Assert.Null(FlusterContext.CurrentOrNull);
    }

    [Fact]
    public async Task Context_InAJob_ReachesItsTasksThreadsAndTimers()
    {
        var job = await Client.SubmitAsync(async () =>
        {
            var seen = new List<string?> { await Task.Run(() => FlusterContext.CurrentOrNull?.JobId.ToString()) };
            var thread = new Thread(() => seen.Add(FlusterContext.CurrentOrNull?.JobId.ToString()));
            thread.Start();
            thread.Join();
            var ticked = new TaskCompletionSource<string?>();
            await using var timer = new Timer(_ => ticked.TrySetResult(FlusterContext.CurrentOrNull?.JobId.ToString()), null, 0, Timeout.Infinite);
            seen.Add(await ticked.Task);
            await Task.Yield();
            seen.Add(await Task.FromResult(0).ContinueWith(_ => FlusterContext.CurrentOrNull?.JobId.ToString(), TaskScheduler.Default));
            return seen;
        });

        Assert.Equal(Enumerable.Repeat<string?>(job.Id.ToString(), 4), await job.ResultAsync(s_patience));
    }

    /// <summary>The trace of whoever submits, and what travels along with it, also to the children of a job.</summary>
    [Fact]
    public async Task Trace_OfTheSubmitter_ReachesTheJobAndItsChildren()
    {
        using var activity = new Activity("submitter").AddBaggage("tenant", "a b, c=d").Start();
        activity.TraceStateString = "vendor=1";

        var job = await Client.SubmitAsync(async () =>
        {
            var child = await FlusterContext.Current.Controller!.SubmitAsync(() => Of(Activity.Current), new JobOptions { Name = "child" });
            return (string[])[Of(Activity.Current), await child.ResultAsync()];
        });

        var seen = await job.ResultAsync(s_patience);
        Assert.Equal(Enumerable.Repeat($"{activity.TraceId} vendor=1 a b, c=d", 2), seen);

        static string Of(Activity? activity) => $"{activity?.TraceId} {activity?.TraceStateString} {activity?.GetBaggageItem("tenant")}";
    }

    [Fact]
    public async Task Replicas_HaveTheirIndexAndReturnTheirResultsByIt()
    {
        var job = await Client.SubmitAsync(() => FlusterContext.Current.TaskIndex * 10 + FlusterContext.Current.TaskCount, new JobOptions { Replicas = 3 });

        Assert.Equal([3, 13, 23], await job.ResultsAsync(s_patience));
        Assert.Equal(3, (await job.GetStatusAsync()).Replicas);
    }

    [Fact]
    public async Task Ports_AreDistinct_AndAJobCanListenOnThem()
    {
        var job = await Client.SubmitAsync(
            () =>
            {
                var ports = (int[])[FlusterContext.Current.GetPort("http"), FlusterContext.Current.GetPort("metrics")];
                foreach (var port in ports)
                {
                    using var listener = new TcpListener(IPAddress.Loopback, port);
                    listener.Start();
                }

                return ports;
            },
            new JobOptions { Ports = ["http", "metrics"] });

        var ports = await job.ResultAsync(s_patience);

        Assert.Equal(2, ports.Distinct().Count());
        var given = Assert.Single((await job.GetStatusAsync()).Tasks[0].Attempts).Ports;
        Assert.Equal((ports[0], ports[1]), (given["http"], given["metrics"]));
    }

    [Fact]
    public async Task Retry_AfterAFailure_SucceedsInItsSecondAttempt()
    {
        using var directory = new TemporaryDirectory();
        var marker = directory.File("once");
        var job = await Client.SubmitAsync(TestCluster.Bash($"[ -e {marker} ] || {{ touch {marker}; exit 7; }}") with { MaxFailureRetries = 1 });

        var status = await job.WaitAsync(s_patience);

        Assert.Equal(JobState.Succeeded, status.State);
        var attempts = Assert.Single(status.Tasks).Attempts;
        Assert.Equal([JobState.Failed, JobState.Succeeded], attempts.Select(attempt => attempt.State));
        Assert.Equal("Exit code: 7", attempts[0].Failure?.Message);
        Assert.True(attempts[0].Fence < attempts[1].Fence);
    }

    [Fact]
    public async Task ExecutionTimeout_Passed_FailsWithMinusOne()
    {
        var job = await Client.SubmitAsync(TestCluster.Bash("sleep 600") with { ExecutionTimeout = TimeSpan.FromMilliseconds(300) });

        var status = await job.WaitAsync(s_patience);

        Assert.Equal((JobState.Failed, FailureKind.Timeout, "Timeout exceeded", -1), (status.State, status.Failure?.Kind, status.Failure?.Message, status.ExitCode));
    }

    [Fact]
    public async Task Wait_TimesOut_NamesTheJobAndChangesNothing()
    {
        var job = await Client.SubmitAsync(TestCluster.Bash("sleep 600"));

        var error = await Assert.ThrowsAsync<TimeoutException>(() => Client.WaitAsync(job.Id, TimeSpan.FromMilliseconds(50)));

        Assert.StartsWith($"{job.Id} has not ended after 0.05 s; it is ", error.Message, StringComparison.Ordinal);
        Assert.False((await job.GetStatusAsync()).State.IsTerminal);
        await job.TerminateAsync();
        Assert.Equal(JobState.Killed, (await job.WaitAsync(s_patience)).State);
    }

    [Fact]
    public async Task Wait_ForMany_KeepsTheirOrder_AndCanThrow()
    {
        var (good, bad) = (await Client.SubmitAsync(TestCluster.Bash("exit 0")), await Client.SubmitAsync(TestCluster.Bash("exit 4")));

        var all = await Client.WaitAsync([bad.Id, good.Id, bad.Id], s_patience);

        Assert.Equal([bad.Id, good.Id, bad.Id], all.Select(status => status.Id));
        Assert.Equal([JobState.Failed, JobState.Succeeded, JobState.Failed], all.Select(status => status.State));
        var error = await Assert.ThrowsAsync<JobFailedException>(() => Client.WaitAsync([good.Id, bad.Id], s_patience, throwOnFailure: true));
        Assert.Equal(bad.Id, error.Status.Id);
    }

    [Fact]
    public async Task Unknown_IsNotFoundForEveryQuestion()
    {
        var unknown = JobId.Parse("nobody-00000000");
        foreach (var ask in (Func<Task>[])[
            () => Client.GetStatusAsync(unknown),
            () => Client.WaitAsync(unknown, s_patience),
            () => Client.ExplainAsync(unknown),
            () => Client.GetResultAsync(unknown, 0),
            () => Client.StreamLogs(unknown).ToListAsync().AsTask()])
        {
            Assert.Equal(ClusterError.NotFound, (await Assert.ThrowsAsync<ClusterException>(ask)).Error);
        }
    }

    [Fact]
    public async Task List_FiltersAndHasTheNewestFirst()
    {
        var first = await Client.SubmitAsync(TestCluster.Bash("exit 0", "listed"));
        await first.WaitAsync(s_patience);
        var second = await Client.SubmitAsync(TestCluster.Bash("exit 1", "listed"));
        await second.WaitAsync(s_patience);

        var listed = await Client.ListAsync().Where(job => job.Name == "listed").ToListAsync();

        Assert.Equal([second.Id, first.Id], listed.Select(job => job.Id));
        Assert.All(listed, job => Assert.Empty(job.Tasks));
        Assert.Equal([second.Id], await Client.ListAsync(new JobFilter { States = [JobState.Failed] }).Where(job => job.Name == "listed").Select(job => job.Id).ToListAsync());
        Assert.Equal([first.Id], await Client.ListAsync(new JobFilter { Within = first.Id }).Select(job => job.Id).ToListAsync());
    }

    [Fact]
    public async Task Explain_SaysWhereAJobIs()
    {
        var job = await Client.SubmitAsync(TestCluster.Bash("echo ready; sleep 600"));
        await Scenario.FirstLineAsync(job);

        // The job's first line may overtake its worker's report that it runs.
        await Eventually.True(async () => (await job.GetStatusAsync()).State == JobState.Running, () => "The job does not run.");
        var running = await Client.ExplainAsync(job.Id);
        await job.TerminateAsync();
        await job.WaitAsync(s_patience);
        var ended = await Client.ExplainAsync(job.Id);

        Assert.Equal((JobState.Running, PendingCause.None, "All its tasks have a place."), (running.State, running.Cause, running.Reason));
        Assert.Equal((JobState.Killed, PendingCause.None), (ended.State, ended.Cause));
        Assert.StartsWith("Killed", ended.Reason, StringComparison.Ordinal);
    }
}
