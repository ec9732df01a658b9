using System.Security.Cryptography;

namespace Fluster.Cluster;

/// <summary>The endpoints of a cluster, through its controller.</summary>
internal sealed class ControllerEndpoints(ControllerCalls calls, FlusterClientOptions options, TimeProvider time) : IEndpointRegistry
{
    private readonly EndpointWatcher _watcher = new(calls, time);

    /// <summary>Made by whoever registers, so that a call that is made again registers nothing twice.</summary>
    public static EndpointId NewId() => EndpointId.Parse("ep-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));

    public async Task<RegisteredEndpoint> RegisterAsync(
        string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(address);
        var context = FlusterContext.CurrentOrNull ?? throw new InvalidOperationException(
            "An endpoint belongs to the job that registers it, and this code is not running inside one. Outside a job, open a registration with OpenRegistrationAsync and register through it.");
        var endpoint = new RegisteredEndpoint(NewId(), context.Namespace, name, address)
        {
            OwnerJob = context.JobId,
            OwnerFence = context.Fence,
            Metadata = metadata ?? new Dictionary<string, string>(StringComparer.Ordinal),
        };
        var request = new V1.RegisterEndpointRequest { Endpoint = endpoint.ToWire() };
        var response = await calls.CallAsync((service, call) => service.RegisterEndpointAsync(request, call), cancellationToken).ConfigureAwait(false);
        return response.Endpoint.ToDomain();
    }

    public async Task<IEndpointRegistration> OpenRegistrationAsync(Namespace? @namespace = null, CancellationToken cancellationToken = default) =>
        await ControllerRegistration.OpenAsync(
            calls, @namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? options.Namespace, options.RetryTimeout, time, cancellationToken).ConfigureAwait(false);

    public Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default)
    {
        var request = new V1.UnregisterEndpointRequest { EndpointId = endpoint.ToString() };
        return calls.CallAsync((service, call) => service.UnregisterEndpointAsync(request, call), cancellationToken);
    }

    public async Task<EndpointList> LookupAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
    {
        var asked = time.GetUtcNow(); // the answer is at least as new
        var request = new V1.LookupEndpointsRequest { Namespace = @namespace.ToString(), Name = name };
        var response = await calls.CallAsync((service, call) => service.LookupEndpointsAsync(request, call), cancellationToken).ConfigureAwait(false);
        return new EndpointList([.. response.Endpoints.Select(EndpointWire.ToDomain)], asked);
    }

    public async Task<EndpointList> ListAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default)
    {
        var asked = time.GetUtcNow();
        var request = new V1.ListEndpointsRequest { Namespace = @namespace.ToString(), Prefix = prefix };
        var response = await calls.CallAsync((service, call) => service.ListEndpointsAsync(request, call), cancellationToken).ConfigureAwait(false);
        return new EndpointList([.. response.Endpoints.Select(EndpointWire.ToDomain)], asked);
    }

    public IAsyncEnumerable<EndpointUpdate> WatchAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return _watcher.WatchAsync(new V1.WatchEndpointsRequest { Namespace = @namespace.ToString(), Name = name }, cancellationToken);
    }

    public IAsyncEnumerable<EndpointUpdate> WatchPrefixAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default) =>
        _watcher.WatchAsync(new V1.WatchEndpointsRequest { Namespace = @namespace.ToString(), Prefix = prefix }, cancellationToken);
}
