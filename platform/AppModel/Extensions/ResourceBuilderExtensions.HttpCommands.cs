using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

public static partial class ResourceBuilderExtensions
{
    private static readonly HttpClient s_commandClient = new(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(1) });

    /// <summary>Gives a resource a command that sends a request to it; it can be run while the resource is healthy.</summary>
    /// <param name="builder">The resource.</param>
    /// <param name="path">The request's path.</param>
    /// <param name="displayName">What people read.</param>
    /// <param name="endpointName">The endpoint. Default: the resource's https one, else its http one.</param>
    /// <param name="commandName">What programs call it. Default: made of the resource, the endpoint, the method and the path.</param>
    /// <param name="commandOptions">More about it.</param>
    public static IResourceBuilder<TResource> WithHttpCommand<TResource>(
        this IResourceBuilder<TResource> builder, string path, string displayName, [EndpointName] string? endpointName = null, string? commandName = null, HttpCommandOptions? commandOptions = null)
        where TResource : IResourceWithEndpoints
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithHttpCommand(path, displayName, endpointName is null ? null : () => builder.GetEndpoint(endpointName), commandName, commandOptions);
    }

    /// <summary>Gives a resource a command that sends a request to it; it can be run while the resource is healthy.</summary>
    /// <param name="builder">The resource.</param>
    /// <param name="path">The request's path.</param>
    /// <param name="displayName">What people read.</param>
    /// <param name="endpointSelector">The endpoint. Default: the resource's https one, else its http one.</param>
    /// <param name="commandName">What programs call it. Default: made of the resource, the endpoint, the method and the path.</param>
    /// <param name="commandOptions">More about it.</param>
    public static IResourceBuilder<TResource> WithHttpCommand<TResource>(
        this IResourceBuilder<TResource> builder, string path, string displayName, Func<EndpointReference>? endpointSelector, string? commandName = null, HttpCommandOptions? commandOptions = null)
        where TResource : IResourceWithEndpoints
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(path);
        var options = commandOptions ?? new HttpCommandOptions();
        var endpoint = (endpointSelector ?? options.EndpointSelector)?.Invoke() ?? DefaultEndpoint(builder.Resource);
        if (!endpoint.IsHttp && !endpoint.IsHttps)
        {
            throw new DistributedApplicationException(
                $"Could not create HTTP command for resource '{builder.Resource.Name}' as the endpoint with name '{endpoint.EndpointName}' and scheme '{endpoint.Scheme}' is not an HTTP endpoint.");
        }

        var method = options.Method ?? HttpMethod.Post;
        options.UpdateState ??= static context =>
            context.ResourceSnapshot.HealthStatus == Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;
        return builder.WithCommand(
            commandName ?? $"{builder.Resource.Name}-{endpoint.EndpointName}-{method.Method.ToLowerInvariant()}-{path}",
            displayName,
            context => SendAsync(context, endpoint, method, path, options),
            options);
    }

    private static EndpointReference DefaultEndpoint(IResourceWithEndpoints resource)
    {
        var endpoints = resource.GetEndpoints().ToList();
        return endpoints.Find(endpoint => endpoint.IsHttps) ?? endpoints.Find(endpoint => endpoint.IsHttp)
            ?? throw new DistributedApplicationException($"Could not create HTTP command for resource '{resource.Name}' as it has no HTTP endpoint.");
    }

    private static async Task<ExecuteCommandResult> SendAsync(ExecuteCommandContext context, EndpointReference endpoint, HttpMethod method, string path, HttpCommandOptions options)
    {
        if (!endpoint.IsAllocated)
        {
            return CommandResults.Failure($"The endpoint '{endpoint.EndpointName}' has no address yet.");
        }

        var client = options.HttpClientName is { } name && context.ServiceProvider.GetService<IHttpClientFactory>() is { } clients ? clients.CreateClient(name) : s_commandClient;
        using var request = new HttpRequestMessage(method, new Uri(new Uri(endpoint.Url), path));
        if (options.PrepareRequest is { } prepare)
        {
            await prepare(new HttpCommandRequestContext
            {
                ServiceProvider = context.ServiceProvider, ResourceName = context.ResourceName, Endpoint = endpoint, CancellationToken = context.CancellationToken, HttpClient = client, Request = request,
            });
        }

        try
        {
            using var response = await client.SendAsync(request, context.CancellationToken);
            if (options.GetCommandResult is { } read)
            {
                return await read(new HttpCommandResultContext
                {
                    ServiceProvider = context.ServiceProvider, ResourceName = context.ResourceName, Endpoint = endpoint, CancellationToken = context.CancellationToken, HttpClient = client, Response = response,
                });
            }

            return response.IsSuccessStatusCode
                ? CommandResults.Success()
                : CommandResults.Failure(string.Create(CultureInfo.InvariantCulture, $"{request.RequestUri} answered {(int)response.StatusCode}."));
        }
        catch (HttpRequestException exception)
        {
            return CommandResults.Failure(exception);
        }
    }
}
