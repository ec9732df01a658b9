using System.Text.Json;

namespace Fluster.GcpEmulator;

/// <summary>The emulator refuses a request, in Google's words.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="reason">Compute Engine's reason, for example <c>notFound</c>.</param>
/// <param name="message">What is said.</param>
internal sealed class EmulatorException(int status, string reason, string message) : Exception(message)
{
    public int Status { get; } = status;

    public string Reason { get; } = reason;

    /// <summary>Cloud TPU's word for it.</summary>
    public string RpcStatus { get; init; } = status switch
    {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ALREADY_EXISTS",
        412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };

    public string Domain { get; init; } = "global";

    public int? RetryAfterSeconds { get; init; }

    public IReadOnlyList<JsonElement>? Details { get; init; }

    public static EmulatorException NotFound(string resource) => new(404, "notFound", $"The resource '{resource}' was not found");

    public static EmulatorException Invalid(string field, string value, string why) => new(400, "invalid", $"Invalid value for field '{field}': '{value}'. {why}");

    /// <summary>Cloud TPU knows one way only to say that there were too many requests.</summary>
    public EmulatorException AsTpu() => Reason != "rateLimitExceeded" || Details is not null ? this : new EmulatorException(429, Reason, Message)
    {
        RetryAfterSeconds = RetryAfterSeconds,
        Details = [JsonDocument.Parse("""{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com"}""").RootElement.Clone()],
    };

    /// <summary>The body, as Compute Engine or as Cloud TPU writes it.</summary>
    public GoogleErrorBody Body(bool isTpu) => new(new GoogleError
    {
        Code = Status,
        Message = Message,
        Status = isTpu ? RpcStatus : null,
        Errors = isTpu ? null : [new GoogleErrorItem { Message = Message, Domain = Domain, Reason = Reason }],
        Details = Details,
    });
}
