namespace Fluster.Cluster;

/// <summary>The kinds of reasons for which a cluster refuses or fails a call.</summary>
public enum ClusterError
{
    /// <summary>The request cannot be right.</summary>
    InvalidArgument,

    /// <summary>There is no such thing.</summary>
    NotFound,

    /// <summary>There is one already.</summary>
    AlreadyExists,

    /// <summary>Not in this state.</summary>
    FailedPrecondition,

    /// <summary>The caller has no valid token.</summary>
    Unauthenticated,

    /// <summary>The caller's token does not allow it.</summary>
    PermissionDenied,

    /// <summary>More than a limit allows.</summary>
    ResourceExhausted,

    /// <summary>The controller cannot be reached or cannot serve now; trying again may help.</summary>
    Unavailable,

    /// <summary>Not known to this controller; it may be older than the client.</summary>
    Unimplemented,

    /// <summary>A fault of Fluster.</summary>
    Internal,
}

/// <summary>A cluster refused or failed a call. The message says what, where and what to do.</summary>
public class ClusterException(ClusterError error, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>The kind of reason.</summary>
    public ClusterError Error { get; } = error;
}

/// <summary>
/// A job cannot be submitted as it was asked for: a bad name, an empty command, a captured variable that cannot travel, more than a
/// limit allows. Found before anything is sent; the message names what is wrong.
/// </summary>
public sealed class JobRequestException(string message, Exception? innerException = null) : ArgumentException(message, innerException);

/// <summary>A job ended other than Succeeded, and whoever waited asked for an exception then.</summary>
public sealed class JobFailedException(JobStatus status, string message) : Exception(message)
{
    /// <summary>The job as it ended.</summary>
    public JobStatus Status { get; } = status;
}
