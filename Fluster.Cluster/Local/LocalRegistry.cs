using System.Security.Cryptography;

namespace Fluster.Cluster;

/// <summary>The endpoints of a <see cref="LocalClient"/> as its users see them: who may register, and where look-ups may look.</summary>
internal sealed class LocalRegistry(LocalEndpoints endpoints, LocalJobs jobs, LocalClientOptions options, Func<LocalAttempt?> caller) : IEndpointRegistry
{
    public Task<RegisteredEndpoint> RegisterAsync(
        string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        Check(name, address, cancellationToken);
        var attempt = caller() ?? throw new InvalidOperationException(
            "An endpoint belongs to the job that registers it, and this code is not running inside one. Outside a job, open a registration with OpenRegistrationAsync and register through it.");
        var endpoint = new RegisteredEndpoint(LocalEndpoints.NewId(), attempt.Job.Namespace, name, address)
        {
            OwnerJob = attempt.Job.Id,
            OwnerFence = attempt.Fence,
            Metadata = CopyOf(metadata),
        };
        return Task.FromResult(jobs.Own(attempt, () => endpoints.Add(attempt, endpoint)));
    }

    public Task<IEndpointRegistration> OpenRegistrationAsync(Namespace? @namespace = null, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IEndpointRegistration>(new Registration(endpoints, Allowed(@namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? options.Namespace)));
    }

    public Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        endpoints.Remove(endpoint, owner: null, caller()?.Job.Namespace);
        return Task.CompletedTask;
    }

    public Task<EndpointList> LookupAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(endpoints.Find(Allowed(@namespace), name, isPrefix: false));
    }

    public Task<EndpointList> ListAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(endpoints.Find(Allowed(@namespace), prefix, isPrefix: true));
    }

    public IAsyncEnumerable<EndpointUpdate> WatchAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return endpoints.WatchAsync(Allowed(@namespace), name, isPrefix: false, cancellationToken);
    }

    public IAsyncEnumerable<EndpointUpdate> WatchPrefixAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default) =>
        endpoints.WatchAsync(Allowed(@namespace), prefix, isPrefix: true, cancellationToken);

    /// <summary>A job sees its own namespace, as it would in a cluster.</summary>
    private Namespace Allowed(Namespace @namespace) => caller() is { } attempt && attempt.Job.Namespace != @namespace
        ? throw new ClusterException(ClusterError.PermissionDenied, $"Job '{attempt.Job.Id}' is in namespace '{attempt.Job.Namespace}'; namespace '{@namespace}' is not its own.")
        : @namespace;

    private static void Check(string name, string address, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(address);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private static Dictionary<string, string> CopyOf(IReadOnlyDictionary<string, string>? metadata) =>
        metadata is null ? new(StringComparer.Ordinal) : metadata.ToDictionary(StringComparer.Ordinal);

    private sealed class Registration(LocalEndpoints endpoints, Namespace @namespace) : IEndpointRegistration
    {
        private readonly RegistrationId _id = RegistrationId.Parse("local-reg-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)));
        private volatile bool _closed;

        public Namespace Namespace { get; } = @namespace;

        public Task<RegisteredEndpoint> RegisterAsync(
            string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
        {
            Check(name, address, cancellationToken);
            ObjectDisposedException.ThrowIf(_closed, this);
            var endpoint = endpoints.Add(this, new RegisteredEndpoint(LocalEndpoints.NewId(), Namespace, name, address) { OwnerRegistration = _id, Metadata = CopyOf(metadata) });
            if (_closed)
            {
                endpoints.RemoveAllOf(this);
            }

            return Task.FromResult(endpoint);
        }

        public Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            endpoints.Remove(endpoint, this, only: null);
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            _closed = true;
            endpoints.RemoveAllOf(this);
            return ValueTask.CompletedTask;
        }
    }
}
