using Microsoft.Extensions.ServiceDiscovery;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Service discovery for clients made by the HTTP client factory.</summary>
public static class ServiceDiscoveryHttpClientBuilderExtensions
{
    // Known to Grpc.Net.Client: it must not balance on its own when the addresses are chosen here.
    private const string GrpcLoadBalancingDisabled = "__GrpcLoadBalancingDisabled";

    /// <summary>Lets the client send to logical addresses such as <c>https+http://orders</c> or <c>http://_grpc.controller</c>.</summary>
    public static IHttpClientBuilder AddServiceDiscovery(this IHttpClientBuilder httpClientBuilder)
    {
        ArgumentNullException.ThrowIfNull(httpClientBuilder);
        httpClientBuilder.Services.AddServiceDiscovery();
        return httpClientBuilder
            .AddHttpMessageHandler(services => new ServiceDiscoveryHandler(
                services.GetRequiredService<ServiceEndpointResolver>(), services.GetRequiredService<RoundRobin>()))
            .ConfigurePrimaryHttpMessageHandler((handler, _) =>
            {
                if (handler is SocketsHttpHandler sockets)
                {
                    sockets.Properties[GrpcLoadBalancingDisabled] = true;
                }
            });
    }
}
