using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Waiting for many jobs, and stopping jobs by what they are within or before they are there: a real controller, the wire of a worker.</summary>
public sealed class JobWaitTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task ManyJobs_EndInAnyOrder_ComeBackInTheOrderAskedFor_SoonAfterTheLast()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var quickest = TimeSpan.MaxValue;
        for (var round = 0; round < 10; round++)
        {
            JobHandle[] jobs = [await SubmitAsync(client, "a"), await SubmitAsync(client, "b"), await SubmitAsync(client, "c")];
            var fences = new List<ulong>();
            foreach (var job in jobs)
            {
                fences.Add((await worker.WaitForAttemptAsync(job.Id.ToString())).Fence);
            }

            var waiting = JobHandle.WaitAllAsync([jobs[2], jobs[0], jobs[1], jobs[0]], s_patience);
            await worker.SucceededAsync(fences[1]);
            await worker.ExitedAsync(fences[0], 3);
            await client.WaitAsync([jobs[0].Id, jobs[1].Id], s_patience);
            Assert.False(waiting.IsCompleted);
            var started = TimeProvider.System.GetTimestamp();
            await worker.SucceededAsync(fences[2]);
            var ended = await waiting;
            quickest = TimeSpan.FromTicks(Math.Min(quickest.Ticks, TimeProvider.System.GetElapsedTime(started).Ticks));

            Assert.Equal([jobs[2].Id, jobs[0].Id, jobs[1].Id, jobs[0].Id], ended.Select(status => status.Id));
            Assert.Equal([JobState.Succeeded, JobState.Failed, JobState.Succeeded, JobState.Failed], ended.Select(status => status.State));
        }

        Assert.True(quickest < TimeSpan.FromMilliseconds(50), $"The quickest of 10 waits ended {quickest.TotalMilliseconds} ms after the last job.");
    }

    [Fact]
    public async Task ManyJobs_OneFails_ThrowsAtOnceWhenAsked_AndOtherwiseNamesWhatIsLeftAtTheTimeout()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var (first, second) = (await SubmitAsync(client, "first"), await SubmitAsync(client, "second"));
        var fence = (await worker.WaitForAttemptAsync(second.Id.ToString())).Fence;

        await worker.ExitedAsync(fence, 4);
        var failed = await Assert.ThrowsAsync<JobFailedException>(() => client.WaitAsync([first.Id, second.Id], s_patience, throwOnFailure: true));
        var late = await Assert.ThrowsAsync<TimeoutException>(() => client.WaitAsync([first.Id, second.Id], TimeSpan.FromMilliseconds(300)));
        var unknown = await Assert.ThrowsAsync<ClusterException>(() => client.WaitAsync([first.Id, JobId.Parse("nobody-00000000")], s_patience));

        Assert.Equal(second.Id, failed.Status.Id);
        Assert.StartsWith($"{second.Id} ended Failed: Exit code: 4", failed.Message, StringComparison.Ordinal);
        Assert.Equal($"1 of 2 jobs have not ended after 0.3 s; the first is {first.Id}.", late.Message);
        Assert.Equal(ClusterError.NotFound, unknown.Error);
        Assert.Empty(await client.WaitAsync([], s_patience));
    }

    [Fact]
    public async Task ManyJobs_ControllerIsKilledInBetween_StillComeBack()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        var jobs = new List<JobId>();
        for (var i = 0; i < 20; i++)
        {
            jobs.Add((await SubmitAsync(client, $"job{i}")).Id);
        }

        var waiting = client.WaitAsync(jobs, s_patience);
        await client.TerminateAsync(jobs[0]);
        await controller.KillAsync();
        await controller.StartAsync();
        foreach (var job in jobs.Skip(1))
        {
            await client.TerminateAsync(job);
        }

        var ended = await waiting;
        Assert.Equal(jobs, ended.Select(status => status.Id));
        Assert.All(ended, status => Assert.Equal((JobState.Killed, KillCause.User), (status.State, status.Failure?.KilledBy)));
    }

    [Fact]
    public async Task UnknownJob_Terminated_IsRefusedWhenItsCreateArrives_AlsoAfterARestart()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        var id = JobId.Parse("late-0000000a");

        var error = await Assert.ThrowsAsync<ClusterException>(() => client.TerminateAsync(id));
        await controller.KillAsync();
        await controller.StartAsync();
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await service.LaunchJobAsync(Launch("late-0000000a", "late"), controller.Headers()));
        var other = await service.LaunchJobAsync(Launch("late-0000000b", "late"), controller.Headers());

        Assert.Equal(ClusterError.NotFound, error.Error);
        Assert.Equal((StatusCode.FailedPrecondition, "Job 'late-0000000a' was terminated before it was created."), (refused.StatusCode, refused.Status.Detail));
        Assert.Equal("late-0000000b", other.Job.JobId);
    }

    [Fact]
    public async Task Within_StopsTheJobAndWhatIsBelowIt_AndNotWhatOnlyBeginsAlike()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        await service.LaunchJobAsync(Launch("p-00000001", "p"), controller.Headers());
        var parent = await worker.WaitForAttemptAsync("p-00000001");
        await worker.RunningAsync(parent.Fence);
        await service.LaunchJobAsync(Launch("p-00000001/a", "a"), controller.Headers(parent.Spec.Token));
        await service.LaunchJobAsync(Launch("p-00000001/ab", "ab"), controller.Headers(parent.Spec.Token));

        var stopped = await client.TerminateWithinAsync(JobId.Parse("p-00000001/a"));
        var nothing = await client.TerminateWithinAsync(JobId.Parse("p"));

        Assert.Equal((1, 0), (stopped, nothing));
        await Eventually.True(async () => (await client.GetStatusAsync(JobId.Parse("p-00000001/a"))) is { Stopping: true } or { State: JobState.Killed }, () => "It is not stopped.");
        Assert.False((await client.GetStatusAsync(JobId.Parse("p-00000001/ab"))).Stopping);
        Assert.Equal(2, await client.TerminateWithinAsync(JobId.Parse("p-00000001")));
    }

    /// <summary>A lost worker cannot tell what its jobs wrote last; the controller has it.</summary>
    [Fact]
    public async Task LostAttempt_ShowsTheLastLinesThatArrived()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var job = await client.SubmitAsync(Request("lost") with { MaxPreemptionRetries = 0 });
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        using var logs = await worker.OpenLogsAsync();
        await logs.SendAsync(attempt.Fence, 0, 0, "step 1", "step 2");
        await logs.WaitForAcknowledgementAsync(attempt.Fence, 0);

        await using var again = await FakeWorker.ConnectAsync(controller, incarnation: 2); // holds nothing any more
        var status = await job.WaitAsync(s_patience);

        Assert.Equal((JobState.WorkerFailed, FailureKind.WorkerLost), (status.State, status.Failure?.Kind));
        Assert.Equal(["step 1", "step 2"], status.Failure?.LastLines);
        Assert.Equal(["step 1", "step 2"], status.Tasks.Single().Attempts.Single().Failure?.LastLines);
    }

    private static JobRequest Request(string name) => new() { Name = name, Entrypoint = JobEntrypoint.Command("true") };

    private static Task<JobHandle> SubmitAsync(FlusterClient client, string name) => client.SubmitAsync(Request(name));

    private static V1.LaunchJobRequest Launch(string id, string name) => new()
    {
        JobId = id,
        RequestId = $"request of {id}",
        Spec = new V1.JobSpec { Name = name, Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } },
    };
}
