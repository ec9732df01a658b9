using System.Diagnostics;
using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The controller tells where the time of a job went, over its own restarts, and to those only whom it concerns.</summary>
public class JobTraceTests
{
    [Fact]
    public async Task GetJobTrace_OfAJobWithARetry_HasAllThatTheControllerKnows()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var job = await client.SubmitAsync(new JobRequest { Name = "train", Entrypoint = JobEntrypoint.Command("true"), MaxFailureRetries = 1 });
        var first = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(first.Fence);
        await Eventually.True(async () => (await client.GetStatusAsync(job.Id)).State == JobState.Running, () => "It does not run.");
        var open = await TraceAsync(service, controller, job.Id);
        await worker.ExitedAsync(first.Fence, 3);
        var second = await worker.WaitForAttemptAsync(job.Id.ToString(), attempt => attempt.Fence != first.Fence);

        await controller.KillAsync();
        await controller.StartAsync();
        await using var again = await FakeWorker.ConnectAsync(controller, incarnation: 1, configure: hello => hello.Holdings.Add(new V1.AttemptObservation { Fence = second.Fence, Phase = V1.AttemptPhase.Running }));
        await again.SucceededAsync(second.Fence);
        await client.WaitAsync(job.Id);
        var trace = await TraceAsync(service, controller, job.Id);

        Assert.Equal(["job train", "submit", "queue", "placement", "attempt 1"], open.Spans.Select(span => span.Name).OrderBy(name => Array.IndexOf(s_order, name)));
        Assert.Equal([true, false, false, false, true], open.Spans.OrderBy(span => Array.IndexOf(s_order, span.Name)).Select(span => span.End is null));
        Assert.Equal(["attempt 1", "attempt 2", "job train", "placement", "placement", "queue", "queue", "submit"], trace.Spans.Select(span => span.Name).Order(StringComparer.Ordinal));
        Assert.True(trace.Sampled);
        Assert.All(trace.Spans, span => Assert.Equal((trace.TraceId, job.Id.ToString()), (span.TraceId, span.JobId)));
        Assert.All(trace.Spans, span => Assert.NotNull(span.End));
        var root = Assert.Single(trace.Spans, span => span.ParentId.Length == 0);
        Assert.Equal(("job train", V1.SpanStatus.Ok), (root.Name, root.Status));
        Assert.All(trace.Spans.Where(span => span.SpanId != root.SpanId), span => Assert.Equal(root.SpanId, span.ParentId));
        var attempts = trace.Spans.Where(span => span.Name.StartsWith("attempt", StringComparison.Ordinal)).OrderBy(span => span.Name, StringComparer.Ordinal).ToList();
        Assert.Equal([V1.SpanStatus.Error, V1.SpanStatus.Ok], attempts.Select(span => span.Status));
        Assert.Equal(attempts[0].SpanId, Assert.Single(attempts[1].Links).SpanId);
        Assert.Equal([attempts[0].SpanId, attempts[1].SpanId], ((V1.AttemptSpec[])[first.Spec, second.Spec]).Select(spec => ActivityContext.Parse(spec.Trace.Traceparent, null).SpanId.ToHexString()));
        Assert.Equal([root.SpanId, root.SpanId], ((V1.AttemptSpec[])[first.Spec, second.Spec]).Select(spec => spec.ParentSpanId));
        Assert.Equal(["", attempts[0].SpanId], ((V1.AttemptSpec[])[first.Spec, second.Spec]).Select(spec => spec.PreviousSpanId));
    }

    [Fact]
    public async Task GetJobTrace_OfASubmitterWithATrace_GoesOnWithIt()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        using var activity = new Activity("caller") { ActivityTraceFlags = ActivityTraceFlags.Recorded }.Start();
        var sampled = await client.SubmitAsync(new JobRequest { Name = "sampled", Entrypoint = JobEntrypoint.Command("true") });
        using var below = new Activity("below") { ActivityTraceFlags = ActivityTraceFlags.None }.Start();
        below.ActivityTraceFlags = ActivityTraceFlags.None;
        var unsampled = await client.SubmitAsync(new JobRequest { Name = "unsampled", Entrypoint = JobEntrypoint.Command("true"), SchedulingTimeout = TimeSpan.FromSeconds(1) });

        var trace = await TraceAsync(service, controller, sampled.Id);
        var waits = await TraceAsync(service, controller, unsampled.Id);
        await client.WaitAsync(unsampled.Id);
        var failed = await TraceAsync(service, controller, unsampled.Id);

        Assert.Equal(activity.TraceId.ToHexString(), trace.TraceId);
        Assert.Equal(activity.SpanId.ToHexString(), Assert.Single(trace.Spans, span => span.Name == "job sampled").ParentId);
        Assert.DoesNotContain(waits.Spans, span => span.JobId == unsampled.Id.ToString());
        Assert.False(waits.Sampled);
        var job = Assert.Single(failed.Spans, span => span.Name == "job unsampled");
        Assert.Equal((V1.SpanStatus.Error, below.SpanId.ToHexString()), (job.Status, job.ParentId));
    }

    [Fact]
    public async Task GetJobTrace_OfAnotherNamespace_IsNotSeen()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var job = await client.SubmitAsync(new JobRequest { Name = "train", Entrypoint = JobEntrypoint.Command("true") });
        var headers = controller.Headers(controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "prod", ExpiresAt = 0 }));

        // The same trace, and its own namespace: what it sees is its own.
        var own = new V1.LaunchJobRequest
        {
            JobId = "own-00000001",
            RequestId = "1",
            Spec = new V1.JobSpec { Name = "own", Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } },
            Trace = new V1.TraceContext { Traceparent = $"00-{(await TraceAsync(service, controller, job.Id)).TraceId}-00f067aa0ba902b7-01" },
        };
        await service.LaunchJobAsync(own, headers);

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await service.GetJobTraceAsync(new V1.GetJobTraceRequest { JobId = job.Id.ToString() }, headers));
        var seen = await service.GetJobTraceAsync(new V1.GetJobTraceRequest { JobId = "own-00000001" }, headers);

        Assert.Equal(StatusCode.NotFound, refused.StatusCode);
        Assert.All(seen.Spans, span => Assert.Equal("own-00000001", span.JobId));
        Assert.Contains(seen.Spans, span => span.Name == "job own");
    }

    private static readonly string[] s_order = ["job train", "submit", "queue", "placement", "attempt 1"];

    private static async Task<V1.GetJobTraceResponse> TraceAsync(V1.ControllerService.ControllerServiceClient service, ControllerProcess controller, JobId job) =>
        await service.GetJobTraceAsync(new V1.GetJobTraceRequest { JobId = job.ToString() }, controller.Headers());
}
