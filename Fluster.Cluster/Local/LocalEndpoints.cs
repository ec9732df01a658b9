using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Fluster.Cluster;

/// <summary>
/// The endpoints of a <see cref="LocalClient"/>, in memory. Each is there for as long as its owner: an attempt, or a registration. There are few of them, and
/// whoever watches is told of changes, so that looking at all of them is fast enough.
/// </summary>
internal sealed class LocalEndpoints(TimeProvider time)
{
    /// <summary>What one owner may register, as in a cluster.</summary>
    private const int MostOfOneOwner = 1_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<EndpointId, (object Owner, RegisteredEndpoint Endpoint, long Number)> _endpoints = [];
    private TaskCompletionSource _changed = NewChanged();
    private long _number;

    public static EndpointId NewId() => EndpointId.Parse("local-ep-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)));

    /// <param name="owner">The attempt or the registration that it belongs to.</param>
    /// <param name="endpoint">What to register.</param>
    /// <exception cref="ClusterException">The owner has too many.</exception>
    public RegisteredEndpoint Add(object owner, RegisteredEndpoint endpoint)
    {
        lock (_gate)
        {
            if (_endpoints.Values.Count(entry => entry.Owner == owner) >= MostOfOneOwner)
            {
                throw new ClusterException(ClusterError.ResourceExhausted, $"One attempt or registration can have {MostOfOneOwner} endpoints.");
            }

            endpoint = endpoint with { RegisteredAt = time.GetUtcNow() };
            _endpoints.Add(endpoint.Id, (owner, endpoint, ++_number));
            Tell();
            return endpoint;
        }
    }

    /// <param name="id">The endpoint.</param>
    /// <param name="owner">Only when it belongs to this one; null: whoever has it.</param>
    /// <param name="only">Only when it is in this namespace; null: in any.</param>
    public void Remove(EndpointId id, object? owner, Namespace? only)
    {
        lock (_gate)
        {
            if (_endpoints.TryGetValue(id, out var entry) && (owner is null || entry.Owner == owner) && (only is null || entry.Endpoint.Namespace == only))
            {
                _endpoints.Remove(id);
                Tell();
            }
        }
    }

    public void RemoveAllOf(object owner)
    {
        lock (_gate)
        {
            var owned = _endpoints.Where(pair => pair.Value.Owner == owner).Select(pair => pair.Key).ToList();
            owned.ForEach(id => _endpoints.Remove(id));
            if (owned.Count > 0)
            {
                Tell();
            }
        }
    }

    /// <param name="namespace">Where.</param>
    /// <param name="name">The name, or what it begins with.</param>
    /// <param name="isPrefix">Which of the two.</param>
    public EndpointList Find(Namespace @namespace, string name, bool isPrefix) => new(Read(@namespace, name, isPrefix).Endpoints, time.GetUtcNow());

    /// <summary>First all there are, then what is different each time somebody looks.</summary>
    public async IAsyncEnumerable<EndpointUpdate> WatchAsync(Namespace @namespace, string name, bool isPrefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var known = new HashSet<EndpointId>();
        for (var isFirst = true; ; isFirst = false)
        {
            var (endpoints, changed) = Read(@namespace, name, isPrefix);
            var now = endpoints.Select(endpoint => endpoint.Id).ToHashSet();
            var registered = endpoints.Where(endpoint => !known.Contains(endpoint.Id)).ToList();
            var removed = known.Where(id => !now.Contains(id)).ToList();
            if (isFirst || registered.Count + removed.Count > 0)
            {
                yield return new EndpointUpdate { IsReset = isFirst, Registered = registered, Removed = removed, AsOf = time.GetUtcNow() };
            }

            known = now;
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static TaskCompletionSource NewChanged() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private (List<RegisteredEndpoint> Endpoints, Task Changed) Read(Namespace @namespace, string name, bool isPrefix)
    {
        lock (_gate)
        {
            var found = _endpoints.Values
                .Where(entry => entry.Endpoint.Namespace == @namespace && (isPrefix ? entry.Endpoint.Name.StartsWith(name, StringComparison.Ordinal) : entry.Endpoint.Name == name))
                .OrderBy(entry => entry.Endpoint.Name, StringComparer.Ordinal).ThenBy(entry => entry.Number)
                .Select(entry => entry.Endpoint);
            return ([.. found], _changed.Task);
        }
    }

    private void Tell()
    {
        _changed.TrySetResult();
        _changed = NewChanged();
    }
}
