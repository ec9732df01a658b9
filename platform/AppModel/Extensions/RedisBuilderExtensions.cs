using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

/// <summary>Adds Redis servers.</summary>
public static class RedisBuilderExtensions
{
    private const string Registry = "docker.io";
    private const string Image = "library/redis";
    private const string Tag = "8.6";
    private const int ContainerPort = 6379;

    /// <summary>Adds a Redis server with a password that is made up.</summary>
    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port) =>
        builder.AddRedis(name, port, password: null);

    /// <summary>Adds a Redis server. Defaults: a free port, a password that is made up.</summary>
    public static IResourceBuilder<RedisResource> AddRedis(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null, IResourceBuilder<ParameterResource>? password = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        // Without special characters: a comma would end the password in a connection string.
        var secret = password?.Resource ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false);
        var resource = new RedisResource(name, secret);
        var check = $"{name}_check";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(check, _ => new RedisPing(resource), failureStatus: null, tags: null));
        if (builder.ExecutionContext.IsPublishMode)
        {
            return Describe(builder.AddResource(resource), port);
        }

        return builder.AddResource(resource)
            .WithEndpoint(port, ContainerPort, scheme: "redis", name: RedisResource.PrimaryEndpointName)
            .WithImage(Image, Tag)
            .WithImageRegistry(Registry)
            .WithHealthCheck(check)
            .WithAnnotation(new RedisLaunchAnnotation(resource));
    }

    /// <summary>As a manifest has it: a deployment passes the password by the environment.</summary>
    private static IResourceBuilder<RedisResource> Describe(IResourceBuilder<RedisResource> redis, int? port) => redis
        .WithEndpoint(port, ContainerPort, scheme: "redis", name: RedisResource.PrimaryEndpointName)
        .WithImage(Image, Tag)
        .WithImageRegistry(Registry)
        .WithEntrypoint("/bin/sh")
        .WithArgs(context =>
        {
            context.Args.Add("-c");
            context.Args.Add(redis.Resource.PasswordParameter is null ? "redis-server" : "redis-server --requirepass $REDIS_PASSWORD");
        })
        .WithEnvironment(context =>
        {
            if (redis.Resource.PasswordParameter is { } password)
            {
                context.EnvironmentVariables["REDIS_PASSWORD"] = password;
            }
        });

    /// <summary>Uses another password; null for none.</summary>
    public static IResourceBuilder<RedisResource> WithPassword(this IResourceBuilder<RedisResource> builder, IResourceBuilder<ParameterResource>? password)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Resource.PasswordParameter = password?.Resource;
        return builder;
    }

    /// <summary>Uses a port; null for a free one.</summary>
    public static IResourceBuilder<RedisResource> WithHostPort(this IResourceBuilder<RedisResource> builder, int? port) =>
        builder.WithEndpoint(RedisResource.PrimaryEndpointName, endpoint => endpoint.Port = port);
}
