using System.Diagnostics;
using System.Threading.Channels;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Where the current context is seen, and where it has to be handed over (seeds 000 and 002).</summary>
public class FlusterContextTests
{
    private static readonly FlusterContext s_context = new() { Namespace = Namespace.Parse("prod"), JobId = JobId.Parse("train-1a2b3c4d") };
    private static readonly FlusterContext s_other = s_context with { JobId = JobId.Parse("other-1a2b3c4d") };

    [Fact]
    public void Current_OutsideAJob_SaysHowToGetOne()
    {
        Assert.Null(FlusterContext.CurrentOrNull);
        var error = Assert.Throws<InvalidOperationException>(() => FlusterContext.Current);
        Assert.Contains("not running inside a Fluster job", error.Message, StringComparison.Ordinal);
        Assert.Contains("context.Enter()", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Enter_Nested_RestoresThePreviousOne()
    {
        using (s_context.Enter())
        {
            using (s_other.Enter())
            {
                Assert.Same(s_other, FlusterContext.Current);
            }

            Assert.Same(s_context, FlusterContext.Current);
        }

        Assert.Null(FlusterContext.CurrentOrNull);
    }

    [Fact]
    public void Enter_LeftByAnException_RestoresThePreviousOne()
    {
        Assert.Throws<TimeoutException>(void () =>
        {
            using var scope = s_context.Enter();
            throw new TimeoutException();
        });

        Assert.Null(FlusterContext.CurrentOrNull);
    }

    [Fact]
    public async Task Current_FlowsIntoTasksThreadsPoolAndTimers()
    {
        using var scope = s_context.Enter();
        var queued = new TaskCompletionSource<FlusterContext?>();
        var ticked = new TaskCompletionSource<FlusterContext?>();
        FlusterContext? inThread = null;
        var thread = new Thread(() => inThread = FlusterContext.CurrentOrNull);
        thread.Start();
        thread.Join();
        ThreadPool.QueueUserWorkItem(_ => queued.SetResult(FlusterContext.CurrentOrNull));
        await using var timer = new Timer(_ => ticked.TrySetResult(FlusterContext.CurrentOrNull), null, 0, Timeout.Infinite);

        Assert.Same(s_context, await Task.Run(() => FlusterContext.CurrentOrNull));
        Assert.Same(s_context, inThread);
        Assert.Same(s_context, await queued.Task);
        Assert.Same(s_context, await ticked.Task);
    }

    [Fact]
    public async Task Current_DoesNotFlowWhereItIsSuppressed()
    {
        using var scope = s_context.Enter();
        var queued = new TaskCompletionSource<FlusterContext?>();
        ThreadPool.UnsafeQueueUserWorkItem(_ => queued.SetResult(FlusterContext.CurrentOrNull), null);
        FlusterContext? inThread = s_context;
        var thread = new Thread(() => inThread = FlusterContext.CurrentOrNull);
        thread.UnsafeStart();
        thread.Join();

        Assert.Null(await queued.Task);
        Assert.Null(inThread);
    }

    [Fact]
    public async Task Current_AcrossAChannel_IsTheReadersUntilItIsEnteredThere()
    {
        var channel = Channel.CreateUnbounded<(FlusterContext? Sender, TaskCompletionSource<(FlusterContext?, Activity?, FlusterContext?)> Seen)>();
        Task reader;
        using (s_other.Enter())
        {
            reader = Task.Run(async () =>
            {
                await foreach (var (sender, seen) in channel.Reader.ReadAllAsync())
                {
                    var (own, trace) = (FlusterContext.CurrentOrNull, Activity.Current);
                    using var scope = sender!.Enter();
                    seen.SetResult((own, trace, FlusterContext.CurrentOrNull));
                }
            });
        }

        var item = new TaskCompletionSource<(FlusterContext?, Activity?, FlusterContext?)>();
        using (s_context.Enter())
        {
            using var activity = new Activity("sender").Start();
            await channel.Writer.WriteAsync((FlusterContext.CurrentOrNull, item));
            Assert.Equal((s_other, null, s_context), await item.Task); // the trace does not cross either
            Assert.Same(activity, Activity.Current);
        }

        channel.Writer.Complete();
        await reader;
    }

    [Fact]
    public async Task Current_FlowsIntoContinuationsParallelLoopsAndPeriodicTimers()
    {
        using var scope = s_context.Enter();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var continued = gate.Task.ContinueWith(_ => FlusterContext.CurrentOrNull, TaskScheduler.Default);
        var awaited = AfterAsync(gate.Task);
        using (s_other.Enter())
        {
            gate.SetResult(); // whoever completes a task does not lend its context to those who wait for it
        }

        var inLoop = new System.Collections.Concurrent.ConcurrentBag<FlusterContext?>();
        Parallel.For(0, 8, _ => inLoop.Add(FlusterContext.CurrentOrNull));
        await Parallel.ForEachAsync(Enumerable.Range(0, 8), async (_, cancellation) =>
        {
            await Task.Yield();
            inLoop.Add(FlusterContext.CurrentOrNull);
        });
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        await timer.WaitForNextTickAsync();

        Assert.Same(s_context, await continued);
        Assert.Same(s_context, await awaited);
        Assert.All(inLoop, seen => Assert.Same(s_context, seen));
        Assert.Same(s_context, FlusterContext.CurrentOrNull);

        static async Task<FlusterContext?> AfterAsync(Task task)
        {
            await task;
            return FlusterContext.CurrentOrNull;
        }
    }

    [Fact]
    public async Task Current_InATaskStartedUnderSuppressFlow_IsNoneUntilItIsEnteredThere()
    {
        using var scope = s_context.Enter();
        Task<(FlusterContext? Before, FlusterContext? Inside, FlusterContext? After)> started;
        using (ExecutionContext.SuppressFlow())
        {
            started = Task.Run(async () =>
            {
                var before = FlusterContext.CurrentOrNull;
                FlusterContext? inside;
                using (s_other.Enter())
                {
                    await Task.Yield();
                    inside = FlusterContext.CurrentOrNull;
                }

                return (before, inside, FlusterContext.CurrentOrNull);
            });
        }

        Assert.Equal((null, s_other, null), await started);
        Assert.Same(s_context, FlusterContext.Current);
    }

    [Fact]
    public async Task Enter_NestedAndLeftByExceptions_RestoresEachInTurn()
    {
        using var scope = s_context.Enter();
        var third = s_context with { TaskIndex = 3 };
        try
        {
            using var outer = s_other.Enter();
            try
            {
                using var inner = third.Enter();
                await Task.Yield();
                Assert.Same(third, FlusterContext.Current);
                throw new TimeoutException();
            }
            catch (TimeoutException)
            {
                Assert.Same(s_other, FlusterContext.Current);
                throw new InvalidOperationException();
            }
        }
        catch (InvalidOperationException)
        {
            Assert.Same(s_context, FlusterContext.Current);
        }
    }

    [Fact]
    public async Task Enter_InTasksAtTheSameTime_IsEachTasksOwn()
    {
        var seen = await Task.WhenAll(Enumerable.Range(0, 50).Select(index => Task.Run(async () =>
        {
            using var scope = (s_context with { TaskIndex = index }).Enter();
            await Task.Yield();
            return (index, await Task.Run(() => FlusterContext.Current.TaskIndex));
        })));

        Assert.All(seen, pair => Assert.Equal(pair.index, pair.Item2));
        Assert.Null(FlusterContext.CurrentOrNull);
    }

    /// <summary>Every hand-over of the table, inside two jobs of one process at the same time; their common reader is of neither.</summary>
    [Fact]
    public async Task LocalJobs_AtTheSameTime_SeeTheirOwnContextInEveryHandOver()
    {
        await using var client = new LocalClient();
        var reader = Task.Run(ReadAsync);
        var jobs = new List<JobHandle<List<string?>>>();
        for (var i = 0; i < 2; i++)
        {
            jobs.Add(await client.SubmitAsync(HandOversAsync));
        }

        foreach (var job in jobs)
        {
            var own = job.Id.ToString();
            Assert.Equal(
                [own, own, own, own, own, own, own, null, null, null, own, own],
                await job.ResultAsync(TimeSpan.FromSeconds(30)));
        }

        s_handedOver.Writer.Complete();
        await reader;
        Assert.Null(FlusterContext.CurrentOrNull);
    }

    private static readonly Channel<(FlusterContext Sender, TaskCompletionSource<(string?, string?)> Seen)> s_handedOver =
        Channel.CreateUnbounded<(FlusterContext, TaskCompletionSource<(string?, string?)>)>();

    private static string? Job => FlusterContext.CurrentOrNull?.JobId.ToString();

    private static async Task ReadAsync()
    {
        await foreach (var (sender, seen) in s_handedOver.Reader.ReadAllAsync())
        {
            var own = Job;
            using var scope = sender.Enter();
            seen.SetResult((own, Job));
        }
    }

    private static async Task<List<string?>> HandOversAsync()
    {
        var (queued, ticked, unsafeQueued) = (new TaskCompletionSource<string?>(), new TaskCompletionSource<string?>(), new TaskCompletionSource<string?>());
        string? inThread = null;
        var thread = new Thread(() => inThread = Job);
        thread.Start();
        thread.Join();
        ThreadPool.QueueUserWorkItem(_ => queued.SetResult(Job));
        await using var timer = new Timer(_ => ticked.TrySetResult(Job), null, 0, Timeout.Infinite);
        var seen = new List<string?>
        {
            await Task.Run(() => Job), inThread, await queued.Task, await ticked.Task, await Task.CompletedTask.ContinueWith(_ => Job, TaskScheduler.Default),
        };
        await foreach (var inIterator in IterateAsync())
        {
            seen.Add(inIterator); // what was entered outside of the iterator is not lost in it
        }

        ThreadPool.UnsafeQueueUserWorkItem(_ => unsafeQueued.SetResult(Job), null);
        seen.Add(await unsafeQueued.Task);
        Task<string?> suppressed;
        using (ExecutionContext.SuppressFlow())
        {
            suppressed = Task.Run(() => Job);
        }

        seen.Add(await suppressed);
        var item = new TaskCompletionSource<(string? Own, string? Entered)>();
        await s_handedOver.Writer.WriteAsync((FlusterContext.Current, item));
        var (own, entered) = await item.Task;
        seen.Add(own);
        seen.Add(entered);
        await Task.Yield();
        seen.Add(Job);
        return seen;

        static async IAsyncEnumerable<string?> IterateAsync()
        {
            yield return Job;
            await Task.Yield();
            yield return Job;
        }
    }

    [Fact]
    public async Task Enter_InAnAwaitedMethod_DoesNotReachTheCaller()
    {
        await EnterAndLeaveOpenAsync();

        Assert.Null(FlusterContext.CurrentOrNull);

        static async Task EnterAndLeaveOpenAsync()
        {
            _ = s_context.Enter();
            await Task.Yield();
        }
    }

    [Fact]
    public void Enter_InASynchronousMethod_ReachesTheCaller()
    {
        using var scope = EnterForTheCaller();

        Assert.Same(s_context, FlusterContext.Current);

        static FlusterContext.Scope EnterForTheCaller() => s_context.Enter();
    }

    [Fact]
    public async Task Enter_InAnAsyncIterator_IsLostAfterAYield()
    {
        var seen = new List<FlusterContext?>();
        await foreach (var context in IterateAsync())
        {
            seen.Add(context);
        }

        Assert.Equal([s_context, null], seen);

        static async IAsyncEnumerable<FlusterContext?> IterateAsync()
        {
            using var scope = s_context.Enter();
            yield return FlusterContext.CurrentOrNull;
            await Task.Yield();
            yield return FlusterContext.CurrentOrNull;
        }
    }

    [Fact]
    public async Task Detached_StartedInsideAJob_DoesNotBelongToIt()
    {
        using var scope = s_context.Enter();
        FlusterContext? seen = s_context, nested = s_context;
        await Detached.Run(async () =>
        {
            await Task.Yield();
            seen = FlusterContext.CurrentOrNull;
            await Task.Run(() => nested = FlusterContext.CurrentOrNull);
        });

        Assert.Null(seen);
        Assert.Null(nested);
        Assert.Same(s_context, FlusterContext.Current);
    }

    [Fact]
    public async Task Detached_WhereFlowIsSuppressedAlready_Runs()
    {
        Task<int> Start()
        {
            using var suppressed = ExecutionContext.SuppressFlow();
            var done = new TaskCompletionSource<int>();
            _ = Detached.Run(() =>
            {
                done.SetResult(5);
                return Task.CompletedTask;
            });
            return done.Task;
        }

        Assert.Equal(5, await Start());
    }

    [Fact]
    public void GetPort_Unknown_NamesItAndThoseThereAre()
    {
        var context = s_context with { Ports = new Dictionary<string, int>(StringComparer.Ordinal) { ["http"] = 30001, ["actor"] = 30000 } };

        Assert.Equal(30000, context.GetPort("actor"));
        var error = Assert.Throws<KeyNotFoundException>(() => context.GetPort("metrics"));
        Assert.Equal("train-1a2b3c4d has no port 'metrics'. It has: actor, http.", error.Message);
        Assert.Equal("train-1a2b3c4d has no port 'metrics'. It has none: submit it with Ports = [\"metrics\"].", Assert.Throws<KeyNotFoundException>(() => s_context.GetPort("metrics")).Message);
    }

    [Fact]
    public void Controller_WithCopy_IsKept()
    {
        var client = new FlusterClient(new FlusterClientOptions { Address = "http://127.0.0.1:1" });
        var context = s_context with { Controller = client };

        Assert.Same(client, (context with { TaskIndex = 3 }).Controller);
        Assert.Null(s_context.Controller);
    }

    [Fact]
    public void FromEnvironment_NotAJob_IsNull() => Assert.Null(JobProcess.Read(_ => null, []));

    [Fact]
    public void FromEnvironment_Job_HasAllOfIt()
    {
        var context = JobProcess.Read(
            Variables(("FLUSTER_JOB_ID", "a-1a2b3c4d/b"), ("FLUSTER_NAMESPACE", "ns"), ("FLUSTER_TASK_INDEX", "2"), ("FLUSTER_TASK_COUNT", "4"), ("FLUSTER_FENCE", "77"), ("FLUSTER_WORKER_ID", "w")),
            [KeyValuePair.Create("FLUSTER_PORT_METRICS_HTTP", "30001")])!;

        Assert.Equal("a-1a2b3c4d/b task 2 of 4 in ns", context.ToString());
        Assert.Equal((new Fence(77), WorkerId.Parse("w")), (context.Fence, context.WorkerId));
        Assert.Equal(30001, context.GetPort("metrics-http"));
        Assert.Equal(30001, context.Ports["metrics_http"]);
    }

    [Fact]
    public void FromEnvironment_OnlyAnId_HasDefaults()
    {
        var context = JobProcess.Read(Variables(("FLUSTER_JOB_ID", "a-1a2b3c4d")), [])!;

        Assert.Equal((Namespace.Default, 0, 1, new Fence(0), null), (context.Namespace, context.TaskIndex, context.TaskCount, context.Fence, context.WorkerId));
    }

    [Theory]
    [InlineData("FLUSTER_JOB_ID", "Not An Id")]
    [InlineData("FLUSTER_TASK_INDEX", "x")]
    [InlineData("FLUSTER_TASK_COUNT", "99999999999")]
    [InlineData("FLUSTER_FENCE", "-1")]
    [InlineData("FLUSTER_NAMESPACE", "a b")]
    public void FromEnvironment_Unreadable_NamesTheVariable(string name, string value)
    {
        var error = Assert.Throws<FormatException>(() => JobProcess.Read(key => key == name ? value : key == "FLUSTER_JOB_ID" ? "a-1a2b3c4d" : null, []));

        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    private static Func<string, string?> Variables(params (string Name, string Value)[] variables) =>
        name => variables.Where(variable => variable.Name == name).Select(variable => variable.Value).FirstOrDefault();
}
