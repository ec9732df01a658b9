using System.Diagnostics.CodeAnalysis;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// What a logical address asks for. <c>https+http://_grpc.controller</c> is the endpoint "grpc" of the service
/// "controller", by https if there is one, else by http.
/// </summary>
internal sealed record ServiceEndpointQuery(
    string Text, IReadOnlyList<string> Schemes, string ServiceName, string? EndpointName, string Host, int Port)
{
    private const string NoScheme = "no-scheme";

    /// <summary>Reads <c>[scheme[+scheme…]://][_endpoint.]service[:port]</c>.</summary>
    public static bool TryParse(string input, [NotNullWhen(true)] out ServiceEndpointQuery? query)
    {
        query = null;
        var hasScheme = input.Contains("://", StringComparison.Ordinal);
        if (!Uri.TryCreate(hasScheme ? input : $"{NoScheme}://{input}", UriKind.Absolute, out var uri) || uri.Host.Length == 0)
        {
            return false;
        }

        var host = uri.Host;
        var service = host;
        string? endpoint = null;
        var dot = host.IndexOf('.', StringComparison.Ordinal);
        if (host[0] == '_' && dot > 1 && host[^1] != '.')
        {
            endpoint = host[1..dot];
            service = host[(dot + 1)..];
        }

        // A port written out is part of the name: somebody who names a port means a host.
        var port = uri.IsDefaultPort ? 0 : uri.Port;
        query = new ServiceEndpointQuery(
            input,
            hasScheme ? uri.Scheme.Split('+') : [],
            port > 0 ? $"{service}:{port}" : service,
            endpoint,
            host,
            Math.Max(port, 0));
        return true;
    }
}
