using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>One place where a service answers.</summary>
public abstract class ServiceEndpoint
{
    /// <summary>The address: an <see cref="IPEndPoint"/>, a <see cref="DnsEndPoint"/> or a <see cref="UriEndPoint"/>.</summary>
    public abstract EndPoint EndPoint { get; }

    /// <summary>What else is known about the endpoint.</summary>
    public abstract IFeatureCollection Features { get; }

    /// <summary>Makes an endpoint of an address.</summary>
    public static ServiceEndpoint Create(EndPoint endPoint, IFeatureCollection? features = null)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        return new Plain(endPoint, features ?? new FeatureCollection());
    }

    private sealed class Plain(EndPoint endPoint, IFeatureCollection features) : ServiceEndpoint
    {
        public override EndPoint EndPoint => endPoint;

        public override IFeatureCollection Features => features;

        public override string ToString() => endPoint switch
        {
            DnsEndPoint { Port: 0 } dns => dns.Host,
            DnsEndPoint dns => $"{dns.Host}:{dns.Port}",
            _ => endPoint.ToString()!,
        };
    }
}

/// <summary>An address given as a URI, which says the scheme and a path prefix too.</summary>
public sealed class UriEndPoint(Uri uri) : EndPoint
{
    /// <summary>The URI.</summary>
    public Uri Uri { get; } = uri;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is UriEndPoint other && Uri.Equals(other.Uri);

    /// <inheritdoc/>
    public override int GetHashCode() => Uri.GetHashCode();

    /// <inheritdoc/>
    public override string ToString() => Uri.ToString();
}

/// <summary>The endpoints of a service at one moment.</summary>
public sealed class ServiceEndpointSource
{
    internal ServiceEndpointSource(IReadOnlyList<ServiceEndpoint> endpoints, IChangeToken changeToken, IFeatureCollection features)
    {
        Endpoints = endpoints;
        ChangeToken = changeToken;
        Features = features;
    }

    /// <summary>The endpoints. Empty: nothing is known.</summary>
    public IReadOnlyList<ServiceEndpoint> Endpoints { get; }

    /// <summary>Fires when the endpoints may have changed.</summary>
    public IChangeToken ChangeToken { get; }

    /// <summary>What else is known about the service.</summary>
    public IFeatureCollection Features { get; }

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", Endpoints)}]";
}
