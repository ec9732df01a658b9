using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>One step in the making: what it has changed so far, over the view that it started from.</summary>
internal sealed class StepDraft(ClusterView view, ClusterNow now)
{
    private readonly ClusterChanges _changes = new();
    private List<ClusterEffect>? _effects;
    private HashSet<ClusterEffect>? _seen;

    public ClusterView View { get; } = view;

    public ClusterNow Now { get; } = now;

    /// <summary>Jobs stopped and attempts ended so far: a step that has done much leaves the rest to a following one.</summary>
    public int Work { get; set; }

    public ClusterMeta Meta
    {
        get => _changes.Meta ?? View.Meta;
        set => _changes.Meta = value;
    }

    public JobRecord? FindJob(long uid) => _changes.Jobs.Find(uid) ?? View.Job(uid);

    public JobRecord Job(long uid) => FindJob(uid) ?? throw new UnreachableException($"There is no job {uid}.");

    public TaskRecord? FindTask(JobRecord job, int index) => _changes.Tasks.Find(job.FirstTask + index) ?? View.Task(job.FirstTask + index);

    public AttemptRecord? FindAttempt(Fence fence) =>
        (_changes.Attempts.Find(fence.Counter) ?? View.Attempt(fence.Counter)) is { } attempt && attempt.Fence == fence ? attempt : null;

    public WorkerRecord? FindWorker(long uid) => _changes.Workers.Find(uid) ?? View.Worker(uid);

    public VmRecord? FindVm(long uid) => _changes.Vms.Find(uid) ?? View.Vm(uid);

    /// <summary>The machines of which the step has changed a worker; null: none.</summary>
    public SortedSet<long>? TouchedVms()
    {
        SortedSet<long>? touched = null;
        foreach (var (_, worker) in _changes.Workers.Records)
        {
            if (worker.VmUid != 0)
            {
                (touched ??= []).Add(worker.VmUid);
            }
        }

        return touched;
    }

    public void Put(JobRecord job) => _changes.Jobs.Put(job.Uid, job);

    public void Put(TaskRecord task) => _changes.Tasks.Put(task.Uid, task);

    public void Put(AttemptRecord attempt) => _changes.Attempts.Put(attempt.Uid, attempt);

    public void Put(WorkerRecord worker) => _changes.Workers.Put(worker.Uid, worker);

    public void Add(EndpointRecord endpoint)
    {
        Meta = Meta with { NextEndpoint = Meta.NextEndpoint + 1, EndpointVersion = Meta.EndpointVersion + 1 };
        _changes.Endpoints.Put(endpoint.Uid, endpoint);
        _changes.Actions.Add(ActionRules.Of(ActionKinds.EndpointRegistered, endpoint, Now));
    }

    /// <param name="endpoint">Which one.</param>
    /// <param name="why">The action that the log shows.</param>
    public void Remove(EndpointRecord endpoint, string why)
    {
        _changes.Actions.Add(ActionRules.Of(why, endpoint, Now));
        Meta = Meta with { EndpointVersion = Meta.EndpointVersion + 1 };
        _changes.RemovedEndpoints.Add(endpoint);
    }

    public void Put(TombstoneRecord tombstone) => _changes.Tombstones.Put(tombstone.Uid, tombstone);

    public void Remove(TombstoneRecord tombstone) => _changes.RemovedTombstones.Add(tombstone);

    public void Archive(JobRecord job) => _changes.ArchivedJobs.Add(job);

    public RegistrationRecord? FindRegistration(long uid) => _changes.Registrations.Find(uid) ?? View.Registration(uid);

    public void Put(RegistrationRecord registration) => _changes.Registrations.Put(registration.Uid, registration);

    public void Remove(RegistrationRecord registration) => _changes.RemovedRegistrations.Add(registration);

    public void Remove(WorkerRecord worker) => _changes.RemovedWorkers.Add(worker);

    public void Put(VmRecord vm) => _changes.Vms.Put(vm.Uid, vm);

    public void Remove(VmRecord vm) => _changes.RemovedVms.Add(vm);

    /// <summary>A block as the step leaves it; they are few.</summary>
    public VmBlockRecord? FindVmBlock(Func<VmBlockRecord, bool> wanted)
    {
        foreach (var (_, block) in _changes.VmBlocks.Records)
        {
            if (wanted(block))
            {
                return block;
            }
        }

        return View.VmBlocks.FirstOrDefault(wanted);
    }

    public void Put(VmBlockRecord block) => _changes.VmBlocks.Put(block.Uid, block);

    public void Remove(VmBlockRecord block) => _changes.RemovedVmBlocks.Add(block);

    public void Effect(ClusterEffect effect)
    {
        _effects ??= [];
        _seen ??= [];
        if (_seen.Add(effect))
        {
            _effects.Add(effect);
        }
    }

    public StepResult Accepted(long subject = 0, bool existed = false)
    {
        VmRules.AfterStep(this);
        foreach (var (uid, job) in _changes.Jobs.Records)
        {
            ActionRules.Note(_changes.Actions, View.Job(uid), job, Now);
        }

        foreach (var (uid, worker) in _changes.Workers.Records)
        {
            ActionRules.Note(_changes.Actions, View.Worker(uid), worker, Now);
        }

        foreach (var (uid, vm) in _changes.Vms.Records)
        {
            ActionRules.Note(_changes.Actions, View.Vm(uid), vm, Now);
        }

        foreach (var vm in _changes.RemovedVms)
        {
            _changes.Actions.Add(ActionRules.Of(ActionKinds.VmGone, vm, Now));
        }

        return new(_changes, _effects ?? (IReadOnlyList<ClusterEffect>)[], null, subject, existed);
    }

    public static StepResult Rejected(RejectionKind kind, string message) => new(new ClusterChanges(), [], new Rejection(kind, message));
}
