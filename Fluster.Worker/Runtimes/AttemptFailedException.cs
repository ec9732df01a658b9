namespace Fluster.Worker;

/// <summary>The attempt cannot go on, for a reason that is its outcome.</summary>
internal sealed class AttemptFailedException(JobFailure failure) : Exception(failure.Message)
{
    public JobFailure Failure { get; } = failure;

    /// <summary>What it means for an attempt that this was thrown while it was prepared or run.</summary>
    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    public static JobFailure FailureOf(Exception exception) => exception switch
    {
        AttemptFailedException failed => failed.Failure,
        InvalidBundleException invalid => new JobFailure(FailureKind.Bundle, invalid.Message),
        PortsExhaustedException or UsersExhaustedException => new JobFailure(FailureKind.WorkerFault, exception.Message),
        IOException { HResult: Libc.Enospc } => new JobFailure(FailureKind.DiskFull, "The worker's disk is full."),
        _ => new JobFailure(FailureKind.WorkerFault, $"The worker could not run it: {exception.Message}"),
    };
}
