using System.Collections.Immutable;
using Fluster.Cluster;

namespace Fluster.Redis;

/// <summary>The endpoints as a reader knows them. Immutable.</summary>
internal sealed record ProjectionView(ImmutableSortedSet<string> Members, ImmutableDictionary<string, IReadOnlyList<RegisteredEndpoint>> Endpoints)
{
    public static ProjectionView Empty { get; } = new(
        ImmutableSortedSet.Create<string>(StringComparer.Ordinal), ImmutableDictionary.Create<string, IReadOnlyList<RegisteredEndpoint>>(StringComparer.Ordinal));

    public long Epoch { get; init; }

    public long Version { get; init; }

    public DateTimeOffset AsOf { get; init; }

    public IReadOnlyList<RegisteredEndpoint> Named(EndpointName name) => Endpoints.GetValueOrDefault(ProjectionKeys.Member(name)) ?? [];

    public IEnumerable<RegisteredEndpoint> WithPrefix(Namespace @namespace, string prefix)
    {
        var begin = ProjectionKeys.Member(new EndpointName(@namespace, prefix));
        var place = Members.IndexOf(begin);
        for (var i = place < 0 ? ~place : place; i < Members.Count && Members[i].StartsWith(begin, StringComparison.Ordinal); i++)
        {
            foreach (var endpoint in Endpoints[Members[i]])
            {
                yield return endpoint;
            }
        }
    }

    /// <summary>The view with the endpoints of these names replaced.</summary>
    public ProjectionView With(IReadOnlyList<string> members, IReadOnlyList<IReadOnlyList<RegisteredEndpoint>> read)
    {
        var sorted = Members.ToBuilder();
        var endpoints = Endpoints.ToBuilder();
        for (var i = 0; i < members.Count; i++)
        {
            if (read[i].Count == 0)
            {
                sorted.Remove(members[i]);
                endpoints.Remove(members[i]);
            }
            else
            {
                sorted.Add(members[i]);
                endpoints[members[i]] = read[i];
            }
        }

        return this with { Members = sorted.ToImmutable(), Endpoints = endpoints.ToImmutable() };
    }
}
