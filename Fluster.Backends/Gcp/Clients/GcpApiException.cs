using System.Net;
using System.Text.Json;

namespace Fluster.Backends;

/// <summary>
/// Google refused, or did not answer. One shape for the three ways in which it refuses: the answer to a request, an operation that ended with an
/// error, and the state of a queued resource.
/// </summary>
internal sealed class GcpApiException(string code, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>The reason as Google names it: <c>quotaExceeded</c>, <c>ZONE_RESOURCE_POOL_EXHAUSTED</c>, <c>NOT_FOUND</c>; empty where there is none.</summary>
    public string Code { get; } = code;

    /// <summary>The status of the answer; null when the request was answered well, and what it began failed, or when there was no answer.</summary>
    public HttpStatusCode? Status { get; init; }

    /// <summary>The code of <c>google.rpc.Status</c>; null where there is none.</summary>
    public int? RpcCode { get; init; }

    /// <summary>More words about it: reasons and descriptions in its details.</summary>
    public IReadOnlyList<string> Details { get; init; } = [];

    /// <summary>How long Google asks to wait; null where it does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether nothing is known of what the request did: it was sent, and no answer came, or one that says nothing.</summary>
    public bool IsUnanswered { get; init; }

    /// <summary>Whether the error says that what it was about is not there.</summary>
    public bool IsNotFound => Status == HttpStatusCode.NotFound || Status is null && (Code is "RESOURCE_NOT_FOUND" || RpcCode == RpcNotFound);

    private const int RpcNotFound = 5;

    /// <summary>A refusal, as it was answered.</summary>
    public static GcpApiException FromAnswer(HttpStatusCode status, string body, TimeSpan? retryAfter)
    {
        var error = Read(body);
        var code = error?.Errors?.FirstOrDefault(item => item.Reason is { Length: > 0 })?.Reason ?? error?.Status ?? "";
        var message = error?.Message is { Length: > 0 } said ? said : $"HTTP status {(int)status}{(body.Length is > 0 and < 200 ? $": {body.Trim()}" : "")}";
        return new GcpApiException(code, message)
        {
            Status = status,
            Details = [.. (error?.Details ?? []).SelectMany(WordsOf)],
            RetryAfter = retryAfter,
        };
    }

    /// <summary>An operation of Compute Engine that ended with errors.</summary>
    public static GcpApiException FromOperation(ComputeOperation operation)
    {
        // A bulk request's own word comes first and says least: what the others say is why.
        var errors = operation.Error?.Errors ?? [];
        var first = errors.FirstOrDefault(error => error.Code is not ("VM_MIN_COUNT_NOT_REACHED" or null)) ?? (errors is [var only, ..] ? only : null);
        var details = errors.SelectMany(error => error.ErrorDetails ?? []);
        return new GcpApiException(first?.Code ?? "", first?.Message ?? operation.HttpErrorMessage ?? $"Operation {operation.Name} failed.")
        {
            Details =
            [
                .. errors.Where(error => error != first).Select(error => $"{error.Code}: {error.Message}"),
                .. details.Select(detail => detail.ErrorInfo?.Reason ?? "").Where(reason => reason.Length > 0),
                .. details.SelectMany(detail => detail.QuotaInfo?.Dimensions ?? []).Select(dimension => $"{dimension.Key}={dimension.Value}"),
            ],
        };
    }

    /// <summary>An operation or a queued resource of Cloud TPU that failed.</summary>
    public static GcpApiException FromStatus(RpcStatus status) => new("", status.Message ?? $"Code {status.Code}")
    {
        RpcCode = status.Code,
        Details = [.. (status.Details ?? []).SelectMany(WordsOf)],
    };

    private static GoogleError? Read(string body)
    {
        try
        {
            return body.AsSpan().TrimStart() is ['{', ..] ? JsonSerializer.Deserialize(body, GcpJson.Default.GoogleErrorBody)?.Error : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>What a detail says: the reason of an ErrorInfo, the descriptions of a QuotaFailure.</summary>
    private static IEnumerable<string> WordsOf(JsonElement detail)
    {
        if (detail.ValueKind != JsonValueKind.Object)
        {
            yield break;
        }

        if (detail.TryGetProperty("@type", out var type) && type.ValueKind == JsonValueKind.String && type.GetString()!.EndsWith("QuotaFailure", StringComparison.Ordinal))
        {
            yield return QuotaFailure;
        }

        if (detail.TryGetProperty("reason", out var reason) && reason.ValueKind == JsonValueKind.String)
        {
            yield return reason.GetString()!;
        }

        if (detail.TryGetProperty("violations", out var violations) && violations.ValueKind == JsonValueKind.Array)
        {
            foreach (var violation in violations.EnumerateArray())
            {
                if (violation.ValueKind == JsonValueKind.Object && violation.TryGetProperty("description", out var description) && description.ValueKind == JsonValueKind.String)
                {
                    yield return description.GetString()!;
                }
            }
        }
    }

    /// <summary>Among the details of an error that is about a quota.</summary>
    public const string QuotaFailure = "QuotaFailure";
}
