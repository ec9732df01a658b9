namespace Fluster.Controller;

/// <summary>
/// What has to be done outside after a step. Never stored: each can be computed again from a state (<see cref="OwedEffects"/>), and each may
/// run twice.
/// </summary>
internal abstract record ClusterEffect
{
    private ClusterEffect()
    {
    }

    /// <summary>What the worker is to hold has changed.</summary>
    public sealed record UpdateWorker(long WorkerUid) : ClusterEffect;

    /// <summary>A machine is to be made, if it still is when this is looked at.</summary>
    public sealed record CreateVm(long VmUid) : ClusterEffect;

    /// <summary>A machine is to be removed.</summary>
    public sealed record ReleaseVm(long VmUid) : ClusterEffect;

    /// <summary>The step was long enough; this goes on with it.</summary>
    public sealed record GoOn(ClusterInput Input) : ClusterEffect;
}

/// <summary>The kinds of reasons for which the rules refuse an input.</summary>
internal enum RejectionKind
{
    InvalidArgument,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
}

/// <summary>Why nothing was changed, for a person to read.</summary>
internal sealed record Rejection(RejectionKind Kind, string Message);
