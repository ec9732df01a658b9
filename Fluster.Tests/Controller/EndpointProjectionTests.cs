using Fluster.Cluster;
using StackExchange.Redis;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A controller that was given a Redis shows its endpoints there.</summary>
public class EndpointProjectionTests
{
    [ToolFact("redis-server")]
    public async Task RegisteredEndpoint_IsInRedis_UntilItsAttemptEnds()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ConnectionStrings__registry"] = redis.ConnectionString,
        });
        await using var client = controller.Client();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var job = await client.SubmitAsync(new JobRequest { Name = "server", Entrypoint = JobEntrypoint.Command("serve") });
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        await service.RegisterEndpointAsync(
            new V1.RegisterEndpointRequest { Endpoint = new V1.Endpoint { EndpointId = "e-1", Name = "calc", Address = "10.0.0.1:1" } },
            controller.Headers(attempt.Spec.Token));

        var status = await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers());
        using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var key = $"fluster:{{{status.ClusterId}}}:endpoints:default:calc";
        await Eventually.True(async () => await connection.GetDatabase().HashExistsAsync(key, "e-1"), () => "The endpoint is not in Redis.");
        await worker.SucceededAsync(attempt.Fence);
        await Eventually.True(async () => !await connection.GetDatabase().KeyExistsAsync(key), () => "The endpoint stays in Redis.");

        Assert.Equal("redis", status.Registry);
    }
}
