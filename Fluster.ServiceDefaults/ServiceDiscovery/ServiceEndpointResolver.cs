using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// Turns logical addresses such as <c>http://_grpc.controller</c> into endpoints. Reads the configuration anew each
/// time (it is in memory), so a changed configuration counts at once and there is nothing to keep fresh.
/// </summary>
public sealed class ServiceEndpointResolver : IAsyncDisposable
{
    private readonly IConfiguration _configuration;
    private readonly ServiceDiscoveryOptions _options;
    private readonly string _section;

    internal ServiceEndpointResolver(
        IConfiguration configuration,
        IOptions<ServiceDiscoveryOptions> options,
        IOptions<ConfigurationServiceEndpointProviderOptions> configurationOptions)
    {
        _configuration = configuration;
        _options = options.Value;
        _section = configurationOptions.Value.SectionName;
    }

    /// <summary>
    /// The endpoints of <paramref name="serviceName"/> (<c>[scheme[+scheme]://][_endpoint.]service</c>). What the
    /// configuration does not know is passed through as a host name.
    /// </summary>
    /// <exception cref="ArgumentException">The name cannot be read.</exception>
    public ValueTask<ServiceEndpointSource> GetEndpointsAsync(string serviceName, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(serviceName);
        cancellationToken.ThrowIfCancellationRequested();
        if (!ServiceEndpointQuery.TryParse(serviceName, out var query))
        {
            throw new ArgumentException($"'{serviceName}' is not a service name.", nameof(serviceName));
        }

        // Taken before reading: a change in between is then announced, not missed.
        var change = _configuration.GetReloadToken();
        var endpoints = ConfiguredEndpoints.Find(_configuration.GetSection(_section), query, Allowed(query.Schemes));
        if (endpoints.Count == 0)
        {
            EndPoint host = IPAddress.TryParse(query.Host, out var address)
                ? new IPEndPoint(address, query.Port)
                : new DnsEndPoint(query.Host, query.Port);
            endpoints.Add(ServiceEndpoint.Create(host));
        }

        return ValueTask.FromResult(new ServiceEndpointSource(endpoints, change, new FeatureCollection()));
    }

    /// <summary>Nothing is held; the method is part of the contract.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private IReadOnlyList<string> Allowed(IReadOnlyList<string> schemes) => _options.AllowAllSchemes
        ? schemes
        : [.. schemes.Where(scheme => _options.AllowedSchemes.Contains(scheme, StringComparer.OrdinalIgnoreCase))];
}
