using System.Collections.Immutable;

namespace Fluster.Controller;

/// <summary>Something that happens by itself when its time has come.</summary>
internal readonly record struct DueEntry(long Time, DueKind Kind, long Uid) : IComparable<DueEntry>
{
    public int CompareTo(DueEntry other)
    {
        var order = Time.CompareTo(other.Time);
        order = order != 0 ? order : Kind.CompareTo(other.Kind);
        return order != 0 ? order : Uid.CompareTo(other.Uid);
    }
}

internal enum DueKind
{
    SchedulingTimeout,
    ExecutionTimeout,
    Tombstone,
    RegistrationForgotten,
    VmBoot,
    VmBlockForgotten,
}

/// <summary>
/// The state as the writer sees it, with the indices that the rules need. <see cref="ClusterMachine"/> only reads it; whoever runs the machine
/// folds each step's changes in before the next step. Belongs to one thread.
/// </summary>
internal sealed class ClusterView
{
    private readonly JobDirectory _directory;
    private readonly Dictionary<string, long> _requests = [];
    private readonly Dictionary<long, List<long>> _liveChildren = [];
    private readonly Dictionary<WorkerId, long> _workers = [];
    private readonly Dictionary<EndpointId, EndpointRecord> _endpoints = [];
    private readonly Dictionary<EndpointOwner, Dictionary<EndpointId, EndpointRecord>> _endpointsOf = [];
    private readonly Dictionary<RegistrationId, long> _registrations = [];
    private readonly SortedSet<DueEntry> _due = [];
    private readonly Dictionary<JobId, TombstoneRecord> _tombstones = [];
    private readonly SortedSet<(long EndedAt, long Uid)> _finished = [];
    private RadixMap<JobRecord>.Builder _jobs;
    private RadixMap<TaskRecord>.Builder _tasks;
    private RadixMap<AttemptRecord>.Builder _attempts;
    private RadixMap<WorkerRecord>.Builder _workerMap;
    private EndpointTable.Builder _endpointTable;
    private RadixMap<TombstoneRecord>.Builder _tombstoneMap;
    private RadixMap<RegistrationRecord>.Builder _registrationMap;
    private readonly VmView _vms;

    public ClusterView(ClusterState state, JobDirectory directory)
    {
        _directory = directory;
        Meta = state.Meta;
        _jobs = state.Jobs.ToBuilder();
        _tasks = state.Tasks.ToBuilder();
        _attempts = state.Attempts.ToBuilder();
        _workerMap = state.Workers.ToBuilder();
        _endpointTable = state.Endpoints.ToBuilder();
        _tombstoneMap = state.Tombstones.ToBuilder();
        _registrationMap = state.Registrations.ToBuilder();
        _vms = new VmView(MoveDue);
        Rebuild(state);
    }

    public ClusterMeta Meta { get; private set; }

    /// <summary>The cluster time at which something is due; none: <see cref="long.MaxValue"/>.</summary>
    public long NextDue => _due.Count == 0 ? long.MaxValue : _due.Min.Time;

    public long LastJobUid => Meta.NextJob - 1;

    public JobRecord? Job(long uid) => _jobs.Find(uid);

    public TaskRecord? Task(long uid) => _tasks.Find(uid);

    public AttemptRecord? Attempt(long uid) => _attempts.Find(uid);

    public WorkerRecord? Worker(long uid) => _workerMap.Find(uid);

    /// <summary>The newest job with this id; 0: none.</summary>
    public long FindJob(JobId id) => _directory.Newest(id);

    /// <summary>The job that a request made; 0: none.</summary>
    public long FindRequest(string requestId) => _requests.GetValueOrDefault(requestId);

    public long FindWorker(WorkerId id) => _workers.GetValueOrDefault(id);

    public EndpointRecord? FindEndpoint(EndpointId id) => _endpoints.GetValueOrDefault(id);

    /// <summary>The mark of a job that was terminated before it was created.</summary>
    public TombstoneRecord? FindTombstone(JobId id) => _tombstones.GetValueOrDefault(id);

    public TombstoneRecord? Tombstone(long uid) => _tombstoneMap.Find(uid);

    public int TombstoneCount => _tombstones.Count;

    public TombstoneRecord? OldestTombstone => _tombstoneMap.Ascending().FirstOrDefault();

    /// <summary>The jobs that have ended, the earliest end first.</summary>
    public IEnumerable<(long EndedAt, long Uid)> Finished => _finished;

    public int FinishedCount => _finished.Count;

    /// <summary>Every attempt that a job had.</summary>
    public IReadOnlyList<Fence> AttemptsOf(JobRecord job)
    {
        var attempts = new List<Fence>();
        for (var index = 0; index < job.Terms.Replicas; index++)
        {
            attempts.AddRange(_tasks.Find(job.FirstTask + index)?.Attempts ?? []);
        }

        return attempts;
    }

    public VmRecord? Vm(long uid) => _vms.Find(uid);

    /// <summary>The machine with this name; 0: none.</summary>
    public long FindVm(VmId id) => _vms.Find(id);

    /// <summary>Machines of a backend that there are, or may be.</summary>
    public int VmsOf(string backend) => _vms.CountOf(backend);

    public VmBlockRecord? VmBlock(long uid) => _vms.Block(uid);

    /// <summary>All of them; they are few.</summary>
    public IEnumerable<VmBlockRecord> VmBlocks => _vms.Blocks;

    public RegistrationRecord? Registration(long uid) => _registrationMap.Find(uid);

    /// <summary>The registration with this id; 0: none.</summary>
    public long FindRegistration(RegistrationId id) => _registrations.GetValueOrDefault(id);

    /// <summary>The live children of a job, oldest first.</summary>
    public IReadOnlyList<long> LiveChildren(long jobUid) => _liveChildren.TryGetValue(jobUid, out var children) ? children : [];

    /// <summary>What an attempt or a registration owns, in no order.</summary>
    public IReadOnlyCollection<EndpointRecord> EndpointsOf(EndpointOwner owner) => _endpointsOf.TryGetValue(owner, out var endpoints) ? endpoints.Values : [];

    /// <summary>What is due at a time, earliest first.</summary>
    public IEnumerable<DueEntry> DueAt(long time) => _due.TakeWhile(entry => entry.Time <= time);

    /// <summary>Takes in what a step changed.</summary>
    public void Fold(ClusterChanges changes)
    {
        Meta = changes.Meta ?? Meta;
        foreach (var (uid, job) in changes.Jobs.Records)
        {
            Index(_jobs.Find(uid), job);
            _jobs.Set(uid, job);
        }

        foreach (var (uid, task) in changes.Tasks.Records)
        {
            _tasks.Set(uid, task);
        }

        foreach (var (uid, attempt) in changes.Attempts.Records)
        {
            MoveDue(DueOf(_attempts.Find(uid)), DueOf(attempt));
            _attempts.Set(uid, attempt);
        }

        foreach (var (uid, worker) in changes.Workers.Records)
        {
            _workers[worker.Id] = uid;
            _workerMap.Set(uid, worker);
        }

        foreach (var worker in changes.RemovedWorkers)
        {
            _workers.Remove(worker.Id);
            _workerMap.Remove(worker.Uid);
        }

        _vms.Fold(changes);
        foreach (var job in changes.ArchivedJobs)
        {
            Forget(job);
        }

        foreach (var tombstone in changes.RemovedTombstones)
        {
            _tombstones.Remove(tombstone.Id);
            _tombstoneMap.Remove(tombstone.Uid);
            MoveDue(DueOf(tombstone), null);
        }

        foreach (var (uid, tombstone) in changes.Tombstones.Records)
        {
            MoveDue(DueOf(_tombstoneMap.Find(uid)), DueOf(tombstone));
            _tombstones[tombstone.Id] = tombstone;
            _tombstoneMap.Set(uid, tombstone);
        }

        foreach (var endpoint in changes.RemovedEndpoints)
        {
            _endpointTable.Remove(endpoint);
            Unindex(endpoint);
        }

        foreach (var (_, endpoint) in changes.Endpoints.Records)
        {
            _endpointTable.Add(endpoint);
            Index(endpoint);
        }

        foreach (var registration in changes.RemovedRegistrations)
        {
            MoveDue(DueOf(registration), null);
            _registrations.Remove(registration.Id);
            _registrationMap.Remove(registration.Uid);
        }

        foreach (var (uid, registration) in changes.Registrations.Records)
        {
            MoveDue(DueOf(_registrationMap.Find(uid)), DueOf(registration));
            _registrations[registration.Id] = uid;
            _registrationMap.Set(uid, registration);
        }
    }

    private void Forget(JobRecord job)
    {
        foreach (var fence in AttemptsOf(job))
        {
            _attempts.Remove(fence.Counter);
        }

        for (var index = 0; index < job.Terms.Replicas; index++)
        {
            _tasks.Remove(job.FirstTask + index);
        }

        _jobs.Remove(job.Uid);
        _finished.Remove((job.EndedAt, job.Uid));
        _requests.Remove(job.RequestId);
        _directory.Remove(job);
    }

    /// <summary>The state as it is now. Later changes do not touch it.</summary>
    public ClusterState ToState() => new()
    {
        Meta = Meta,
        Jobs = _jobs.ToImmutable(),
        Tasks = _tasks.ToImmutable(),
        Attempts = _attempts.ToImmutable(),
        Workers = _workerMap.ToImmutable(),
        Endpoints = _endpointTable.ToImmutable(),
        Tombstones = _tombstoneMap.ToImmutable(),
        Registrations = _registrationMap.ToImmutable(),
        Vms = _vms.ToImmutable(),
        VmBlocks = _vms.ToImmutableBlocks(),
    };

    /// <summary>Forgets everything that was folded in since <paramref name="state"/> was published: it could not be written.</summary>
    public void Reset(ClusterState state)
    {
        Meta = state.Meta;
        _jobs = state.Jobs.ToBuilder();
        _tasks = state.Tasks.ToBuilder();
        _attempts = state.Attempts.ToBuilder();
        _workerMap = state.Workers.ToBuilder();
        _endpointTable = state.Endpoints.ToBuilder();
        _tombstoneMap = state.Tombstones.ToBuilder();
        _registrationMap = state.Registrations.ToBuilder();
        _directory.Clear();
        _requests.Clear();
        _liveChildren.Clear();
        _workers.Clear();
        _endpoints.Clear();
        _endpointsOf.Clear();
        _tombstones.Clear();
        _finished.Clear();
        _registrations.Clear();
        _due.Clear();
        Rebuild(state);
    }

    private static DueEntry? DueOf(TombstoneRecord? tombstone) => tombstone is null ? null : new DueEntry(tombstone.Until, DueKind.Tombstone, tombstone.Uid);

    private static DueEntry? DueOf(JobRecord? job) =>
        job is { IsLive: true, SchedulingDue: > 0 } ? new DueEntry(job.SchedulingDue, DueKind.SchedulingTimeout, job.Uid) : null;

    private static DueEntry? DueOf(AttemptRecord? attempt) =>
        attempt is { IsLive: true, ExecutionDue: > 0 } ? new DueEntry(attempt.ExecutionDue, DueKind.ExecutionTimeout, attempt.Uid) : null;

    private static DueEntry? DueOf(RegistrationRecord? registration) =>
        registration is { ForgetDue: > 0 } ? new DueEntry(registration.ForgetDue, DueKind.RegistrationForgotten, registration.Uid) : null;

    private void Rebuild(ClusterState state)
    {
        _vms.Reset(state);
        foreach (var job in state.Jobs.Ascending())
        {
            Index(null, job);
        }

        foreach (var attempt in state.Attempts.Ascending())
        {
            MoveDue(null, DueOf(attempt));
        }

        foreach (var worker in state.Workers.Ascending())
        {
            _workers[worker.Id] = worker.Uid;
        }

        foreach (var endpoint in state.Endpoints.All)
        {
            Index(endpoint);
        }

        foreach (var tombstone in state.Tombstones.Ascending())
        {
            _tombstones[tombstone.Id] = tombstone;
            MoveDue(null, DueOf(tombstone));
        }

        foreach (var registration in state.Registrations.Ascending())
        {
            _registrations[registration.Id] = registration.Uid;
            MoveDue(null, DueOf(registration));
        }
    }

    private void Index(JobRecord? before, JobRecord job)
    {
        if (before is null)
        {
            _directory.Add(job);
            _requests[job.RequestId] = job.Uid;
        }

        if (job.ParentUid != 0 && (before?.IsLive ?? false) != job.IsLive)
        {
            if (job.IsLive)
            {
                if (!_liveChildren.TryGetValue(job.ParentUid, out var children))
                {
                    _liveChildren[job.ParentUid] = children = [];
                }

                children.Add(job.Uid); // uids grow, so the list stays sorted
            }
            else if (_liveChildren.TryGetValue(job.ParentUid, out var children) && children.BinarySearch(job.Uid) is var place and >= 0)
            {
                children.RemoveAt(place);
                if (children.Count == 0)
                {
                    _liveChildren.Remove(job.ParentUid);
                }
            }
        }

        if (!job.IsLive && (before?.IsLive ?? true))
        {
            _finished.Add((job.EndedAt, job.Uid));
        }

        MoveDue(DueOf(before), DueOf(job));
    }

    private void Index(EndpointRecord endpoint)
    {
        _endpoints[endpoint.Id] = endpoint;
        if (!_endpointsOf.TryGetValue(endpoint.Owner, out var endpoints))
        {
            _endpointsOf[endpoint.Owner] = endpoints = [];
        }

        endpoints[endpoint.Id] = endpoint;
    }

    private void Unindex(EndpointRecord endpoint)
    {
        _endpoints.Remove(endpoint.Id);
        if (_endpointsOf.TryGetValue(endpoint.Owner, out var endpoints) && endpoints.Remove(endpoint.Id) && endpoints.Count == 0)
        {
            _endpointsOf.Remove(endpoint.Owner);
        }
    }

    private void MoveDue(DueEntry? before, DueEntry? after)
    {
        if (before == after)
        {
            return;
        }

        if (before is { } old)
        {
            _due.Remove(old);
        }

        if (after is { } due)
        {
            _due.Add(due);
        }
    }
}
