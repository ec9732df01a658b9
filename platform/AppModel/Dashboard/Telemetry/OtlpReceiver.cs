using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>Takes telemetry as OpenTelemetry's exporters send it over HTTP: a request for each kind, in protobuf, from whoever knows the key.</summary>
internal sealed class OtlpReceiver(TelemetryFeed feed, string apiKey)
{
    public const string KeyHeader = "x-otlp-api-key";

    private const string Protobuf = "application/x-protobuf";

    /// <summary>Of a request, unpacked. Exporters send 512 spans at a time.</summary>
    private const int MostBytes = 32 << 20;

    public void Map(WebApplication app)
    {
        app.Post("/v1/traces", context => TakeAsync(context, Signal.Traces));
        app.Post("/v1/logs", context => TakeAsync(context, Signal.Logs));
        app.Post("/v1/metrics", context => TakeAsync(context, Signal.Metrics));
    }

    private async Task<IResult> TakeAsync(HttpContext context, Signal signal)
    {
        var request = context.Request;
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes((string?)request.Headers[KeyHeader] ?? ""), Encoding.UTF8.GetBytes(apiKey)))
        {
            return Results.Text($"Telemetry is taken from resources of this AppHost, which know the key ({KeyHeader}).", statusCode: StatusCodes.Status401Unauthorized);
        }

        if (request.ContentType?.Split(';')[0].Trim() != Protobuf)
        {
            return Results.Text($"Send {Protobuf}: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.", statusCode: StatusCodes.Status415UnsupportedMediaType);
        }

        try
        {
            feed.Take(signal, await ReadAsync(request, context.RequestAborted));
            return Results.Bytes([], Protobuf); // an empty response says that all of it was taken
        }
        catch (InvalidDataException exception)
        {
            return Results.Text(exception.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    }

    private static async Task<byte[]> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var isPacked = string.Equals(request.Headers.ContentEncoding, "gzip", StringComparison.OrdinalIgnoreCase);
        await using var body = isPacked ? new GZipStream(request.Body, CompressionMode.Decompress) : request.Body;
        using var content = new MemoryStream();
        var buffer = new byte[64 << 10];
        while (await body.ReadAsync(buffer, cancellationToken) is > 0 and var count)
        {
            content.Write(buffer, 0, count);
            if (content.Length > MostBytes)
            {
                throw new InvalidDataException($"A request has at most {MostBytes >> 20} MiB.");
            }
        }

        return content.ToArray();
    }
}
