using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Parents and children, stopping, logs and endpoints: every scenario passes unchanged on every backend (seed 003, stage 7).</summary>
public abstract class FamilyScenarioTests(ScenarioBackend backend)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    protected IClusterController Client { get; } = backend.Client;

    [Fact]
    public async Task Child_BelongsToItsParentAndReturnsItsResult()
    {
        var factor = 6;
        var job = await Client.SubmitAsync(
            async () =>
            {
                var child = await FlusterContext.Current.Controller!.SubmitAsync(() => $"{FlusterContext.Current.Namespace} {factor * 7}", new JobOptions { Name = "child" });
                return $"{child.Id}: {await child.ResultAsync()}";
            },
            new JobOptions { Name = "parent", Namespace = Namespace.Parse("family") });

        Assert.Equal($"{job.Id}/child: family 42", await job.ResultAsync(s_patience));
        Assert.Equal(job.Id, (await Client.GetStatusAsync(job.Id.Child("child"))).Id.Parent);
    }

    [Fact]
    public async Task Child_OfAName_IsOneAtATime_AndALaterOneIsAnother()
    {
        var job = await Client.SubmitAsync(async () =>
        {
            var cluster = FlusterContext.Current.Controller!;
            var first = await cluster.SubmitAsync(TestCluster.Bash("sleep 600", "twin"));
            var refused = await Assert.ThrowsAsync<ClusterException>(() => cluster.SubmitAsync(TestCluster.Bash("exit 0", "twin")));
            await first.TerminateAsync();
            await first.WaitAsync();
            var second = await cluster.SubmitAsync(TestCluster.Bash("exit 0", "twin"));
            return $"{refused.Error} {first.Id} {second.Id} {(await cluster.WaitAsync(second.Id)).State}";
        });

        Assert.Equal($"AlreadyExists {job.Id}/twin {job.Id}/twin~2 Succeeded", await job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task Children_GoWithTheirParent_UnlessItKeepsThem()
    {
        var bound = await Client.SubmitAsync(LeaveAChild());
        var kept = await Client.SubmitAsync(LeaveAChild() with { KeepChildren = true });

        Assert.All(await Client.WaitAsync([bound.Id, kept.Id], s_patience), parent => Assert.Equal(JobState.Succeeded, parent.State));

        var child = await Client.WaitAsync(bound.Id.Child("endless"), s_patience);
        Assert.Equal((JobState.Killed, KillCause.Parent), (child.State, child.Failure?.KilledBy));
        Assert.False((await Client.GetStatusAsync(kept.Id.Child("endless"))).State.IsTerminal);
        Assert.Equal(1, await Client.TerminateWithinAsync(kept.Id));
        Assert.Equal((JobState.Killed, KillCause.User), await EndOfAsync(kept.Id.Child("endless")));

        static JobRequest LeaveAChild() => new()
        {
            Name = "leaver",
            Entrypoint = JobEntrypoint.For(async () => (await FlusterContext.Current.Controller!.SubmitAsync(TestCluster.Bash("sleep 600", "endless"))).Id.ToString()),
        };
    }

    [Fact]
    public async Task Terminate_EndsAllBelow()
    {
        var job = await Client.SubmitAsync(async (CancellationToken stopping) =>
        {
            var child = await FlusterContext.Current.Controller!.SubmitAsync(TestCluster.Bash("sleep 600", "below"), stopping);
            Console.WriteLine("ready");
            await child.WaitAsync(cancellationToken: stopping);
        });
        await Scenario.FirstLineAsync(job);

        var asked = await job.TerminateAsync();
        var again = await job.TerminateAsync();

        Assert.True(asked.Stopping || asked.State.IsTerminal);
        Assert.True(again.Stopping || again.State.IsTerminal);
        Assert.Equal((JobState.Killed, KillCause.User), await EndOfAsync(job.Id));
        Assert.Equal((JobState.Killed, KillCause.Parent), await EndOfAsync(job.Id.Child("below")));
        Assert.Equal(JobState.Killed, (await job.TerminateAsync()).State);
    }

    [Fact]
    public async Task Terminate_CancelsStopping_AndTheJobHasTimeToEnd()
    {
        var job = await Client.SubmitAsync(async (CancellationToken stopping) =>
        {
            Console.WriteLine("ready");
            var stopped = new TaskCompletionSource();
            await using var registration = stopping.Register(stopped.SetResult);
            await stopped.Task;
            Console.WriteLine($"saved {FlusterContext.Current.Stopping.IsCancellationRequested}");
        });
        await Scenario.FirstLineAsync(job);

        await job.TerminateAsync();

        Assert.Equal(["ready", "saved True"], await Scenario.LinesAsync(job));
        Assert.Equal((JobState.Killed, KillCause.User), await EndOfAsync(job.Id)); // although it returned
    }

    [Fact]
    public async Task Logs_AreFollowedFromTheBeginning_AndResumedExactly()
    {
        var job = await Client.SubmitAsync(async () =>
        {
            for (var line = 0; line < 200; line++)
            {
                Console.WriteLine($"line {line}");
                await Task.Yield();
            }
        });
        var seen = new List<string>();
        string? cursor = null;
        await foreach (var line in job.StreamLogs())
        {
            seen.Add(line.Text);
            if (line.Cursor is not null)
            {
                cursor = line.Cursor;
                break;
            }
        }

        Assert.NotNull(cursor);
        await foreach (var line in job.StreamLogs(new LogOptions { Follow = true, Cursor = cursor }))
        {
            seen.Add(line.Text);
        }

        Assert.Equal(Enumerable.Range(0, 200).Select(number => $"line {number}"), seen);
        Assert.Equal(["line 198", "line 199"], await job.StreamLogs(new LogOptions { Tail = 2 }).Select(line => line.Text).ToListAsync());
        var error = await Assert.ThrowsAsync<ClusterException>(() => job.StreamLogs(new LogOptions { TaskIndex = 1 }).ToListAsync().AsTask());
        Assert.Equal((ClusterError.InvalidArgument, $"Job '{job.Id}' has no task 1: its tasks are 0 to 0."), (error.Error, error.Message));
    }

    [Fact]
    public async Task Output_OfJobsAtTheSameTime_IsEachJobsOwn()
    {
        var jobs = new List<JobHandle>();
        foreach (var name in (string[])["one", "two", "three"])
        {
            jobs.Add(await Client.SubmitAsync(async () =>
            {
                for (var line = 0; line < 50; line++)
                {
                    await Console.Out.WriteLineAsync($"{name} {line}");
                    await Task.Run(() => Console.Error.WriteLine($"{name} error {line}"));
                }
            }));
        }

        foreach (var (name, job) in new[] { "one", "two", "three" }.Zip(jobs))
        {
            var lines = await job.StreamLogs().ToListAsync();
            Assert.Equal(Enumerable.Range(0, 50).Select(line => $"{name} {line}"), lines.Where(line => line.Stream == JobLogStream.Stdout).Select(line => line.Text));
            Assert.Equal(Enumerable.Range(0, 50).Select(line => $"{name} error {line}"), lines.Where(line => line.Stream == JobLogStream.Stderr).Select(line => line.Text));
        }
    }

    [Fact]
    public async Task Endpoint_IsThereForAsLongAsItsJob_AndWatchersAreTold()
    {
        var @namespace = Namespace.Parse($"endpoints-{Guid.NewGuid():N}");
        var registry = Client.EndpointRegistry;
        await using var watch = registry.WatchAsync(@namespace, "service").GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        Assert.True(watch.Current is { IsReset: true, Registered.Count: 0 });
        var job = await Client.SubmitAsync(
            async (CancellationToken stopping) =>
            {
                var registry = FlusterContext.Current.Controller!.EndpointRegistry;
                await registry.RegisterAsync("service", "127.0.0.1:1234", new Dictionary<string, string>(StringComparer.Ordinal) { ["kind"] = "test" }, stopping);
                await registry.UnregisterAsync((await registry.RegisterAsync("service-2", "127.0.0.1:1235", cancellationToken: stopping)).Id, stopping);
                var stopped = new TaskCompletionSource();
                await using var registration = stopping.Register(stopped.SetResult);
                await stopped.Task;
            },
            new JobOptions { Namespace = @namespace });

        Assert.True(await watch.MoveNextAsync());
        var endpoint = Assert.Single(watch.Current.Registered);
        Assert.Equal(("service", "127.0.0.1:1234", job.Id, "test"), (endpoint.Name, endpoint.Address, endpoint.OwnerJob, endpoint.Metadata["kind"]));
        Assert.Equal(endpoint.Id, Assert.Single(await registry.LookupAsync(@namespace, "service")).Id);
        await Eventually.True(async () => (await registry.ListAsync(@namespace, "serv")).Count == 1, () => "The second one was not unregistered.");
        Assert.Empty(await registry.LookupAsync(Namespace.Default, "service"));
        Assert.Empty(await registry.ListAsync(Namespace.Default, "serv"));

        await job.TerminateAsync();
        await job.WaitAsync(s_patience);

        Assert.True(await watch.MoveNextAsync());
        Assert.Equal([endpoint.Id], watch.Current.Removed);
        Assert.Empty(await registry.LookupAsync(@namespace, "service"));
    }

    [Fact]
    public async Task Endpoint_OutsideAJob_NeedsARegistrationAndEndsWithIt()
    {
        var @namespace = Namespace.Parse($"outside-{Guid.NewGuid():N}");
        var registry = Client.EndpointRegistry;
        await Assert.ThrowsAsync<InvalidOperationException>(() => registry.RegisterAsync("service", "127.0.0.1:1"));
        var registration = await registry.OpenRegistrationAsync(@namespace);
        await registration.RegisterAsync("b", "127.0.0.1:2");
        var first = await registration.RegisterAsync("a", "127.0.0.1:1");

        Assert.Equal(["a", "b"], (await registry.ListAsync(@namespace, "")).Select(endpoint => endpoint.Name));
        await registration.UnregisterAsync(first.Id);
        await registration.UnregisterAsync(first.Id);
        Assert.Equal(["b"], (await registry.ListAsync(@namespace, "")).Select(endpoint => endpoint.Name));
        await registration.DisposeAsync();

        Assert.Empty(await registry.ListAsync(@namespace, ""));
    }

    [Fact]
    public async Task Namespaces_OfJobs_Isolate()
    {
        var other = Namespace.Parse($"other-{Guid.NewGuid():N}");
        var there = await Client.SubmitAsync(
            async () =>
            {
                var cluster = FlusterContext.Current.Controller!;
                var error = await Assert.ThrowsAsync<ClusterException>(() => cluster.EndpointRegistry.LookupAsync(Namespace.Default, "service"));
                return $"{error.Error} {await cluster.ListAsync().CountAsync()}";
            },
            new JobOptions { Namespace = other });

        Assert.Equal("PermissionDenied 1", await there.ResultAsync(s_patience));
        Assert.Equal([there.Id], await Client.ListAsync(new JobFilter { Namespace = other }).Select(job => job.Id).ToListAsync());
        Assert.DoesNotContain(await Client.ListAsync().ToListAsync(), job => job.Id == there.Id);
        Assert.Contains(await Client.ListAsync(new JobFilter { AllNamespaces = true }).ToListAsync(), job => job.Id == there.Id);
    }

    private async Task<(JobState State, KillCause? Cause)> EndOfAsync(JobId job)
    {
        var status = await Client.WaitAsync(job, s_patience);
        return (status.State, status.Failure?.KilledBy);
    }
}
