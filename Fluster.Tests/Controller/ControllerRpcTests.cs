using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A real controller, without workers.</summary>
public class ControllerRpcTests
{
    [Fact]
    public async Task Submit_ThenKillAndRestart_IsStillThere()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        var job = await client.SubmitAsync(new JobRequest { Name = "hello", Entrypoint = JobEntrypoint.Command("echo", "hi") });

        await controller.KillAsync();
        await controller.StartAsync();
        var status = await client.GetStatusAsync(job.Id);

        Assert.Equal(JobState.Pending, status.State);
        Assert.Equal("No worker is connected.", status.PendingReason);
        Assert.Equal("echo hi", status.Entrypoint);
    }

    [Fact]
    public async Task Terminate_PendingJob_IsKilledAtOnce()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        var job = await client.SubmitAsync(new JobRequest { Name = "hello", Entrypoint = JobEntrypoint.Command("echo", "hi") });

        var status = await client.TerminateAsync(job.Id);

        Assert.Equal(JobState.Killed, status.State);
        Assert.Equal(KillCause.User, status.Failure?.KilledBy);
    }

    [Fact]
    public async Task Wait_ControllerDoesNotEvenAnswerPingsForAWhile_GoesOn()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = new FlusterClient(new FlusterClientOptions
        {
            Address = controller.GrpcAddress, Token = controller.AdminToken, RetryTimeout = TimeSpan.FromMilliseconds(1), PingDelay = TimeSpan.FromSeconds(1.5),
        });
        var job = await client.SubmitAsync(new JobRequest { Name = "hello", Entrypoint = JobEntrypoint.Command("echo", "hi") });
        var wait = job.WaitAsync();

        Signals.Send(controller.Process.Id, Signals.Stop);
        await Assert.ThrowsAsync<ClusterException>(() => client.GetStatusAsync(job.Id)); // gives up when the connection does, which the wait shares
        Signals.Send(controller.Process.Id, Signals.Continue);
        await Eventually.True(async () => await TerminatedAsync(client, job.Id), () => "The controller does not answer.");

        Assert.Equal(JobState.Killed, (await wait.WaitAsync(TimeSpan.FromSeconds(30))).State);
    }

    [Theory]
    [InlineData(null, StatusCode.Unauthenticated)]
    [InlineData("rubbish", StatusCode.Unauthenticated)]
    [InlineData("worker", StatusCode.PermissionDenied)]
    public async Task Call_WithoutTheRightToken_IsRefused(string? token, StatusCode expected)
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var headers = token switch { null => [], "worker" => controller.Headers(controller.WorkerToken("w1")), _ => controller.Headers(token) };

        var exception = await Assert.ThrowsAsync<RpcException>(async () => await service.ListJobsAsync(new V1.ListJobsRequest(), headers));

        Assert.Equal(expected, exception.StatusCode);
    }

    private static async Task<bool> TerminatedAsync(FlusterClient client, JobId job)
    {
        try
        {
            return (await client.TerminateAsync(job)).State == JobState.Killed;
        }
        catch (ClusterException)
        {
            return false;
        }
    }
}
