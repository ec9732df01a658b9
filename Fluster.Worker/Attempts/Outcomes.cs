using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Worker;

/// <summary>What the end of an attempt means: a table from what was seen, and why the worker interfered, to an outcome.</summary>
internal static class Outcomes
{
    /// <summary>What JobHost exits with when the bundle, not the user's code, is at fault.</summary>
    public const int BundleFaultExitCode = 125;

    /// <summary>The largest result of an entrypoint (16 MiB).</summary>
    public const int MaxResultBytes = 16 << 20;

    public static V1.AttemptOutcome Of(AttemptEnd end, StopReason? stop)
    {
        var failure = FailureOf(end, stop);
        return new V1.AttemptOutcome
        {
            Succeeded = failure is null,
            Failure = failure is null ? null : (failure with { LastLines = end.LastLines }).ToWire(),
            Result = failure is null && end.Result is { } result ? new V1.Payload { Inline = ByteString.CopyFrom(result.Span) } : null,
            Logs = end.Logs,
            EndedAt = end.At.ToTimestamp(),
        };
    }

    /// <summary>The outcome of an attempt that was running when the worker died.</summary>
    public static V1.AttemptOutcome Lost(V1.LogTotals logs, DateTimeOffset at)
    {
        var known = logs.Clone();
        known.UnknownTail = true;
        return new V1.AttemptOutcome
        {
            Failure = new JobFailure(FailureKind.WorkerLost, "The worker restarted while the job ran; nothing of it is left.").ToWire(),
            Logs = known,
            EndedAt = at.ToTimestamp(),
        };
    }

    /// <summary>The outcome of an attempt that was stopped before it was started.</summary>
    public static V1.AttemptOutcome NeverStarted(JobFailure failure, DateTimeOffset at) => new()
    {
        Failure = failure.ToWire(),
        Logs = new V1.LogTotals(),
        EndedAt = at.ToTimestamp(),
    };

    public static JobFailure KilledBy(KillCause cause) => new(FailureKind.Killed, cause switch
    {
        KillCause.User => "Killed: a user asked for it.",
        KillCause.Parent => "Killed: its parent ended.",
        KillCause.Preemption => "Killed: other work took its place.",
        KillCause.Gang => "Killed: another member of its gang ended.",
        KillCause.Shutdown => "Killed: the cluster shut down",
        KillCause.Sibling => "Killed: another task of the job ended it.",
        _ => "Killed.",
    })
    {
        KilledBy = cause,
    };

    private static JobFailure? FailureOf(AttemptEnd end, StopReason? stop) => (stop, end) switch
    {
        (StopReason.Asked asked, _) => KilledBy(asked.Cause) with { ExitCode = end.ExitCode, Signal = end.Signal },
        (StopReason.Superseded, _) => new JobFailure(FailureKind.WorkerLost, "Killed: the controller did not want this attempt any more."),
        (StopReason.Unheard, _) => new JobFailure(FailureKind.WorkerLost, "Killed: it is exclusive, and its worker did not hear the controller for 30 s."),
        (StopReason.Shutdown, _) => new JobFailure(FailureKind.WorkerLost, "The worker shut down."),
        (StopReason.TimedOut, _) => new JobFailure(FailureKind.Timeout, "Timeout exceeded") { ExitCode = -1 },
        (_, { MemoryLimitPassed: { } limit }) => new JobFailure(FailureKind.OutOfMemory, $"Out of memory: it used more than the {new ByteSize(limit)} that it asked for.") { Signal = end.Signal },
        (_, { Failure: { } failure }) => failure,
        (_, { ExitCode: 0, TooLongResult: { } length }) => new JobFailure(FailureKind.Result, $"The result has {length} bytes; at most {MaxResultBytes} are kept. Write large results to storage and return where they are."),
        (_, { ExitCode: 0 }) => null,
        (_, { Exception: { } exception }) => new JobFailure(FailureKind.ExitCode, $"{exception.Type}: {exception.Message}") { ExitCode = end.ExitCode, Exception = exception },
        (_, { ExitCode: { } code }) => new JobFailure(FailureKind.ExitCode, $"Exit code: {code}") { ExitCode = code },
        (_, { Signal: { } signal }) => new JobFailure(FailureKind.Signal, $"Ended by signal {signal} ({SignalName(signal)})") { Signal = signal },
        _ => new JobFailure(FailureKind.WorkerFault, "The worker lost sight of the process."),
    };

    private static string SignalName(int signal) => signal switch
    {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => $"signal {signal}",
    };
}
