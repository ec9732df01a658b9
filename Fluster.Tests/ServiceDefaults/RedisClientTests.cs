using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace Fluster.Tests;

/// <summary>A Redis client is there exactly when a connection string is.</summary>
public class RedisClientTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    public async Task AddRedisClient_NoConnectionString_RegistersNothing(string? connectionString)
    {
        await using var services = Services(connectionString);

        Assert.Null(services.GetService<IConnectionMultiplexer>());
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(services)).Status);
    }

    [ToolFact("redis-server")]
    public async Task AddRedisClient_ServerRuns_TalksToIt()
    {
        await using var server = await RedisServer.StartAsync();
        await using var services = Services(server.ConnectionString);
        var database = services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();

        await database.StringSetAsync("greeting", "hello");

        Assert.Equal("hello", await database.StringGetAsync("greeting"));
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(services)).Status);
    }

    [ToolFact("redis-server")]
    public async Task AddRedisClient_ServerGone_IsDegradedAndRecovers()
    {
        await using var server = await RedisServer.StartAsync();
        await using var services = Services(server.ConnectionString);
        _ = services.GetRequiredService<IConnectionMultiplexer>();

        await server.StopAsync();
        Assert.Equal(HealthStatus.Degraded, await WhenAsync(services, HealthStatus.Degraded));

        await server.RestartAsync();
        Assert.Equal(HealthStatus.Healthy, await WhenAsync(services, HealthStatus.Healthy));
    }

    [ToolFact("redis-server")]
    public async Task AddRedisClient_ServerDownAtStart_ConnectsWhenItIsUp()
    {
        await using var server = await RedisServer.StartAsync();
        await server.StopAsync();
        await using var services = Services(server.ConnectionString);
        _ = services.GetRequiredService<IConnectionMultiplexer>();

        await server.RestartAsync();

        Assert.Equal(HealthStatus.Healthy, await WhenAsync(services, HealthStatus.Healthy));
    }

    private static ServiceProvider Services(string? connectionString)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["ConnectionStrings:registry"] = connectionString;
        builder.Services.AddHealthChecks();
        builder.AddRedisClient("registry");
        return builder.Services.BuildServiceProvider();
    }

    private static Task<HealthReport> HealthAsync(ServiceProvider services) =>
        services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

    private static async Task<HealthStatus> WhenAsync(ServiceProvider services, HealthStatus status)
    {
        HealthStatus? now = null;
        await Eventually.True(async () => (now = (await HealthAsync(services)).Status) == status, () => $"It is {now}.");
        return status;
    }
}
