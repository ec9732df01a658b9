using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>The endpoints behind a name. Source: seed 001, stage 2.</summary>
/// <param name="Name">What was asked for.</param>
/// <param name="Namespace">Where the name counts.</param>
/// <param name="Endpoints">Where it is served; empty when nowhere.</param>
/// <param name="AsOf">The time at which this was all there was; a resolver that reads a copy may be behind.</param>
public sealed record ResolveResult(string Name, Namespace Namespace, IReadOnlyList<ResolvedEndpoint> Endpoints, DateTimeOffset AsOf)
{
    /// <summary>Whether nobody serves the name.</summary>
    public bool IsEmpty => Endpoints.Count == 0;

    /// <summary>The first of the endpoints.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public ResolvedEndpoint First() => IsEmpty
        ? throw new InvalidOperationException($"Nobody serves '{Name}' in the namespace {Namespace}.")
        : Endpoints[0];
}

/// <summary>One place where an actor is served.</summary>
/// <param name="Id">The endpoint's id.</param>
/// <param name="Address">Its server: <c>http://host:port</c>, <c>https://host:port</c>, <c>unix:///path</c>, or <c>local://…</c> inside this process.</param>
/// <param name="Metadata">What was registered with it.</param>
public sealed record ResolvedEndpoint(string Id, string Address, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The key under which an actor's server registers the incarnation.</summary>
    internal const string HandleKey = "handle";

    /// <summary>The key under which a server with TLS registers the hash of its certificate.</summary>
    internal const string CertificateKey = "certificate";

    /// <summary>An endpoint without metadata.</summary>
    public ResolvedEndpoint(string id, string address)
        : this(id, address, new Dictionary<string, string>(StringComparer.Ordinal))
    {
    }

    /// <summary>The hash of the certificate that its server shows; null when that is not known, and any will do that this machine trusts.</summary>
    internal string? CertificateHash => Metadata.GetValueOrDefault(CertificateKey);

    /// <summary>Which incarnation of the actor is there; empty when that is not known, and any will do.</summary>
    internal Guid Handle => Metadata.TryGetValue(HandleKey, out var text) && Guid.TryParseExact(text, "N", out var handle) ? handle : Guid.Empty;
}
