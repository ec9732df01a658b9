using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Grpc.Connect;

/// <summary>Headers on their way from a Connect request to a gRPC one, and back.</summary>
internal static class ConnectHeaders
{
    private const string TimeoutName = "connect-timeout-ms";
    private const string ProtocolVersionName = "connect-protocol-version";
    private const string DetailsName = "grpc-status-details-bin";

    // They describe the connection or the encoding of the body, not the call.
    private static readonly HashSet<string> s_ofTheBody = new(StringComparer.OrdinalIgnoreCase)
    {
        "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "date", "host",
        "keep-alive", "proxy-connection", "server", "te", "trailer", "transfer-encoding", "upgrade",
    };

    /// <summary>The headers of the gRPC request.</summary>
    /// <param name="request">The Connect request.</param>
    /// <param name="encodingName">The header with the compression of messages.</param>
    /// <param name="acceptName">The header with the compressions that the client reads.</param>
    /// <exception cref="RpcException">A version, compression or timeout that this server does not know.</exception>
    public static HeaderDictionary ToGrpc(HttpRequest request, string encodingName, string acceptName)
    {
        if (request.Headers[ProtocolVersionName] is [{ } version, ..] && version != "1")
        {
            throw Invalid($"{ProtocolVersionName} must be \"1\": got \"{version}\".");
        }

        var headers = new HeaderDictionary
        {
            ["content-type"] = "application/grpc",
            ["te"] = "trailers",
            ["host"] = request.Headers.Host,
        };
        foreach (var (name, value) in request.Headers)
        {
            // "grpc-" is the protocol's own: a client cannot reach through to it.
            if (!s_ofTheBody.Contains(name) && !HasPrefix(name, "grpc-") && !HasPrefix(name, "connect-") && !name.StartsWith(':'))
            {
                headers[name] = value;
            }
        }

        if (Encoding(request.Headers[encodingName]) is { } encoding)
        {
            headers["grpc-encoding"] = encoding;
        }

        if (request.Headers[acceptName].Any(value => value is not null && AcceptsGzip(value)))
        {
            headers["grpc-accept-encoding"] = Gzip.Name;
        }

        if (request.Headers[TimeoutName] is [{ } timeout, ..])
        {
            headers["grpc-timeout"] = Timeout(timeout);
        }

        return headers;
    }

    /// <summary>What the service itself put into headers or trailers.</summary>
    public static IEnumerable<(string Name, StringValues Values)> OfTheService(IHeaderDictionary headers)
    {
        foreach (var (name, values) in headers)
        {
            if (!s_ofTheBody.Contains(name) && !HasPrefix(name, "grpc-"))
            {
                yield return (name.ToLowerInvariant(), values);
            }
        }
    }

    /// <summary>The status in <paramref name="trailers"/>; null when there is none.</summary>
    public static ConnectStatus? StatusIn(IHeaderDictionary trailers)
    {
        if (trailers["grpc-status"] is not [{ } text, ..])
        {
            return null;
        }

        var code = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? (StatusCode)number : StatusCode.Unknown;
        var message = trailers["grpc-message"] is [{ } encoded, ..] ? Uri.UnescapeDataString(encoded) : "";
        return new ConnectStatus(code, message, Details(trailers));
    }

    private static Google.Rpc.Status? Details(IHeaderDictionary trailers)
    {
        if (trailers[DetailsName] is not [{ } base64, ..])
        {
            return null;
        }

        try
        {
            var padded = base64.PadRight((base64.Length + 3) / 4 * 4, '=');
            return Google.Rpc.Status.Parser.ParseFrom(Convert.FromBase64String(padded));
        }
        catch (Exception e) when (e is FormatException or InvalidProtocolBufferException)
        {
            // Details are for clients that understand them; the code and the message stand without.
            return null;
        }
    }

    private static string? Encoding(StringValues values) => values switch
    {
        [] or ["" or "identity"] => null,
        [Gzip.Name] => Gzip.Name,
        _ => throw new RpcException(new Status(StatusCode.Unimplemented, $"unknown compression \"{values}\": supported encodings are {Gzip.Name}, identity")),
    };

    private static bool AcceptsGzip(string value) => value
        .Split(',', StringSplitOptions.TrimEntries)
        .Any(item => item.Split(';')[0].Equals(Gzip.Name, StringComparison.OrdinalIgnoreCase) && !item.EndsWith("q=0", StringComparison.Ordinal));

    private static string Timeout(string text)
    {
        if (text.Length > 10 || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds))
        {
            throw Invalid($"{TimeoutName} must be at most 10 digits: got \"{text}\".");
        }

        // gRPC has eight digits and a unit; zero would be no timeout to it.
        return milliseconds switch
        {
            0 => "1n",
            <= 99_999_999 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds}m"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000}S"),
        };
    }

    private static bool HasPrefix(string name, string prefix) => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase);

    private static RpcException Invalid(string message) => new(new Status(StatusCode.InvalidArgument, message));
}
