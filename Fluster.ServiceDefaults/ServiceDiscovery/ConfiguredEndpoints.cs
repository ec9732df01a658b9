using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// Finds endpoints in the configuration: <c>Services:{service}:{endpoint or scheme}</c> is one address or a list of them.
/// </summary>
internal static class ConfiguredEndpoints
{
    private const string DefaultName = "default";

    /// <summary>The endpoints for <paramref name="query"/>; empty when the configuration says nothing.</summary>
    /// <param name="services">The section with one child per service.</param>
    /// <param name="query">What is asked for.</param>
    /// <param name="schemes">The acceptable schemes of the query, preferred first.</param>
    /// <exception cref="KeyNotFoundException">A list of addresses has a key that is not a number.</exception>
    /// <exception cref="InvalidOperationException">An address cannot be read.</exception>
    public static List<ServiceEndpoint> Find(IConfiguration services, ServiceEndpointQuery query, IReadOnlyList<string> schemes)
    {
        var service = services.GetSection(query.ServiceName);
        string[] names = query.EndpointName is { } name ? [name] : [DefaultName, .. schemes];
        var section = names.Select(service.GetSection).FirstOrDefault(candidate => candidate.Exists());
        if (section is null)
        {
            return [];
        }

        var endpoints = Read(section).ToList();
        var best = endpoints.Select(endpoint => SchemeRank(endpoint, schemes)).DefaultIfEmpty(0).Min();
        // Of several schemes the first that any address has wins. Addresses without a scheme serve any.
        endpoints.RemoveAll(endpoint => endpoint is UriEndPoint && SchemeRank(endpoint, schemes) is var rank && (rank != best || rank == int.MaxValue));
        return [.. endpoints.Select(endpoint => ServiceEndpoint.Create(endpoint))];
    }

    private static int SchemeRank(EndPoint endpoint, IReadOnlyList<string> schemes)
    {
        if (endpoint is not UriEndPoint { Uri.Scheme: var scheme })
        {
            return int.MaxValue;
        }

        if (schemes.Count == 0)
        {
            return 0;
        }

        for (var i = 0; i < schemes.Count; i++)
        {
            if (string.Equals(schemes[i], scheme, StringComparison.OrdinalIgnoreCase))
            {
                return i;
            }
        }

        return int.MaxValue;
    }

    private static IEnumerable<EndPoint> Read(IConfigurationSection section)
    {
        if (section.Value is { Length: > 0 } single)
        {
            yield return Parse(single, section);
            yield break;
        }

        foreach (var item in section.GetChildren())
        {
            if (!int.TryParse(item.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            {
                throw new KeyNotFoundException(
                    $"The configuration section '{section.Path}' lists addresses by number (0, 1, …); '{item.Key}' is not one.");
            }

            if (item.Value is { Length: > 0 } value)
            {
                yield return Parse(value, item);
            }
        }
    }

    private static EndPoint Parse(string text, IConfigurationSection section)
    {
        if (text.Contains("://", StringComparison.Ordinal) && Uri.TryCreate(text, UriKind.Absolute, out var uri))
        {
            return new UriEndPoint(uri);
        }

        if (IPEndPoint.TryParse(text, out var ip))
        {
            return ip;
        }

        return Uri.TryCreate($"host://{text}", UriKind.Absolute, out var host) && host.Host.Length > 0 && host.AbsolutePath is "" or "/"
            ? new DnsEndPoint(host.Host, Math.Max(host.Port, 0))
            : throw new InvalidOperationException($"'{text}' in the configuration section '{section.Path}' is not an address.");
    }
}
