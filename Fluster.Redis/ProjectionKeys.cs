using Fluster.Cluster;
using StackExchange.Redis;

namespace Fluster.Redis;

/// <summary>
/// Where the projection of one cluster is in Redis. Every key carries the cluster's id, so that several clusters can share a server;
/// the braces keep the keys of one cluster on one node of a Redis cluster, as a script needs.
/// </summary>
internal sealed class ProjectionKeys(string clusterId)
{
    private readonly string _prefix = $"fluster:{{{clusterId}}}:";

    /// <summary>
    /// A hash {epoch, version, at}: which commit of which controller start the projection shows, and when that was last known to be the newest one
    /// (milliseconds since 1970).
    /// </summary>
    public RedisKey Version => _prefix + "version";

    /// <summary>A sorted set, all scores 0, of the names that have endpoints: read in order by <c>ZRANGEBYLEX</c>, so by prefix too.</summary>
    public RedisKey Names => _prefix + "names";

    /// <summary>Where changes are published as JSON: <see cref="ProjectionChange"/>.</summary>
    public RedisChannel Changes => _prefix + "changes";

    /// <summary>A hash of the endpoints of one name: endpoint id to JSON.</summary>
    public RedisKey Endpoints(EndpointName name) => _prefix + "endpoints:" + Member(name);

    /// <summary>A name as a member of <see cref="Names"/>. A namespace has no ':', so the first one ends it.</summary>
    public static string Member(EndpointName name) => $"{name.Namespace}:{name.Name}";

    /// <summary>The name that a member stands for; null when somebody else wrote it.</summary>
    public static EndpointName? TryParseMember(string member)
    {
        var colon = member.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && Namespace.IsValid(member[..colon]) ? new EndpointName(Namespace.Parse(member[..colon]), member[(colon + 1)..]) : null;
    }
}
