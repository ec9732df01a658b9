using Aspire.Hosting;
using Aspire.Hosting.Running;
using StackExchange.Redis;

namespace Fluster.Tests;

/// <summary>Redis runs in a container, else as a program of this machine, else not at all, and the application works in each case.</summary>
public class RedisResourceTests
{
    [ToolFact("redis-server")]
    public async Task AddRedis_NoEngine_RunsTheProgramOnLoopbackWithItsPassword()
    {
        await using var app = new TestApplication("--ASPIRE_CONTAINER_RUNTIME=no-such-engine");
        var redis = app.Builder.AddRedis("registry");
        app.Builder.AddExecutable("shown", "env", ".").WithReference(redis);
        await app.StartAsync();
        var pid = (int)(await app.WhenReadyAsync("registry")).Properties.Single(property => property.Name == "executable.pid").Value!;
        var environment = await app.OutputAsync("shown");
        var connection = environment.Single(line => line.StartsWith("ConnectionStrings__registry=", StringComparison.Ordinal)).Split('=', 2)[1];
        var password = connection.Split("password=")[1];

        Assert.Matches("^localhost:[0-9]+,password=[A-Za-z0-9]{22,}$", connection);
        Assert.Contains($"REGISTRY_PASSWORD={password}", environment);
        Assert.Contains($"REGISTRY_URI=redis://:{password}@localhost:{redis.Resource.PrimaryEndpoint.Port}", environment);
        using var client = await ConnectAsync(connection);
        await client.GetDatabase().StringSetAsync("greeting", "hello");
        Assert.Equal("hello", await client.GetDatabase().StringGetAsync("greeting"));
        await Assert.ThrowsAsync<RedisConnectionException>(() => ConnectAsync($"localhost:{redis.Resource.PrimaryEndpoint.Port},password=wrong"));
        Assert.DoesNotContain(password, ProcessTable.CommandLine(pid), StringComparison.Ordinal);
        var listens = (await client.GetServer("localhost", redis.Resource.PrimaryEndpoint.Port).ConfigGetAsync("bind")).Single().Value;
        Assert.Equal("127.0.0.1 -::1", listens);
    }

    [ToolFact("redis-server")]
    public async Task AddRedis_PortAndPassword_AreUsed()
    {
        await using var app = new TestApplication("--ASPIRE_CONTAINER_RUNTIME=no-such-engine");
        var redis = app.Builder.AddRedis("registry", password: app.Builder.AddParameter("secret", "p w\"d", secret: true)).WithHostPort(12379);
        await app.StartAsync();
        await app.WhenReadyAsync("registry");

        var connection = await redis.Resource.GetConnectionStringAsync();

        Assert.EndsWith(",password=p w\"d", connection, StringComparison.Ordinal);
        using var client = await ConnectAsync(connection!);
        Assert.True(client.IsConnected);
    }

    [Fact]
    public async Task AddRedis_NeitherEngineNorProgram_IsNotStartedAndNobodyWaits()
    {
        using var directory = new TemporaryDirectory();
        var path = AppHostProcess.PathOf(directory, "sh", "setsid", "sleep");
        await using var host = await AppHostProcess.StartProbeAsync("echo \"got <$ConnectionStrings__registry>\"; exec sleep 1000", path: path);

        // The application has started all the same.
        await host.LineAsync(line => line.EndsWith("got <>", StringComparison.Ordinal));
        var reason = await host.LineAsync(line => line.Contains("[registry]", StringComparison.Ordinal));
        Assert.EndsWith(
            "Not started: no container engine answers (docker is not on PATH; podman is not on PATH), and redis-server is not on PATH.",
            reason,
            StringComparison.Ordinal);
    }

    private static Task<ConnectionMultiplexer> ConnectAsync(string connection)
    {
        var options = ConfigurationOptions.Parse(connection);
        options.AllowAdmin = true;
        return ConnectionMultiplexer.ConnectAsync(options);
    }
}
