namespace Grpc.Core;

/// <summary>The result of a call: a code, a sentence for people and, on the side that saw it, the exception behind it.</summary>
public struct Status
{
    public static readonly Status DefaultSuccess = new(StatusCode.OK, "");

    public static readonly Status DefaultCancelled = new(StatusCode.Cancelled, "");

    private readonly string? _detail;

    public Status(StatusCode statusCode, string detail)
        : this(statusCode, detail, debugException: null)
    {
    }

    /// <param name="statusCode">The code that goes over the wire.</param>
    /// <param name="detail">The sentence that goes over the wire.</param>
    /// <param name="debugException">For debugging only: never sent.</param>
    public Status(StatusCode statusCode, string detail, Exception? debugException)
    {
        StatusCode = statusCode;
        _detail = detail;
        DebugException = debugException;
    }

    public readonly StatusCode StatusCode { get; }

    public readonly string Detail => _detail ?? "";

    public readonly Exception? DebugException { get; }

    public override readonly string ToString() => DebugException is null
        ? $"Status(StatusCode=\"{StatusCode}\", Detail=\"{Detail}\")"
        : $"Status(StatusCode=\"{StatusCode}\", Detail=\"{Detail}\", DebugException=\"{DebugException.GetType()}: {DebugException.Message}\")";
}
