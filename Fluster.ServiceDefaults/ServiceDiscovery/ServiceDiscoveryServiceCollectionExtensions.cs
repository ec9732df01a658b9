using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers service discovery.</summary>
public static class ServiceDiscoveryServiceCollectionExtensions
{
    /// <summary>Adds the <see cref="ServiceEndpointResolver"/>, which reads the configuration section "Services".</summary>
    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services)
    {
        services.TryAddSingleton(provider => new ServiceEndpointResolver(
            provider.GetRequiredService<IConfiguration>(),
            provider.GetRequiredService<IOptions<ServiceDiscoveryOptions>>(),
            provider.GetRequiredService<IOptions<ConfigurationServiceEndpointProviderOptions>>()));
        services.TryAddSingleton<RoundRobin>();
        return services;
    }

    /// <summary>Adds the <see cref="ServiceEndpointResolver"/> with options.</summary>
    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services, Action<ServiceDiscoveryOptions> configureOptions) =>
        services.Configure(configureOptions).AddServiceDiscovery();
}
