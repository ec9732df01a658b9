using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>The reasons that the machine itself gives.</summary>
internal static class Failures
{
    /// <summary>Free retries in a row before a task counts as one that cannot be started.</summary>
    public const int MostFreeRetries = 20;

    private const long FirstBackOff = 1_000;
    private const long LongestBackOff = 60_000;

    public static JobFailure Killed(KillCause cause) => new(FailureKind.Killed, cause switch
    {
        KillCause.User => "Killed: terminated on request",
        KillCause.Parent => "Killed: its parent ended",
        KillCause.Preemption => "Killed: preempted",
        KillCause.Gang => "Killed: another member of its gang ended",
        KillCause.Shutdown => "Killed: the cluster shut down",
        KillCause.Sibling => "Killed: another task of the job ended it",
        _ => throw new UnreachableException($"{cause} is not a cause."),
    })
    {
        KilledBy = cause,
    };

    public static JobFailure WorkerLost(WorkerId worker) => new(FailureKind.WorkerLost, $"Worker '{worker}' was lost");

    public static JobFailure NotStarted(WorkerId worker) => new(FailureKind.WorkerFault, $"Worker '{worker}' restarted before it began the attempt");

    public static JobFailure Timeout() => new(FailureKind.Timeout, "Timeout exceeded") { ExitCode = -1 };

    public static JobFailure Unschedulable(long milliseconds) =>
        new(FailureKind.SchedulingTimeout, $"No place was found within the scheduling timeout of {milliseconds / 1000m:0.###} s");

    public static JobFailure CouldNotBeStarted(JobFailure last) => last with { Message = $"could not be started: {last.Message}" };

    /// <summary>Which budget pays for another attempt after this failure.</summary>
    public static Retry BudgetFor(JobFailure failure) => failure.Kind switch
    {
        FailureKind.WorkerFault => Retry.Free,
        FailureKind.WorkerLost => Retry.Loss,
        FailureKind.Killed => Retry.Loss, // nobody here asked for it: the worker's machine is being taken away
        _ => Retry.Failure,
    };

    /// <summary>
    /// Milliseconds between the end of an attempt and the next one, when it is the <paramref name="count"/>th of its kind: 1 s, doubling to 60 s.
    /// What was not the job's fault is tried again at once the first time.
    /// </summary>
    public static long BackOff(Retry reason, int count)
    {
        var doublings = reason == Retry.Failure ? count - 1 : count - 2;
        return doublings < 0 ? 0 : doublings >= 6 ? LongestBackOff : Math.Min(LongestBackOff, FirstBackOff << doublings);
    }
}
