using Google.Protobuf.WellKnownTypes;

namespace Fluster.Worker;

/// <summary>Where an attempt is on its way through the worker.</summary>
internal enum HoldPhase
{
    /// <summary>Accepted; that it starts is being put on the disk.</summary>
    Recording,

    /// <summary>The runtime prepares it: files, ports, set-up commands.</summary>
    Preparing,

    /// <summary>Its program runs, or is being ended.</summary>
    Running,

    /// <summary>Nothing of it is left; its outcome is being put on the disk.</summary>
    Storing,

    /// <summary>Its result is being given to the cluster.</summary>
    Uploading,

    /// <summary>Its outcome is reported until it is acknowledged.</summary>
    Ended,
}

/// <summary>Why the worker ends an attempt that has not ended by itself. The first reason counts.</summary>
internal abstract record StopReason
{
    private StopReason() { } // Closed: every case is listed here.

    /// <summary>The controller wants it stopped.</summary>
    public sealed record Asked(KillCause Cause) : StopReason;

    /// <summary>The controller does not name it any more: there is a newer attempt, or none.</summary>
    public sealed record Superseded : StopReason;

    /// <summary>It must not run twice at the same time, and the controller was not heard for so long that it may be running elsewhere soon.</summary>
    public sealed record Unheard : StopReason;

    /// <summary>Its execution timeout has passed.</summary>
    public sealed record TimedOut : StopReason;

    /// <summary>This worker ends.</summary>
    public sealed record Shutdown : StopReason;
}

/// <summary>One attempt as the supervisor holds it.</summary>
internal sealed record HeldAttempt(Fence Fence, HoldPhase Phase)
{
    /// <summary>Null for those of an earlier run.</summary>
    public V1.AttemptSpec? Spec { get; init; }

    public StopReason? Stop { get; init; }

    /// <summary>When what was asked to end is killed; null when it was not asked, or was killed.</summary>
    public TimeSpan? KillAt { get; init; }

    /// <summary>When the execution timeout passes.</summary>
    public TimeSpan? TimeoutAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public IReadOnlyDictionary<string, int> Ports { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);

    public V1.AttemptOutcome? Outcome { get; init; }

    /// <summary>Processes that SIGKILL has not ended: the outcome counts, and what the attempt holds stays taken.</summary>
    public IReadOnlyList<int> Unkillable { get; init; } = [];

    /// <summary>The runtime has it: there may be processes.</summary>
    public bool IsLive => Phase is HoldPhase.Preparing or HoldPhase.Running;

    /// <summary>The phase that the controller is told.</summary>
    public V1.AttemptPhase Told => Phase switch
    {
        HoldPhase.Recording or HoldPhase.Preparing => V1.AttemptPhase.Preparing,
        HoldPhase.Ended => V1.AttemptPhase.Ended,
        _ => V1.AttemptPhase.Running, // its outcome counts only when it is on the disk, and its result at the cluster
    };

    /// <summary>What the controller is told.</summary>
    public V1.AttemptObservation ToObservation()
    {
        var observation = new V1.AttemptObservation
        {
            Fence = Fence.Value,
            Phase = Told,
            StartedAt = StartedAt?.ToTimestamp(),
            Outcome = Phase == HoldPhase.Ended ? Outcome : null,
        };
        if (Phase == HoldPhase.Ended)
        {
            observation.Unkillable.AddRange(Unkillable);
        }

        observation.Ports.Add(Ports.ToDictionary(StringComparer.Ordinal));
        return observation;
    }
}
