using System.Collections.Immutable;

namespace Fluster.Controller;

/// <summary>What there is one of.</summary>
internal sealed record ClusterMeta
{
    /// <summary>Made at the first start in a data directory; workers remember it.</summary>
    public required string ClusterId { get; init; }

    /// <summary>Grows by one at every start.</summary>
    public required long Epoch { get; init; }

    /// <summary>The cluster time of the last commit: the next start goes on from there.</summary>
    public long Time { get; init; }

    public long NextJob { get; init; } = 1;

    public long NextTask { get; init; } = 1;

    public long NextAttempt { get; init; } = 1;

    public long NextWorker { get; init; } = 1;

    public long NextEndpoint { get; init; } = 1;

    public long NextTombstone { get; init; } = 1;

    public long NextRegistration { get; init; } = 1;

    public long NextVm { get; init; } = 1;

    public long NextVmBlock { get; init; } = 1;

    /// <summary>Grows by one with every change of an endpoint, for whoever follows them.</summary>
    public long EndpointVersion { get; init; }

    /// <summary>By namespace: tokens that were issued before this second since 1970 no longer count.</summary>
    public ImmutableSortedDictionary<string, long> RevokedBefore { get; init; } = ImmutableSortedDictionary.Create<string, long>(StringComparer.Ordinal);

    /// <summary>Other clusters whose workers this one was told to take over.</summary>
    public ImmutableSortedSet<string> Adopted { get; init; } = ImmutableSortedSet.Create<string>(StringComparer.Ordinal);
}

/// <summary>All that the controller knows, at one moment. Immutable: any thread reads it without a lock.</summary>
internal sealed record ClusterState
{
    public required ClusterMeta Meta { get; init; }

    public RadixMap<JobRecord> Jobs { get; init; } = RadixMap<JobRecord>.Empty;

    public RadixMap<TaskRecord> Tasks { get; init; } = RadixMap<TaskRecord>.Empty;

    public RadixMap<AttemptRecord> Attempts { get; init; } = RadixMap<AttemptRecord>.Empty;

    public RadixMap<WorkerRecord> Workers { get; init; } = RadixMap<WorkerRecord>.Empty;

    public EndpointTable Endpoints { get; init; } = EndpointTable.Empty;

    public RadixMap<TombstoneRecord> Tombstones { get; init; } = RadixMap<TombstoneRecord>.Empty;

    public RadixMap<RegistrationRecord> Registrations { get; init; } = RadixMap<RegistrationRecord>.Empty;

    public RadixMap<VmRecord> Vms { get; init; } = RadixMap<VmRecord>.Empty;

    public RadixMap<VmBlockRecord> VmBlocks { get; init; } = RadixMap<VmBlockRecord>.Empty;

    /// <summary>The state with which the next start of the controller goes on. To be written before anything else: whoever remembers an epoch must never see
    /// the same one from another start.</summary>
    public ClusterState AtNextStart() => this with { Meta = Meta with { Epoch = Meta.Epoch + 1 } };

    /// <summary>The attempt with this fence; null when there is none.</summary>
    public AttemptRecord? Attempt(Fence fence) =>
        Attempts.Find(fence.Counter) is { } attempt && attempt.Fence == fence ? attempt : null;

    /// <summary>A task that had an attempt; null before that.</summary>
    public TaskRecord? TaskOf(JobRecord job, int index) => Tasks.Find(job.FirstTask + index);
}
