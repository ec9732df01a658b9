namespace Fluster.Cluster;

/// <summary>The reasons for which jobs of a <see cref="LocalClient"/> do not succeed, in the words of a cluster.</summary>
internal static class LocalFailures
{
    /// <summary>The exit code of a .NET job that threw.</summary>
    private const int Threw = 1;

    /// <summary>Of a job that was told to stop.</summary>
    public static JobFailure Terminated(KillCause cause) => new(FailureKind.Killed, cause switch
    {
        KillCause.User => "Killed: terminated on request",
        KillCause.Parent => "Killed: its parent ended",
        KillCause.Preemption => "Killed: preempted",
        KillCause.Gang => "Killed: another member of its gang ended",
        KillCause.Shutdown => "Killed: the LocalClient was disposed",
        KillCause.Sibling => "Killed: another task of the job ended it",
        _ => "Killed",
    })
    {
        KilledBy = cause,
    };

    public static JobFailure Thrown(Exception exception, bool ofResult)
    {
        var info = new RemoteExceptionInfo(exception.GetType().FullName ?? exception.GetType().Name, exception.Message, exception.ToString());
        return ofResult
            ? new JobFailure(FailureKind.Result, $"The result cannot be kept: {info.Message}") { ExitCode = Threw, Exception = info }
            : new JobFailure(FailureKind.ExitCode, $"{info.Type}: {info.Message}") { ExitCode = Threw, Exception = info };
    }

    public static JobFailure NotStarted(string message) => new(FailureKind.ProgramNotFound, message);

    /// <summary>Why an attempt did not succeed, with what it wrote last: whoever told it to end comes first, whatever its code made of that.</summary>
    public static JobFailure? Of(LocalAttempt attempt, LocalEnd end)
    {
        var failure = attempt switch
        {
            { StopCause: { } cause } => Terminated(cause) with { ExitCode = end.Failure?.ExitCode },
            { TimedOut: true } => new JobFailure(FailureKind.Timeout, "Timeout exceeded") { ExitCode = -1 },
            _ => end.Failure,
        };
        return failure is null ? null : failure with { LastLines = attempt.Output.LastLines };
    }
}
