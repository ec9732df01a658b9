using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// Finds actors among the endpoints of a cluster: through its controller, or through any other reader of them, such as a copy that goes on
/// while the controller is away. Source: seed 001, stage 4.
/// </summary>
public sealed class ClusterResolver : IActorResolver
{
    /// <summary>How long a look-up may take when nothing else is said (seed 001).</summary>
    private static readonly TimeSpan s_defaultTimeout = TimeSpan.FromSeconds(5);

    private readonly IEndpointReader _reader;
    private readonly Namespace? _namespace;
    private readonly Namespace _fallback;
    private readonly TimeSpan _timeout;
    private readonly Func<string?>? _token;

    /// <summary>A resolver that asks the cluster.</summary>
    /// <param name="controller">The cluster.</param>
    /// <param name="namespace">Where names count. Default: the namespace of the current context, outside of jobs that of the client.</param>
    /// <param name="timeout">The longest time that one look-up takes. Default: 5 seconds.</param>
    public ClusterResolver(IClusterController controller, Namespace? @namespace = null, TimeSpan? timeout = null)
        : this((controller ?? throw new ArgumentNullException(nameof(controller))).EndpointRegistry, @namespace, timeout)
    {
        (_token, _fallback) = controller switch
        {
            FlusterClient client => (() => client.Token, client.Namespace),
            LocalClient client => (null, client.Namespace),
            _ => ((Func<string?>?)null, Namespace.Default),
        };
    }

    /// <summary>A resolver that asks a reader of endpoints. Calls carry the token of the current job.</summary>
    /// <param name="reader">Where endpoints are looked up.</param>
    /// <param name="namespace">Where names count. Default: the namespace of the current context, outside of jobs <see cref="Namespace.Default"/>.</param>
    /// <param name="timeout">The longest time that one look-up takes. Default: 5 seconds.</param>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is not positive.</exception>
    public ClusterResolver(IEndpointReader reader, Namespace? @namespace = null, TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout ?? s_defaultTimeout, TimeSpan.Zero, nameof(timeout));
        _reader = reader;
        _namespace = @namespace;
        _fallback = Namespace.Default;
        _timeout = timeout ?? s_defaultTimeout;
    }

    /// <inheritdoc/>
    public string? Token => _token?.Invoke();

    /// <inheritdoc/>
    public Namespace DefaultNamespace => _namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? _fallback;

    /// <inheritdoc/>
    /// <exception cref="TimeoutException">The cluster has not answered within the timeout.</exception>
    /// <exception cref="ClusterException">The cluster refused to answer or cannot be reached.</exception>
    public async Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var asked = @namespace ?? DefaultNamespace;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_timeout);
        try
        {
            var found = await _reader.LookupAsync(asked, name, limit.Token).ConfigureAwait(false);
            return new ResolveResult(name, asked, [.. found.Select(Resolved)], found.AsOf);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The cluster did not say within {_timeout.TotalSeconds:0.###} s who serves '{name}' in the namespace {asked}.", exception);
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return FollowAsync(name, @namespace ?? DefaultNamespace, cancellationToken); // the namespace of whoever asks, also when somebody else reads
    }

    /// <summary>The endpoints whose names begin so, and every change of them.</summary>
    internal IAsyncEnumerable<EndpointUpdate> WatchPrefixAsync(string prefix, CancellationToken cancellationToken) => _reader.WatchPrefixAsync(DefaultNamespace, prefix, cancellationToken);

    /// <summary>A registered endpoint as callers of actors see it. One without a scheme is taken for a plain server (seed 001).</summary>
    internal static ResolvedEndpoint Resolved(RegisteredEndpoint endpoint) => new(
        endpoint.Id.ToString(),
        endpoint.Address.Contains("://", StringComparison.Ordinal) ? endpoint.Address : $"http://{endpoint.Address}",
        endpoint.Metadata);

    private async IAsyncEnumerable<ResolveResult> FollowAsync(string name, Namespace @namespace, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // In the order in which they came: whoever takes turns goes by it.
        var known = new OrderedDictionary<EndpointId, ResolvedEndpoint>();
        await foreach (var update in _reader.WatchAsync(@namespace, name, cancellationToken).ConfigureAwait(false))
        {
            if (update.IsReset)
            {
                known.Clear();
            }

            foreach (var gone in update.Removed)
            {
                known.Remove(gone);
            }

            foreach (var endpoint in update.Registered)
            {
                known[endpoint.Id] = Resolved(endpoint);
            }

            yield return new ResolveResult(name, @namespace, [.. known.Values], update.AsOf);
        }
    }
}
