using System.Security.Cryptography;

namespace Fluster.Cluster;

/// <summary>The endpoints of a cluster, through its controller.</summary>
internal sealed class ControllerEndpoints(ControllerCalls calls) : IEndpointRegistry
{
    public async Task<RegisteredEndpoint> RegisterAsync(
        string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(address);
        var context = FlusterContext.Current; // an endpoint belongs to an attempt; without one this says so
        var id = EndpointId.Parse("ep-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));
        var endpoint = new RegisteredEndpoint(id, context.Namespace, name, address)
        {
            OwnerJob = context.JobId,
            OwnerFence = context.Fence,
            Metadata = metadata ?? new Dictionary<string, string>(StringComparer.Ordinal),
        };
        var request = new V1.RegisterEndpointRequest { Endpoint = endpoint.ToWire() };
        var response = await calls.CallAsync((service, options) => service.RegisterEndpointAsync(request, options), cancellationToken).ConfigureAwait(false);
        return response.Endpoint.ToDomain();
    }

    public Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default)
    {
        var request = new V1.UnregisterEndpointRequest { EndpointId = endpoint.ToString() };
        return calls.CallAsync((service, options) => service.UnregisterEndpointAsync(request, options), cancellationToken);
    }

    public async Task<IReadOnlyList<RegisteredEndpoint>> LookupAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
    {
        var request = new V1.LookupEndpointsRequest { Namespace = @namespace.ToString(), Name = name };
        var response = await calls.CallAsync((service, options) => service.LookupEndpointsAsync(request, options), cancellationToken).ConfigureAwait(false);
        return [.. response.Endpoints.Select(EndpointWire.ToDomain)];
    }

    public async Task<IReadOnlyList<RegisteredEndpoint>> ListAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default)
    {
        var request = new V1.ListEndpointsRequest { Namespace = @namespace.ToString(), Prefix = prefix };
        var response = await calls.CallAsync((service, options) => service.ListEndpointsAsync(request, options), cancellationToken).ConfigureAwait(false);
        return [.. response.Endpoints.Select(EndpointWire.ToDomain)];
    }
}
