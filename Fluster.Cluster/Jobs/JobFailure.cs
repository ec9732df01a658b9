namespace Fluster.Cluster;

/// <summary>The kinds of reasons for which a job does not succeed. Numbers are those of the wire.</summary>
public enum FailureKind
{
    /// <summary>The program ended with a code other than 0.</summary>
    ExitCode = 1,

    /// <summary>The program was ended by a signal that Fluster did not send.</summary>
    Signal = 2,

    /// <summary>It used more memory than it asked for.</summary>
    OutOfMemory = 3,

    /// <summary>It ran longer than its execution timeout.</summary>
    Timeout = 4,

    /// <summary>Somebody or something stopped it: see <see cref="JobFailure.KilledBy"/>.</summary>
    Killed = 5,

    /// <summary>Its worker was lost.</summary>
    WorkerLost = 6,

    /// <summary>Its bundle could not be used.</summary>
    Bundle = 7,

    /// <summary>Its container image could not be used.</summary>
    Image = 8,

    /// <summary>The disk of its worker, or its share of it, is full.</summary>
    DiskFull = 9,

    /// <summary>The program, or a set-up command, could not be run.</summary>
    ProgramNotFound = 10,

    /// <summary>The worker could not run it; not the job's fault, and retried for free.</summary>
    WorkerFault = 11,

    /// <summary>No place was found within the scheduling timeout.</summary>
    SchedulingTimeout = 12,

    /// <summary>The result could not be kept: too large, or not serializable.</summary>
    Result = 13,
}

/// <summary>Who or what stopped a job. Numbers are those of the wire.</summary>
public enum KillCause
{
    /// <summary>A user, through the API or the CLI.</summary>
    User = 1,

    /// <summary>Its parent ended.</summary>
    Parent = 2,

    /// <summary>Work of a higher priority, or the cloud, took its place.</summary>
    Preemption = 3,

    /// <summary>Another member of its gang ended.</summary>
    Gang = 4,

    /// <summary>The cluster shut down.</summary>
    Shutdown = 5,

    /// <summary>Another task of the same job used up the job's budget.</summary>
    Sibling = 6,
}

/// <summary>Why a job did not succeed.</summary>
/// <param name="Kind">The kind of reason.</param>
/// <param name="Message">One sentence for a person, for example "Exit code: 3".</param>
public sealed record JobFailure(FailureKind Kind, string Message)
{
    /// <summary>The exit code of the program; null when it has none. A timeout's is -1.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The number of the signal that ended the program; null when none did.</summary>
    public int? Signal { get; init; }

    /// <summary>Who or what stopped it, when <see cref="Kind"/> is <see cref="FailureKind.Killed"/>.</summary>
    public KillCause? KilledBy { get; init; }

    /// <summary>The last lines that it wrote, oldest first: at most 20, each cut at 2 KiB.</summary>
    public IReadOnlyList<string> LastLines { get; init; } = [];

    /// <summary>The exception that a .NET entrypoint threw.</summary>
    public RemoteExceptionInfo? Exception { get; init; }
}

/// <summary>An exception of another process, as data.</summary>
/// <param name="Type">The full name of its type over there.</param>
/// <param name="Message">Its message.</param>
/// <param name="Stack">Its stack trace.</param>
public sealed record RemoteExceptionInfo(string Type, string Message, string Stack);
