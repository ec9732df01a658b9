using System.Buffers;
using System.Text.Json;
using Grpc.Core;

namespace Grpc.Connect;

/// <summary>The end of a call: as gRPC says it, and as Connect does.</summary>
internal sealed record ConnectStatus(StatusCode Code, string Message, Google.Rpc.Status? Details)
{
    private const string TypePrefix = "type.googleapis.com/";

    public bool IsOk => Code == StatusCode.OK;

    /// <summary>The HTTP status of a unary call that ended so.</summary>
    public int HttpStatus => Code switch
    {
        StatusCode.OK => 200,
        StatusCode.Cancelled => 499,
        StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.OutOfRange => 400,
        StatusCode.Unauthenticated => 401,
        StatusCode.PermissionDenied => 403,
        StatusCode.NotFound => 404,
        StatusCode.AlreadyExists or StatusCode.Aborted => 409,
        StatusCode.ResourceExhausted => 429,
        StatusCode.Unimplemented => 501,
        StatusCode.Unavailable => 503,
        StatusCode.DeadlineExceeded => 504,
        _ => 500,
    };

    private string CodeName => Code switch
    {
        StatusCode.Cancelled => "canceled",
        StatusCode.InvalidArgument => "invalid_argument",
        StatusCode.DeadlineExceeded => "deadline_exceeded",
        StatusCode.NotFound => "not_found",
        StatusCode.AlreadyExists => "already_exists",
        StatusCode.PermissionDenied => "permission_denied",
        StatusCode.ResourceExhausted => "resource_exhausted",
        StatusCode.FailedPrecondition => "failed_precondition",
        StatusCode.Aborted => "aborted",
        StatusCode.OutOfRange => "out_of_range",
        StatusCode.Unimplemented => "unimplemented",
        StatusCode.Internal => "internal",
        StatusCode.Unavailable => "unavailable",
        StatusCode.DataLoss => "data_loss",
        StatusCode.Unauthenticated => "unauthenticated",
        _ => "unknown",
    };

    public static ConnectStatus From(RpcException exception) => new(exception.StatusCode, exception.Status.Detail, Details: null);

    /// <summary>The body of a failed unary call.</summary>
    public ReadOnlyMemory<byte> ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            WriteError(json);
        }

        return buffer.WrittenMemory;
    }

    /// <summary>The last envelope of a stream.</summary>
    public Envelope ToEndOfStream(IEnumerable<(string Name, string Value)> trailers)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (!IsOk)
            {
                json.WritePropertyName("error");
                WriteError(json);
            }

            var byName = trailers.ToLookup(trailer => trailer.Name, trailer => trailer.Value, StringComparer.Ordinal);
            if (byName.Count > 0)
            {
                json.WriteStartObject("metadata");
                foreach (var values in byName)
                {
                    json.WriteStartArray(values.Key);
                    foreach (var value in values)
                    {
                        json.WriteStringValue(value);
                    }

                    json.WriteEndArray();
                }

                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        return new Envelope(Envelope.EndOfStream, buffer.WrittenMemory);
    }

    private void WriteError(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("code", CodeName);
        if (Message.Length > 0)
        {
            json.WriteString("message", Message);
        }

        if (Details is { Details.Count: > 0 })
        {
            json.WriteStartArray("details");
            foreach (var detail in Details.Details)
            {
                json.WriteStartObject();
                json.WriteString("type", detail.TypeUrl.StartsWith(TypePrefix, StringComparison.Ordinal) ? detail.TypeUrl[TypePrefix.Length..] : detail.TypeUrl);
                json.WriteString("value", detail.Value.ToBase64().TrimEnd('='));
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
