using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>What <c>fluster</c> exits with. A job's own exit code comes through.</summary>
internal static class ExitCodes
{
    /// <summary>Fluster could not do what was asked, or failed the job by a fault of its own.</summary>
    public const int Fault = 125;

    /// <summary>Ctrl+C: 128 + SIGINT.</summary>
    public const int Interrupted = 130;

    /// <summary>The reader of standard output went away: 128 + SIGPIPE.</summary>
    public const int BrokenPipe = 141;

    private const int UnhandledException = 1;
    public const int TimedOut = 124;
    private const int NotFound = 127; // as a shell says it
    private const int Killed = 137; // 128 + SIGKILL
    private const int SignalBase = 128;

    /// <summary>The exit code for a job that has ended.</summary>
    public static int Of(JobStatus status) => status switch
    {
        { State: JobState.Succeeded } => 0,
        { Failure.Exception: not null } => UnhandledException,
        { Failure: { } failure } => failure.Kind switch
        {
            FailureKind.ExitCode => failure.ExitCode is > 0 and <= 255 and { } code ? code : UnhandledException,
            FailureKind.Signal => SignalBase + failure.Signal ?? Killed,
            FailureKind.Timeout => TimedOut,
            FailureKind.Killed or FailureKind.OutOfMemory => Killed,
            FailureKind.ProgramNotFound => NotFound,
            FailureKind.Result => UnhandledException,
            _ => Fault,
        },
        { State: JobState.Killed } => Killed,
        _ => Fault,
    };
}
