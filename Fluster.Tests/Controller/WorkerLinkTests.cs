using System.Text;
using Fluster.Cluster;
using Fluster.Controller;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A real controller, and the wire of a worker.</summary>
public class WorkerLinkTests
{
    [Fact]
    public async Task Job_PlacedRunAndEnded_HasItsResult()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);

        var job = await client.SubmitAsync(Hello());
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        await Eventually.True(async () => (await client.GetStatusAsync(job.Id)).State == JobState.Running, () => "It does not run.");
        await worker.SucceededAsync(attempt.Fence, "42"u8.ToArray());
        await worker.WaitForAcknowledgementAsync(attempt.Fence);
        var status = await client.WaitAsync(job.Id);

        Assert.Equal(["echo", "hi"], attempt.Spec.Entrypoint.Command.Argv);
        Assert.Equal(V1.DesiredState.Run, attempt.State);
        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal("w1", Assert.Single(Assert.Single(status.Tasks).Attempts).Worker.ToString());
        Assert.Equal("42", Encoding.UTF8.GetString((await client.GetResultAsync(job.Id, 0))!.Value.Span));
    }

    /// <summary>A controller that stops closes all links, and those that have noticed by themselves are gone by then.</summary>
    [Fact]
    public void Link_ClosedAfterItsEnd_StaysEnded()
    {
        var link = new WorkerConnection(1, 1, null!, null!, null!, null!, null!, TimeProvider.System);
        link.Dispose();

        link.Close();
    }

    [Fact]
    public async Task WorkerInQuarantine_GetsNothing_AndTheListSaysSo()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var broken = await FakeWorker.ConnectAsync(controller, "broken");
        for (var i = 0; i < 3; i++)
        {
            var job = await client.SubmitAsync(Hello());
            var fence = (await broken.WaitForAttemptAsync(job.Id.ToString())).Fence;
            await broken.ReportAsync(new V1.AttemptObservation
            {
                Fence = fence,
                Phase = V1.AttemptPhase.Ended,
                Outcome = new V1.AttemptOutcome { Failure = new V1.Failure { Kind = V1.FailureKind.ProgramNotFound, Message = "no such program" }, Logs = new V1.LogTotals() },
            });
            await client.WaitAsync(job.Id);
        }

        // Both are empty: without the quarantine some of these would go to the first.
        await using var sound = await FakeWorker.ConnectAsync(controller, "sound");
        for (var i = 0; i < 4; i++)
        {
            await sound.WaitForAttemptAsync((await client.SubmitAsync(Hello())).Id.ToString());
        }

        using var channel = controller.Channel();
        var workers = await ControllerProcess.Service(channel).ListWorkersAsync(new V1.ListWorkersRequest(), controller.Headers());
        Assert.Equal([("broken", "Quarantined"), ("sound", "Alive")], workers.Workers.Select(worker => (worker.WorkerId, worker.State)));
    }

    [Fact]
    public async Task JobToken_OfALiveAttempt_SubmitsChildrenAndEndpoints_AndNothingAfterItsEnd()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var job = await client.SubmitAsync(Hello());
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var headers = controller.Headers(attempt.Spec.Token);

        var child = await service.LaunchJobAsync(Launch($"{job.Id}/child", "child"), headers);
        await service.RegisterEndpointAsync(new V1.RegisterEndpointRequest { Endpoint = new V1.Endpoint { EndpointId = "e1", Name = "greeter", Address = "127.0.0.1:1" } }, headers);
        var found = await service.LookupEndpointsAsync(new V1.LookupEndpointsRequest { Name = "greeter" }, headers);
        await worker.ExitedAsync(attempt.Fence, 3);
        var ended = await client.WaitAsync(job.Id);
        var childAttempt = await worker.WaitForAttemptAsync(child.Job.JobId, stopped => stopped.State == V1.DesiredState.Stop);
        var gone = await service.LookupEndpointsAsync(new V1.LookupEndpointsRequest { Name = "greeter" }, controller.Headers());
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await service.LaunchJobAsync(Launch($"{job.Id}/late", "late"), headers));

        Assert.Equal(attempt.Fence, Assert.Single(found.Endpoints).OwnerFence);
        Assert.Equal((JobState.Failed, 3), (ended.State, ended.ExitCode));
        Assert.Equal(V1.KillCause.Parent, childAttempt.StopCause);
        Assert.Empty(gone.Endpoints);
        Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
    }

    [Fact]
    public async Task ControllerKilled_WhileAJobRuns_TakesTheOutcomeAfterItsRestart()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        var worker = await FakeWorker.ConnectAsync(controller);
        var job = await client.SubmitAsync(Hello());
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        await Eventually.True(async () => (await client.GetStatusAsync(job.Id)).State == JobState.Running, () => "It does not run.");

        await controller.KillAsync();
        await worker.WaitForEndAsync();
        await worker.DisposeAsync();
        await controller.StartAsync();
        await using var again = await FakeWorker.ConnectAsync(controller, configure: hello =>
        {
            hello.ClusterId = worker.Welcome.ClusterId;
            hello.Epoch = worker.Welcome.Epoch;
            hello.Holdings.Add(new V1.AttemptObservation { Fence = attempt.Fence, Phase = V1.AttemptPhase.Running });
        });
        var known = await again.WaitForAttemptAsync(job.Id.ToString());
        await again.SucceededAsync(attempt.Fence);
        var status = await client.WaitAsync(job.Id);

        Assert.Equal(attempt.Fence, known.Fence);
        Assert.Equal(worker.Welcome.Epoch + 1, again.Welcome.Epoch);
        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Single(Assert.Single(status.Tasks).Attempts);
    }

    [Fact]
    public async Task Logs_Followed_ArriveInOrderAndEndWithTheJob()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var job = await client.SubmitAsync(Hello());
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        using var logs = await worker.OpenLogsAsync();
        await logs.SendAsync(attempt.Fence, 0, 0, "one", "two");

        var lines = new List<string>();
        await foreach (var line in client.StreamLogs(job.Id, new LogOptions { Follow = true }))
        {
            lines.Add(line.Text);
            if (lines.Count == 2)
            {
                await logs.SendAsync(attempt.Fence, 1, 2, "three");
                await logs.WaitForAcknowledgementAsync(attempt.Fence, 1);
                await worker.SucceededAsync(attempt.Fence, logs: new V1.LogTotals { Chunks = 2, StdoutLines = 3 });
            }
        }

        Assert.Equal(["one", "two", "three"], lines);
    }

    [Fact]
    public async Task Worker_OfAnotherCluster_IsRefused()
    {
        await using var controller = await ControllerProcess.StartAsync();

        var exception = await Assert.ThrowsAsync<RpcException>(() => FakeWorker.ConnectAsync(controller, configure: hello => hello.ClusterId = "another"));

        Assert.Equal(StatusCode.FailedPrecondition, exception.StatusCode);
    }

    [Fact]
    public async Task Worker_SilentForLong_LosesItsAttemptToAnother_AndIsToldSoWhenItComesBack()
    {
        await using var controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Controller__WorkerSuspectSeconds"] = "3",
            ["Fluster__Controller__WorkerLostSeconds"] = "6",
        });
        await using var client = controller.Client();
        var silent = await FakeWorker.ConnectAsync(controller, "w1");
        var job = await client.SubmitAsync(Hello());
        var first = await silent.WaitForAttemptAsync(job.Id.ToString());
        await silent.RunningAsync(first.Fence);
        silent.FallSilent();
        await silent.WaitForEndAsync(); // given up: it has to say Hello again
        await using var other = await FakeWorker.ConnectAsync(controller, "w2");

        var second = await other.WaitForAttemptAsync(job.Id.ToString());
        await using var back = await FakeWorker.ConnectAsync(controller, "w1", configure: hello =>
            hello.Holdings.Add(new V1.AttemptObservation { Fence = first.Fence, Phase = V1.AttemptPhase.Running }));
        await back.WaitForSupersededAsync(first.Fence);
        await back.SucceededAsync(first.Fence);
        await back.WaitForAcknowledgementAsync(first.Fence);
        await other.ExitedAsync(second.Fence, 5);
        var status = await client.WaitAsync(job.Id);

        Assert.True(second.Fence > first.Fence);
        Assert.Equal((JobState.Failed, 5), (status.State, status.ExitCode));
        await silent.DisposeAsync();
    }

    [Fact]
    public async Task Shutdown_WithKillJobs_EndsThemKilled()
    {
        await using var controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Controller__KillJobsOnShutdown"] = "true",
        });
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var job = await client.SubmitAsync(Hello());
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);

        var stopping = controller.StopAsync();
        var stop = await worker.WaitForAttemptAsync(job.Id.ToString(), stopped => stopped.State == V1.DesiredState.Stop);
        await worker.ExitedAsync(attempt.Fence, 143);
        await stopping;
        await controller.StartAsync();
        var status = await client.GetStatusAsync(job.Id);

        Assert.Equal(V1.KillCause.Shutdown, stop.StopCause);
        Assert.Equal(JobState.Killed, status.State);
        Assert.Equal("Killed: the cluster shut down", status.Failure?.Message);
    }

    private static JobRequest Hello() => new() { Name = "hello", Entrypoint = JobEntrypoint.Command("echo", "hi") };

    private static V1.LaunchJobRequest Launch(string id, string name) => new()
    {
        JobId = id,
        RequestId = id,
        Spec = new V1.JobSpec { Name = name, Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "sleep", "60" } } } },
    };
}
