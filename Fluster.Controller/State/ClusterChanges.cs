using System.Runtime.InteropServices;

namespace Fluster.Controller;

/// <summary>The records of one kind that a step has changed, as they are after it.</summary>
internal sealed class ChangeSet<T>
    where T : class
{
    /// <summary>Up to here a walk along the list is quicker than a hash table, and most steps change one or two records.</summary>
    private const int Few = 8;

    private readonly List<KeyValuePair<long, T>> _records = [];
    private Dictionary<long, int>? _places;

    public int Count => _records.Count;

    public ReadOnlySpan<KeyValuePair<long, T>> Records => CollectionsMarshal.AsSpan(_records);

    public T? Find(long uid) => PlaceOf(uid) is var place and >= 0 ? _records[place].Value : null;

    public void Put(long uid, T record)
    {
        var place = PlaceOf(uid);
        if (place >= 0)
        {
            _records[place] = new(uid, record);
            return;
        }

        _records.Add(new(uid, record));
        if (_places is not null)
        {
            _places[uid] = _records.Count - 1;
        }
        else if (_records.Count > Few)
        {
            _places = [];
            for (var i = 0; i < _records.Count; i++)
            {
                _places[_records[i].Key] = i;
            }
        }
    }

    private int PlaceOf(long uid)
    {
        if (_places is not null)
        {
            return _places.TryGetValue(uid, out var place) ? place : -1;
        }

        for (var i = 0; i < _records.Count; i++)
        {
            if (_records[i].Key == uid)
            {
                return i;
            }
        }

        return -1;
    }
}

/// <summary>What one step changes: after-images of records.</summary>
internal sealed class ClusterChanges
{
    public ClusterMeta? Meta { get; set; }

    public ChangeSet<JobRecord> Jobs { get; } = new();

    public ChangeSet<TaskRecord> Tasks { get; } = new();

    public ChangeSet<AttemptRecord> Attempts { get; } = new();

    public ChangeSet<WorkerRecord> Workers { get; } = new();

    public ChangeSet<EndpointRecord> Endpoints { get; } = new();

    public List<EndpointRecord> RemovedEndpoints { get; } = [];

    public ChangeSet<TombstoneRecord> Tombstones { get; } = new();

    public List<TombstoneRecord> RemovedTombstones { get; } = [];

    /// <summary>Jobs that leave for the archive, as they ended; their tasks and attempts go with them.</summary>
    public List<JobRecord> ArchivedJobs { get; } = [];

    public ChangeSet<RegistrationRecord> Registrations { get; } = new();

    public List<RegistrationRecord> RemovedRegistrations { get; } = [];

    /// <summary>Workers of machines that are gone. What they held is given back before.</summary>
    public List<WorkerRecord> RemovedWorkers { get; } = [];

    public ChangeSet<VmRecord> Vms { get; } = new();

    public List<VmRecord> RemovedVms { get; } = [];

    public ChangeSet<VmBlockRecord> VmBlocks { get; } = new();

    public List<VmBlockRecord> RemovedVmBlocks { get; } = [];

    /// <summary>What the action log says of the step.</summary>
    public List<ActionRecord> Actions { get; } = [];

    public bool IsEmpty =>
        Meta is null && Jobs.Count == 0 && Tasks.Count == 0 && Attempts.Count == 0 && Workers.Count == 0 && Endpoints.Count == 0 && RemovedEndpoints.Count == 0
        && Tombstones.Count == 0 && RemovedTombstones.Count == 0 && ArchivedJobs.Count == 0 && Registrations.Count == 0 && RemovedRegistrations.Count == 0
        && RemovedWorkers.Count == 0 && Vms.Count == 0 && RemovedVms.Count == 0 && VmBlocks.Count == 0 && RemovedVmBlocks.Count == 0;
}

/// <summary>What a step comes to. A refusal has no changes and no effects.</summary>
/// <param name="Changes">Records as they are after it.</param>
/// <param name="Effects">What is to be done outside, in this order.</param>
/// <param name="Rejection">Why nothing was changed; null when the input was accepted.</param>
/// <param name="Subject">The uid of the job, worker or endpoint that the input was about; 0 when that says nothing.</param>
/// <param name="Existed">What was asked for was there already.</param>
internal sealed record StepResult(
    ClusterChanges Changes, IReadOnlyList<ClusterEffect> Effects, Rejection? Rejection = null, long Subject = 0, bool Existed = false);
