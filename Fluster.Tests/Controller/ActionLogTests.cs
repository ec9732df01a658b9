using Fluster.Cluster;
using Fluster.Controller;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What happened can be read: in order, the newest of it, over restarts, and by those only whom it concerns.</summary>
public class ActionLogTests
{
    [Fact]
    public void Read_MoreThanIsKept_GivesTheNewest()
    {
        var log = new ActionLog([], last: 0);
        var batch = new Batch();
        for (var number = 1; number <= ActionLog.Kept + 5; number++)
        {
            batch.Actions.Add(new ActionRecord("job_running", number));
        }

        log.OnCommitted(new ClusterState { Meta = new ClusterMeta { ClusterId = "c", Epoch = 1 } }, batch);

        var all = log.Read(long.MaxValue, int.MaxValue, _ => true);
        Assert.Equal(ActionLog.Kept, all.Count);
        Assert.Equal((ActionLog.Kept + 5, 6), (all[0].Number, all[^1].Number));
        Assert.All(all, found => Assert.Equal(found.Number, found.Action.Time));
        Assert.Equal([7L, 6L], log.Read(8, 10, _ => true).Select(found => found.Number));
    }

    [Fact]
    public async Task Store_ManyActions_KeepsTheNewestAndTheirNumbersOverRestarts()
    {
        using var lab = new LoopLab();
        lab.Start();
        var jobs = Enumerable.Range(0, 6_000).Select(_ => LoopLab.Submit()).ToList();
        await Task.WhenAll(jobs.Select(job => lab.Loop.SubmitAsync(job, default)));
        await lab.Loop.ApplyAsync(new ClusterInput.StopAll(KillCause.User), default);
        await Eventually.True(() => lab.Loop.Current.Jobs.Ascending().All(job => !job.IsLive), "Some live on.");
        lab.Reopen();

        var log = new ActionLog(lab.Opened);

        // Each was submitted, and killed before it was placed.
        var all = log.Read(long.MaxValue, int.MaxValue, _ => true);
        Assert.Equal((12_000, 2_001, ActionLog.Kept), (all[0].Number, all[^1].Number, all.Count));
        Assert.Equal(6_000, all.Count(found => found.Action.Kind == "job_killed"));
        Assert.Equal(jobs[^1].Id, all.First(found => found.Action.Kind == "job_submitted").Action.JobId);
        lab.Start();
        await lab.Loop.SubmitAsync(LoopLab.Submit(), default);
        lab.Reopen();
        Assert.Equal(12_001, new ActionLog(lab.Opened).Read(long.MaxValue, 1, _ => true)[0].Number);
    }

    [Fact]
    public async Task ListActions_OfARunningCluster_TellsJobsWorkersAndEndpoints()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        await using var registration = await client.EndpointRegistry.OpenRegistrationAsync();
        var removed = await registration.RegisterAsync("calc", "10.0.0.1:1");
        await registration.UnregisterAsync(removed.Id);
        await registration.RegisterAsync("calc", "10.0.0.1:2");
        await registration.DisposeAsync();
        var job = await client.SubmitAsync(new JobRequest { Name = "job", Entrypoint = JobEntrypoint.Command("true") });
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        await Eventually.True(async () => (await client.GetStatusAsync(job.Id)).State == JobState.Running, () => "It does not run.");
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        await service.RegisterEndpointAsync(
            new V1.RegisterEndpointRequest { Endpoint = new V1.Endpoint { EndpointId = "e1", Name = "greeter", Address = "127.0.0.1:1" } }, controller.Headers(attempt.Spec.Token));
        await worker.ExitedAsync(attempt.Fence, 3);
        await client.WaitAsync(job.Id);

        await controller.KillAsync();
        await controller.StartAsync();
        var all = await service.ListActionsAsync(new V1.ListActionsRequest { Namespace = "*" }, controller.Headers(), deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(30));
        var ofJob = await service.ListActionsAsync(new V1.ListActionsRequest { JobId = job.Id.ToString(), PageSize = 3 }, controller.Headers());
        var rest = await service.ListActionsAsync(new V1.ListActionsRequest { JobId = job.Id.ToString(), PageSize = 4, PageToken = ofJob.NextPageToken }, controller.Headers());
        var ended = await service.ListActionsAsync(new V1.ListActionsRequest { Kind = "job_failed" }, controller.Headers());

        Assert.Equal(
            ["worker_registered", "endpoint_registered", "endpoint_unregistered", "endpoint_registered", "endpoint_removed_registration_ended", "job_submitted", "job_building", "job_running", "endpoint_registered", "endpoint_removed_job_terminated", "job_failed"],
            all.Actions.Reverse().Select(action => action.Kind));
        Assert.Equal(Enumerable.Range(1, 11).Select(number => (long)number), all.Actions.Reverse().Select(action => action.Number));
        Assert.Equal(["job_failed", "endpoint_removed_job_terminated", "endpoint_registered", "job_running", "job_building", "job_submitted"], ofJob.Actions.Concat(rest.Actions).Select(action => action.Kind));
        Assert.Equal(("greeter at 127.0.0.1:1", "e1"), (ofJob.Actions[1].Details, ofJob.Actions[1].EndpointId));
        Assert.Equal("Exit code: 3", Assert.Single(ended.Actions).Details);
    }

    [Fact]
    public async Task ListActions_OfOthers_AreNotSeen()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await client.SubmitAsync(new JobRequest { Name = "job", Entrypoint = JobEntrypoint.Command("true") });
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var headers = controller.Headers(controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "prod", ExpiresAt = 0 }));

        var own = await service.ListActionsAsync(new V1.ListActionsRequest(), headers);
        var all = await service.ListActionsAsync(new V1.ListActionsRequest { Namespace = "*" }, headers);
        var foreign = await Assert.ThrowsAsync<RpcException>(async () => await service.ListActionsAsync(new V1.ListActionsRequest { Namespace = "default" }, headers));

        Assert.Empty(own.Actions);
        Assert.Empty(all.Actions);
        Assert.Equal(StatusCode.PermissionDenied, foreign.StatusCode);
    }
}
