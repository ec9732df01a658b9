using System.Collections.Concurrent;
using System.Net;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>Sends each request to one of the endpoints that its logical address stands for, in turn.</summary>
internal sealed class ServiceDiscoveryHandler(ServiceEndpointResolver resolver, RoundRobin turns) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri is not { IsAbsoluteUri: true } logical)
        {
            throw new InvalidOperationException("The request has no absolute address to look up.");
        }

        var authority = $"{logical.Scheme}://{logical.Authority}";
        var source = await resolver.GetEndpointsAsync(authority, cancellationToken);
        request.RequestUri = Rewrite(logical, turns.Next(authority, source.Endpoints).EndPoint);
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        finally
        {
            // A retry further out must look the name up again.
            request.RequestUri = logical;
        }
    }

    /// <summary>The address with scheme, host, port and path prefix of the endpoint, as far as that says them.</summary>
    internal static Uri Rewrite(Uri logical, EndPoint endpoint)
    {
        var builder = new UriBuilder(logical);
        if (logical.Scheme.IndexOf('+', StringComparison.Ordinal) is > 0 and var plus)
        {
            builder.Scheme = logical.Scheme[..plus];
            builder.Port = logical.IsDefaultPort ? -1 : logical.Port;
        }

        switch (endpoint)
        {
            case UriEndPoint { Uri: var uri }:
                builder.Scheme = uri.Scheme;
                builder.Host = uri.Host;
                builder.Port = uri.IsDefaultPort ? -1 : uri.Port;
                builder.Path = uri.AbsolutePath.TrimEnd('/') + logical.AbsolutePath;
                break;
            case DnsEndPoint dns:
                builder.Host = dns.Host;
                builder.Port = dns.Port > 0 ? dns.Port : builder.Port;
                break;
            case IPEndPoint ip:
                builder.Host = ip.Address.ToString();
                builder.Port = ip.Port > 0 ? ip.Port : builder.Port;
                break;
        }

        return builder.Uri;
    }
}

/// <summary>Whose turn it is, per logical address.</summary>
internal sealed class RoundRobin
{
    private readonly ConcurrentDictionary<string, Turn> _turns = new(StringComparer.OrdinalIgnoreCase);

    public ServiceEndpoint Next(string authority, IReadOnlyList<ServiceEndpoint> endpoints) =>
        endpoints[(int)(_turns.GetOrAdd(authority, static _ => new Turn()).Next() % (uint)endpoints.Count)];

    private sealed class Turn
    {
        private int _next = -1;

        // Unsigned, so that the counter may wrap around.
        public uint Next() => (uint)Interlocked.Increment(ref _next);
    }
}
