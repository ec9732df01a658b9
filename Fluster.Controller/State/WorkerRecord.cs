using System.Collections.Immutable;
using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>How long a worker has been silent, in words.</summary>
internal enum WorkerState
{
    Alive = 1,

    /// <summary>Silent for a while: gets no new work.</summary>
    Suspect = 2,

    /// <summary>Silent for so long that its attempts were given up.</summary>
    Lost = 3,
}

/// <summary>What can happen to a worker.</summary>
internal enum WorkerEvent
{
    Heard,
    Silent,
    SilentForLong,
}

/// <summary>What a worker said of itself when it said Hello.</summary>
internal sealed record WorkerTraits
{
    public ResourceShape Capacity { get; init; } = ResourceShape.None;

    public int MaxConcurrentJobs { get; init; }

    public string Region { get; init; } = "";

    /// <summary>All of it (a serialized WorkerCapabilities), for readers.</summary>
    public ReadOnlyMemory<byte> Capabilities { get; init; }
}

/// <summary>One worker. It keeps its uid for good and gets a new incarnation at each of its starts.</summary>
internal sealed record WorkerRecord
{
    private const int MostEarlyFailures = 3;
    private const long FirstQuarantine = 60_000;
    private const long LongestQuarantine = 30 * 60_000;
    private const int MostDoublings = 5;

    public required long Uid { get; init; }

    public required WorkerId Id { get; init; }

    public required ulong Incarnation { get; init; }

    /// <summary>The link of that incarnation over which it last said Hello. 0: not known.</summary>
    public long Link { get; init; }

    public required WorkerTraits Traits { get; init; }

    public WorkerState State { get; init; } = WorkerState.Alive;

    /// <summary>Cluster time at which it became Lost. Only while it is.</summary>
    public long LostAt { get; init; }

    /// <summary>Jobs of which an attempt failed early here, one after another, each job once.</summary>
    public ImmutableArray<long> EarlyFailures { get; init; } = [];

    /// <summary>Quarantines since something last went well here.</summary>
    public int Quarantines { get; init; }

    /// <summary>Cluster time before which nothing is placed here: too many different jobs failed before their own code ran.</summary>
    public long QuarantinedUntil { get; init; }

    /// <summary>It gets nothing new and ends when it holds nothing. Another start of it begins anew.</summary>
    public bool Draining { get; init; }

    /// <summary>The machine of a backend that it is on; 0: none, somebody started it.</summary>
    public long VmUid { get; init; }

    /// <summary>Which of that machine's workers it is, from 0: on TPU, the worker's number in the slice.</summary>
    public int VmIndex { get; init; }

    /// <summary>It has shown that it has the credential for which the machine's token is exchanged: that token does not let it in any more.</summary>
    public bool HasCredential { get; init; }

    /// <summary>Wall clock of its last Hello.</summary>
    public long ConnectedAt { get; init; }

    /// <summary>
    /// Every attempt that was placed here and is not known to be dead, in the order of placement. Follows from the attempts, so it is not stored.
    /// </summary>
    public ImmutableArray<Fence> Held { get; init; } = [];

    /// <summary>What those attempts hold. Follows from the attempts, so it is not stored.</summary>
    public ResourceUse Used { get; init; }

    /// <summary>The worker after an event. This table is all that silence does to a worker.</summary>
    public WorkerRecord After(WorkerEvent workerEvent) => (State, workerEvent) switch
    {
        (WorkerState.Alive, WorkerEvent.Heard) => this,
        (WorkerState.Suspect, WorkerEvent.Heard) => this with { State = WorkerState.Alive },

        // Its attempts were given up; only a Hello says what became of them.
        (WorkerState.Lost, WorkerEvent.Heard) => this,

        (WorkerState.Alive, WorkerEvent.Silent) => this with { State = WorkerState.Suspect },
        (WorkerState.Suspect or WorkerState.Lost, WorkerEvent.Silent) => this,

        (WorkerState.Alive or WorkerState.Suspect, WorkerEvent.SilentForLong) => this with { State = WorkerState.Lost },
        (WorkerState.Lost, WorkerEvent.SilentForLong) => this,

        _ => throw new UnreachableException($"A worker cannot be {State} at {workerEvent}."),
    };

    /// <summary>The worker after the end of an attempt of a job: whether it is the worker that makes jobs fail.</summary>
    /// <param name="failure">Null: the attempt succeeded.</param>
    /// <param name="jobUid">Its job.</param>
    /// <param name="now">Cluster time.</param>
    public WorkerRecord AfterEnd(JobFailure? failure, long jobUid, long now)
    {
        switch (failure?.Kind)
        {
            // The job's own code has not run: a program, an image or a bundle that nobody else misses may be missing here.
            case FailureKind.WorkerFault or FailureKind.ProgramNotFound or FailureKind.Image or FailureKind.Bundle:
                if (EarlyFailures.Contains(jobUid))
                {
                    return this;
                }

                return EarlyFailures.Length + 1 < MostEarlyFailures
                    ? this with { EarlyFailures = EarlyFailures.Add(jobUid) }
                    : this with
                    {
                        EarlyFailures = [],
                        Quarantines = Quarantines + 1,
                        QuarantinedUntil = now + Math.Min(LongestQuarantine, FirstQuarantine << Math.Min(Quarantines, MostDoublings)),
                    };

            // Says nothing about the worker, or nothing new.
            case FailureKind.Killed or FailureKind.WorkerLost or FailureKind.DiskFull:
                return this;

            // Code has run here.
            default:
                return EarlyFailures.IsEmpty && Quarantines == 0 ? this : this with { EarlyFailures = [], Quarantines = 0 };
        }
    }

    /// <summary>Whether it takes work at all now.</summary>
    public bool TakesWork(long now) => State == WorkerState.Alive && !Draining && QuarantinedUntil <= now;

    /// <summary>The GPUs that no attempt holds.</summary>
    public GpuSet FreeGpus => GpuSet.First(Traits.Capacity.Gpus).Without(Used.Gpus);

    /// <summary>Whether a task of this shape has room here now.</summary>
    public bool HasRoomFor(ResourceShape shape) =>
        State == WorkerState.Alive && !Draining
        && Held.Length < Traits.MaxConcurrentJobs
        && CouldEverHold(shape)
        && Used.CpuMillis + shape.CpuMillis <= Traits.Capacity.CpuMillis
        && Used.MemoryBytes + shape.MemoryBytes <= Traits.Capacity.MemoryBytes
        && Used.DiskBytes + shape.DiskBytes <= Traits.Capacity.DiskBytes
        && (shape.Tpus == 0 || Used.Tpus == 0)
        && FreeGpus.Count >= shape.Gpus;

    /// <summary>Whether a task of this shape would have room here if nothing else were here.</summary>
    public bool CouldEverHold(ResourceShape shape) =>
        shape.CpuMillis <= Traits.Capacity.CpuMillis
        && shape.MemoryBytes <= Traits.Capacity.MemoryBytes
        && shape.DiskBytes <= Traits.Capacity.DiskBytes
        && shape.Gpus <= Traits.Capacity.Gpus
        && IsOfAKindFor(shape);

    /// <summary>Whether this is a machine of a kind that the shape asks for, however large.</summary>
    public bool IsOfAKindFor(ResourceShape shape) =>
        HasDeviceFor(shape)
        && (shape.Preemptible || !Traits.Capacity.Preemptible)
        && (!shape.Container || Traits.Capacity.Container)
        && shape.AllowsRegion(Traits.Region);

    /// <summary>Whether its devices are those that the shape names; a shape that names none takes any machine.</summary>
    public bool HasDeviceFor(ResourceShape shape) =>
        (shape.Gpus == 0 || Traits.Capacity.Gpus > 0 && (shape.GpuVariant is "auto" or "" || shape.GpuVariant == Traits.Capacity.GpuVariant))
        && (shape.TpuVariant.Length == 0 || shape.TpuVariant == Traits.Capacity.TpuVariant);
}
