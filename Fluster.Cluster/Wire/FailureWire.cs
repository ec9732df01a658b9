namespace Fluster.Cluster;

/// <summary>Failures to and from their messages.</summary>
internal static class FailureWire
{
    /// <summary>The kinds whose message always carries an exit code: 0 on the wire says nothing by itself.</summary>
    private static bool HasExitCode(FailureKind kind) => kind is FailureKind.ExitCode or FailureKind.Timeout;

    public static V1.Failure ToWire(this JobFailure failure)
    {
        var message = new V1.Failure
        {
            Kind = (V1.FailureKind)failure.Kind,
            Message = failure.Message,
            ExitCode = failure.ExitCode ?? 0,
            Signal = failure.Signal ?? 0,
            KilledBy = failure.KilledBy is { } cause ? (V1.KillCause)cause : V1.KillCause.Unspecified,
            Exception = failure.Exception is { } exception
                ? new V1.RemoteException { Type = exception.Type, Message = exception.Message, Stack = exception.Stack }
                : null,
        };
        message.LastLines.AddRange(failure.LastLines);
        return message;
    }

    public static JobFailure ToDomain(this V1.Failure message)
    {
        var kind = (FailureKind)message.Kind;
        return new JobFailure(kind, message.Message)
        {
            ExitCode = message.ExitCode != 0 || HasExitCode(kind) ? message.ExitCode : null,
            Signal = message.Signal != 0 ? message.Signal : null,
            KilledBy = message.KilledBy != V1.KillCause.Unspecified ? (KillCause)message.KilledBy : null,
            LastLines = [.. message.LastLines],
            Exception = message.Exception is { } exception ? new RemoteExceptionInfo(exception.Type, exception.Message, exception.Stack) : null,
        };
    }
}
