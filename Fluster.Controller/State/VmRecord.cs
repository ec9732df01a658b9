using System.Collections.Immutable;
using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>How far a machine is that a backend makes. It has no last state: a machine that is gone has no record.</summary>
internal enum VmState
{
    /// <summary>It is to be made. It is not known whether there is one.</summary>
    Requested = 1,

    /// <summary>Its backend makes it; not all its workers have come yet.</summary>
    Booting = 2,

    /// <summary>All its workers have said Hello.</summary>
    Ready = 3,

    /// <summary>It is to be removed, whether there is one or not.</summary>
    Releasing = 4,
}

/// <summary>What can happen to a machine.</summary>
internal abstract record VmEvent
{
    private VmEvent()
    {
    }

    /// <summary>The backend has made it, or will.</summary>
    public sealed record Accepted : VmEvent;

    /// <summary>The backend did not make it. There may be one all the same.</summary>
    public sealed record Failed(string Reason) : VmEvent;

    /// <summary>The last of its workers has said Hello.</summary>
    public sealed record Complete : VmEvent;

    /// <summary>It is not wanted any more, or not worth keeping.</summary>
    public sealed record Condemned(string Reason) : VmEvent;
}

/// <summary>What a machine is and where, as its backend offered it.</summary>
internal sealed record VmTraits
{
    /// <summary>In the backend's words, for example <c>n2-standard-4</c>.</summary>
    public required string Shape { get; init; }

    /// <summary>Where; empty for backends without zones.</summary>
    public string Zone { get; init; } = "";

    /// <summary>The region that its workers say they are in; empty: none.</summary>
    public string Region { get; init; } = "";

    /// <summary>What each of its workers is to offer.</summary>
    public ResourceShape Capacity { get; init; } = ResourceShape.None;

    /// <summary>What a failure to make it can be about, from the narrow to the wide.</summary>
    public ImmutableArray<string> Scopes { get; init; } = [];

    /// <summary>"n2-standard-4 in us-central1-a".</summary>
    public string Text => Zone.Length == 0 ? Shape : $"{Shape} in {Zone}";
}

/// <summary>A machine that a backend was asked for: on TPU, a whole slice.</summary>
internal sealed record VmRecord
{
    public required long Uid { get; init; }

    public required VmId Id { get; init; }

    /// <summary>The same for every try at making it.</summary>
    public required Guid RequestId { get; init; }

    /// <summary>The name of the backend whose it is.</summary>
    public required string Backend { get; init; }

    public required VmTraits Traits { get; init; }

    public VmState State { get; init; } = VmState.Requested;

    /// <summary>Its workers by their index; 0: has not come.</summary>
    public required ImmutableArray<long> Workers { get; init; }

    /// <summary>Cluster time at which it was asked for.</summary>
    public long RequestedTime { get; init; }

    /// <summary>Cluster time by which all its workers have to be there; 0 when they are.</summary>
    public long BootDue { get; init; }

    /// <summary>Milliseconds for which it may do nothing before it is released.</summary>
    public long IdleFor { get; init; }

    /// <summary>Cluster time since which nothing is placed on it; 0: it is not ready, or has something to do.</summary>
    public long IdleSince { get; init; }

    /// <summary>Why it is released; empty while it is not.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The job for which it was asked for first; 0: none, it is one of those that are always there.</summary>
    public long ForJob { get; init; }

    /// <summary>Wall clock, milliseconds since 1970; 0: not yet.</summary>
    public long RequestedAt { get; init; }

    public long ReadyAt { get; init; }

    public long ReleasedAt { get; init; }

    /// <summary>It is, or will be, there for jobs.</summary>
    public bool IsWanted => State != VmState.Releasing;

    /// <summary>It is being made for jobs.</summary>
    public bool IsComing => State is VmState.Requested or VmState.Booting;

    public bool IsComplete => !Workers.Contains(0);

    /// <summary>The machine after an event. This table is the whole life of a machine; what ends it is its backend's word that it is gone.</summary>
    public VmRecord After(VmEvent vmEvent, ClusterNow now) => (State, vmEvent) switch
    {
        // Nothing brings back what is being removed.
        (VmState.Releasing, _) => this,

        (VmState.Requested, VmEvent.Accepted) => this with { State = VmState.Booting },
        (VmState.Booting or VmState.Ready, VmEvent.Accepted) => this,

        (VmState.Requested or VmState.Booting, VmEvent.Failed failed) => Released(failed.Reason, now),

        // Whatever the backend said: its workers are there.
        (VmState.Ready, VmEvent.Failed) => this,

        // The workers may be quicker than the backend's answer.
        (VmState.Requested or VmState.Booting, VmEvent.Complete) => this with { State = VmState.Ready, BootDue = 0, ReadyAt = now.Wall },
        (VmState.Ready, VmEvent.Complete) => this,

        (_, VmEvent.Condemned condemned) => Released(condemned.Reason, now),

        _ => throw new UnreachableException($"A machine cannot be {State} at {vmEvent.GetType().Name}."),
    };

    private VmRecord Released(string reason, ClusterNow now) => this with { State = VmState.Releasing, Reason = reason, BootDue = 0, IdleSince = 0, ReleasedAt = now.Wall };
}

/// <summary>Where no machines are asked for, for a while, because the last tries there failed.</summary>
internal sealed record VmBlockRecord
{
    private const long Second = 1_000;
    private const long Minute = 60 * Second;
    private const int MostDoublings = 10;

    /// <summary>Milliseconds for which a failure is remembered after its block has ended: the next one then counts as the second.</summary>
    private const long Remembered = 60 * Minute;

    public required long Uid { get; init; }

    public required string Backend { get; init; }

    /// <summary>One of the scopes of the offers there.</summary>
    public required string Scope { get; init; }

    public required VmFailureKind Kind { get; init; }

    /// <summary>Failures one after another.</summary>
    public int Failures { get; init; }

    /// <summary>Cluster time until which nothing is asked for there.</summary>
    public long Until { get; init; }

    /// <summary>What the backend said.</summary>
    public string Message { get; init; } = "";

    /// <summary>Wall clock of <see cref="Until"/>, for people.</summary>
    public long UntilWall { get; init; }

    /// <summary>Cluster time at which it is forgotten.</summary>
    public long ForgetDue => Until + Remembered;

    /// <summary>The block after one more failure.</summary>
    /// <param name="message">What the backend said.</param>
    /// <param name="asked">Milliseconds that the backend asks to wait; 0: it does not say.</param>
    /// <param name="requested">Cluster time of the request that failed: one that was under way when the block began says nothing new.</param>
    /// <param name="now">Now.</param>
    public VmBlockRecord After(string message, long asked, long requested, ClusterNow now)
    {
        var failures = requested < Until && Failures > 0 ? Failures : Failures + 1;
        var until = Math.Max(failures == Failures ? Until : now.Time + BackOff(Kind, failures), now.Time + asked);
        return this with { Failures = failures, Until = until, UntilWall = now.Wall + (until - now.Time), Message = message };
    }

    /// <summary>Milliseconds after the <paramref name="failures"/>th failure in a row: it doubles, up to a limit.</summary>
    public static long BackOff(VmFailureKind kind, int failures)
    {
        var (first, longest) = kind switch
        {
            VmFailureKind.Quota => (5 * Minute, 60 * Minute),
            VmFailureKind.RateLimited => (15 * Second, 5 * Minute),
            VmFailureKind.Permission or VmFailureKind.Invalid => (10 * Minute, 60 * Minute),
            VmFailureKind.Transient => (10 * Second, 5 * Minute),
            VmFailureKind.Preempted => (10 * Second, 10 * Minute),
            VmFailureKind.NameTaken => (Second, Minute),
            _ => (Minute, 30 * Minute),
        };
        return Math.Min(longest, first << Math.Min(failures - 1, MostDoublings));
    }
}
