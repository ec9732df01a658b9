namespace Fluster.Controller;

/// <summary>The changes of several steps, folded: each record once, as it is after the last one.</summary>
internal sealed class Batch
{
    public ClusterMeta? Meta { get; private set; }

    public Dictionary<long, JobRecord> Jobs { get; } = [];

    public Dictionary<long, TaskRecord> Tasks { get; } = [];

    public Dictionary<long, AttemptRecord> Attempts { get; } = [];

    /// <summary>Null: gone with its machine.</summary>
    public Dictionary<long, WorkerRecord?> Workers { get; } = [];

    /// <summary>Null: gone.</summary>
    public Dictionary<long, VmRecord?> Vms { get; } = [];

    /// <summary>Null: forgotten.</summary>
    public Dictionary<long, VmBlockRecord?> VmBlocks { get; } = [];

    /// <summary>Null: removed.</summary>
    public Dictionary<long, EndpointRecord?> Endpoints { get; } = [];

    /// <summary>Null: removed.</summary>
    public Dictionary<long, TombstoneRecord?> Tombstones { get; } = [];

    /// <summary>Jobs that were archived: their rows move, and those of their tasks and attempts go.</summary>
    public Dictionary<long, ArchivedJob> ArchivedJobs { get; } = [];

    /// <summary>The names under which endpoints came or went.</summary>
    public HashSet<EndpointKey> EndpointKeys { get; } = [];

    /// <summary>The endpoints that came and went, in that order.</summary>
    public List<EndpointChange> EndpointChanges { get; } = [];

    /// <summary>Null: forgotten.</summary>
    public Dictionary<long, RegistrationRecord?> Registrations { get; } = [];

    /// <summary>What happened, in this order.</summary>
    public List<ActionRecord> Actions { get; } = [];

    public bool IsEmpty =>
        Meta is null && Jobs.Count == 0 && Tasks.Count == 0 && Attempts.Count == 0 && Workers.Count == 0 && Endpoints.Count == 0 && Tombstones.Count == 0 && ArchivedJobs.Count == 0
        && Registrations.Count == 0 && Vms.Count == 0 && VmBlocks.Count == 0;

    /// <param name="changes">What a step changed.</param>
    /// <param name="view">The view before it took that in.</param>
    public void Add(ClusterChanges changes, ClusterView view)
    {
        foreach (var job in changes.ArchivedJobs)
        {
            var attempts = view.AttemptsOf(job);
            ArchivedJobs[job.Uid] = new ArchivedJob(job, attempts);
            Jobs.Remove(job.Uid);
            foreach (var fence in attempts)
            {
                Attempts.Remove(fence.Counter);
            }

            for (var index = 0; index < job.Terms.Replicas; index++)
            {
                Tasks.Remove(job.FirstTask + index);
            }
        }

        Meta = changes.Meta ?? Meta;
        Actions.AddRange(changes.Actions);
        foreach (var (uid, job) in changes.Jobs.Records)
        {
            Jobs[uid] = job;
        }

        foreach (var (uid, task) in changes.Tasks.Records)
        {
            Tasks[uid] = task;
        }

        foreach (var (uid, attempt) in changes.Attempts.Records)
        {
            Attempts[uid] = attempt;
        }

        foreach (var (uid, worker) in changes.Workers.Records)
        {
            Workers[uid] = worker;
        }

        foreach (var worker in changes.RemovedWorkers)
        {
            Workers[worker.Uid] = null;
        }

        foreach (var (uid, vm) in changes.Vms.Records)
        {
            Vms[uid] = vm;
        }

        foreach (var vm in changes.RemovedVms)
        {
            Vms[vm.Uid] = null;
        }

        foreach (var block in changes.RemovedVmBlocks)
        {
            VmBlocks[block.Uid] = null;
        }

        foreach (var (uid, block) in changes.VmBlocks.Records)
        {
            VmBlocks[uid] = block;
        }

        foreach (var tombstone in changes.RemovedTombstones)
        {
            Tombstones[tombstone.Uid] = null;
        }

        foreach (var (uid, tombstone) in changes.Tombstones.Records)
        {
            Tombstones[uid] = tombstone;
        }

        // A step gave every endpoint that it added or removed a version of its own.
        var version = Meta is null ? 0 : Meta.EndpointVersion - changes.RemovedEndpoints.Count - changes.Endpoints.Count;
        foreach (var endpoint in changes.RemovedEndpoints)
        {
            EndpointChanges.Add(new EndpointChange(++version, endpoint, Removed: true));
            Endpoints[endpoint.Uid] = null;
            EndpointKeys.Add(endpoint.Key);
        }

        foreach (var (uid, endpoint) in changes.Endpoints.Records)
        {
            EndpointChanges.Add(new EndpointChange(++version, endpoint, Removed: false));
            Endpoints[uid] = endpoint;
            EndpointKeys.Add(endpoint.Key);
        }

        foreach (var registration in changes.RemovedRegistrations)
        {
            Registrations[registration.Uid] = null;
        }

        foreach (var (uid, registration) in changes.Registrations.Records)
        {
            Registrations[uid] = registration;
        }
    }
}

/// <summary>A job that leaves for the archive.</summary>
/// <param name="Job">As it ended.</param>
/// <param name="Attempts">The attempts that go with it.</param>
internal sealed record ArchivedJob(JobRecord Job, IReadOnlyList<Fence> Attempts);
