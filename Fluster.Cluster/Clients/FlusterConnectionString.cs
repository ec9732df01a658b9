using System.Data.Common;

namespace Fluster.Cluster;

/// <summary>A cluster in one line, as configuration carries it: <c>Endpoint=http://host:7071;Token=…;Namespace=…</c>.</summary>
internal static class FlusterConnectionString
{
    private const string Endpoint = "Endpoint";
    private const string Http = "Http";
    private const string Token = "Token";
    private const string Namespace = "Namespace";
    private const string ClusterKey = "ClusterKey";
    private const string Certificate = "Certificate";

    private static readonly string[] s_known = [Endpoint, Http, Token, Namespace, ClusterKey, Certificate];

    /// <summary>Reads one. The address alone, without a key, is one too.</summary>
    /// <param name="text">The line.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="FormatException">It is none; the message says where it comes from and what is wrong, and never shows a value.</exception>
    public static FlusterClientOptions Parse(string text, string source)
    {
        if (!text.Contains('=', StringComparison.Ordinal) && Uri.TryCreate(text, UriKind.Absolute, out _))
        {
            return new FlusterClientOptions { Address = text, Source = source };
        }

        var parts = Split(text, source);
        if (parts.Keys.Cast<string>().FirstOrDefault(key => !s_known.Contains(key, StringComparer.OrdinalIgnoreCase)) is { } unknown)
        {
            throw new FormatException($"{source} has a part '{unknown}', which is unknown. It may have: {string.Join(", ", s_known)}.");
        }

        if (Value(parts, Endpoint) is not { } address)
        {
            throw new FormatException($"{source} names no controller: it needs a part 'Endpoint=http://host:port'.");
        }

        try
        {
            return new FlusterClientOptions
            {
                Address = address,
                Token = Value(parts, Token),
                Namespace = Value(parts, Namespace) is { } name ? Cluster.Namespace.Parse(name) : Cluster.Namespace.Default,
                ClusterKey = Value(parts, ClusterKey) is { } key ? Pem(key) : null,
                CertificateHash = Value(parts, Certificate),
                Source = source,
            };
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            throw new FormatException($"{source}: {exception.Message}", exception);
        }
    }

    private static DbConnectionStringBuilder Split(string text, string source)
    {
        try
        {
            return new DbConnectionStringBuilder { ConnectionString = text };
        }
        catch (ArgumentException exception)
        {
            // What is wrong is told, and not the text: there may be a token in it.
            throw new FormatException($"{source} is no connection string: it looks like 'Endpoint=http://host:port;Token=…;Namespace=default'.", exception);
        }
    }

    private static string? Value(DbConnectionStringBuilder parts, string key) =>
        parts.TryGetValue(key, out var value) && value is string { Length: > 0 } text ? text : null;

    // A line has no room for the lines of a PEM file: then it is what stands between them.
    private static string Pem(string key) => key.Contains("BEGIN", StringComparison.Ordinal) ? key : $"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----";
}
