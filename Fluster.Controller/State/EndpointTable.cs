using System.Collections.Immutable;

namespace Fluster.Controller;

/// <summary>One registered endpoint.</summary>
internal sealed record EndpointRecord
{
    public required long Uid { get; init; }

    public required EndpointId Id { get; init; }

    public required Namespace Namespace { get; init; }

    public required string Name { get; init; }

    public required string Address { get; init; }

    /// <summary>Who owns it: they end in the same step.</summary>
    public required EndpointOwner Owner { get; init; }

    /// <summary>The job of the attempt that owns it; null when a registration does.</summary>
    public JobId? OwnerJob { get; init; }

    /// <summary>By key, in ordinal order.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Metadata { get; init; } = [];

    /// <summary>Wall clock, milliseconds since 1970.</summary>
    public long RegisteredAt { get; init; }

    public EndpointKey Key => new(Namespace, Name);
}

/// <summary>Who owns endpoints: an attempt, or a registration.</summary>
internal readonly record struct EndpointOwner(Fence Fence, RegistrationId? Registration = null);

/// <summary>An endpoint that came or went, and the version of the cluster's endpoints after it.</summary>
internal readonly record struct EndpointChange(long Version, EndpointRecord Endpoint, bool Removed);

/// <summary>The name under which endpoints are found.</summary>
internal readonly record struct EndpointKey(Namespace Namespace, string Name);

/// <summary>
/// All endpoints, in the order of namespace, name and id: the endpoints of a name, and the names with a prefix, lie side by side.
/// Immutable.
/// </summary>
internal sealed class EndpointTable
{
    private readonly ImmutableSortedSet<EndpointRecord> _sorted;

    private EndpointTable(ImmutableSortedSet<EndpointRecord> sorted) => _sorted = sorted;

    public static EndpointTable Empty { get; } = new(ImmutableSortedSet.Create<EndpointRecord>(Order.Instance));

    public int Count => _sorted.Count;

    public IEnumerable<EndpointRecord> All => _sorted;

    /// <summary>The endpoints of exactly this name.</summary>
    public IEnumerable<EndpointRecord> Named(EndpointKey key) =>
        From(key).TakeWhile(endpoint => endpoint.Namespace == key.Namespace && endpoint.Name == key.Name);

    /// <summary>The endpoints whose name begins so, by name.</summary>
    public IEnumerable<EndpointRecord> WithPrefix(Namespace @namespace, string prefix) =>
        From(new EndpointKey(@namespace, prefix))
            .TakeWhile(endpoint => endpoint.Namespace == @namespace && endpoint.Name.StartsWith(prefix, StringComparison.Ordinal));

    public Builder ToBuilder() => new(_sorted.ToBuilder(), this);

    private IEnumerable<EndpointRecord> From(EndpointKey key)
    {
        var place = _sorted.IndexOf(new EndpointRecord
        {
            Uid = 0,
            Id = default, // sorts before every id
            Namespace = key.Namespace,
            Name = key.Name,
            Address = "",
            Owner = default,
        });
        for (var i = place < 0 ? ~place : place; i < _sorted.Count; i++)
        {
            yield return _sorted[i];
        }
    }

    internal sealed class Builder(ImmutableSortedSet<EndpointRecord>.Builder sorted, EndpointTable published)
    {
        private EndpointTable _published = published;
        private bool _changed;

        public void Add(EndpointRecord endpoint) => _changed |= sorted.Add(endpoint);

        public void Remove(EndpointRecord endpoint) => _changed |= sorted.Remove(endpoint);

        public EndpointTable ToImmutable()
        {
            if (_changed)
            {
                _published = new EndpointTable(sorted.ToImmutable());
                _changed = false;
            }

            return _published;
        }
    }

    private sealed class Order : IComparer<EndpointRecord>
    {
        public static readonly Order Instance = new();

        public int Compare(EndpointRecord? left, EndpointRecord? right)
        {
            var order = string.CompareOrdinal(left!.Namespace.ToString(), right!.Namespace.ToString());
            order = order != 0 ? order : string.CompareOrdinal(left.Name, right.Name);
            return order != 0 ? order : string.CompareOrdinal(left.Id == default ? "" : left.Id.ToString(), right.Id == default ? "" : right.Id.ToString());
        }
    }
}
