using Fluster.Cluster;
using Fluster.Controller;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Tests;

/// <summary>The process of a controller with a cloud: the real loop, scheduler, planner, effects and orphan rule. What is simulated here is what threads do around them.</summary>
internal sealed class VmWorldController(VmWorld world) : ICommitListener, IBatchStore, IDisposable
{
    private static readonly LeaseSettings s_leases = new(SuspectAfter: 8, LostAfter: 20);

    private readonly HashSet<long> _linked = [];
    private readonly HashSet<long> _working = [];
    private readonly HashSet<long> _again = [];
    private readonly HashSet<long> _creating = [];
    private readonly List<(Envelope Envelope, Action<StepResult> Answered)> _waiting = [];
    private HashSet<long> _changed = [];
    private HashSet<long> _changedForPlanner = [];
    private ClusterState? _durable;
    private ClusterLoop? _loop;
    private Scheduler? _scheduler;
    private VmPlanner? _planner;
    private HashSet<long> _missed = [];
    private OrphanRule _orphans = new();
    private long _passAt = long.MaxValue;
    private long _placeAt = long.MaxValue;
    private long _planAt = long.MaxValue;
    private bool _placing;
    private bool _planning;
    private bool? _crashInCommit;
    private int _names;

    public static VmSource Source { get; } = new(new ScriptedBackend
    {
        Zones = ["zone-1-a", "zone-1-b", "zone-2-a"],
        Tpus = [VmWorldJobs.Tpu],
        BootTimeout = TimeSpan.FromSeconds(60),
    })
    {
        Max = 6,
        Idle = TimeSpan.FromSeconds(20),
    };

    public int Life { get; private set; }

    public bool IsUp => _loop is not null;

    public ClusterLoop Loop => _loop!;

    public ClusterState State => _loop?.Current ?? _durable!;

    public void Start()
    {
        _durable = (_durable ?? new ClusterState { Meta = new ClusterMeta { ClusterId = "simulated", Epoch = 0 } }).AtNextStart();
        _loop = new ClusterLoop(
            _durable, new JobDirectory(), this, s_leases, world.Time, exception => throw exception, NullLogger<ClusterLoop>.Instance, world.Checks.Around(PlantedVmRules.For(world.Bug)));
        world.Checks.Restarted(_durable);
        _loop.Prepare(StartEffect, this);
        (_scheduler, _planner) = (new Scheduler(_durable), NewPlanner());
        (_changed, _changedForPlanner, _missed, _orphans, _placing, _planning) = ([], [], [], new OrphanRule(), false, false);
        _passAt = _placeAt = _planAt = long.MaxValue;
        DoOwed();
        PlanPass(0);
        PlanPlacing(0);
        PlanPlanning(0);
        InLife(30_000, "a look at the cloud", Watch);
    }

    public void Crash()
    {
        if (_loop is null)
        {
            return;
        }

        world.Trace.Note($"the controller dies");
        world.Count(VmOccasion.ControllerDied);
        if (_creating.Count > 0)
        {
            world.Count(VmOccasion.ControllerDiedInMidCreate);
        }

        Life++;
        _crashInCommit = null;
        _waiting.Clear();
        _linked.Clear();
        _working.Clear();
        _again.Clear();
        _creating.Clear();
        _loop.Dispose();
        _loop = null;
        foreach (var worker in world.Cloud.Machines.SelectMany(machine => machine.Workers))
        {
            worker.Unlink();
        }

        world.After(world.Dice.Between(50, 20_000), "the controller is started again", Start);
    }

    /// <summary>It will die in its next commit.</summary>
    /// <param name="written">When that is on the disk; else before.</param>
    public void CrashInCommit(bool written) => _crashInCommit = written;

    public void Put(ClusterInput input, Action<StepResult> answered)
    {
        if (_loop is null)
        {
            return; // nobody hears it
        }

        _waiting.Add((_loop.Put(input), answered));
        PlanPass(world.Dice.Roll(3));
    }

    public void Linked(long worker)
    {
        _linked.Add(worker);
        PlanPlacing(20);
    }

    public void Unlinked(long worker) => _linked.Remove(worker);

    public void Commit(Batch batch, ClusterMeta meta, Func<long, bool> isNew)
    {
        if (_crashInCommit == false)
        {
            throw new SimulatedCrashException();
        }

        _durable = SimulatedDisk.Folded(_durable!, batch, meta);
        if (_crashInCommit == true)
        {
            throw new SimulatedCrashException();
        }
    }

    public void OnCommitted(ClusterState state, Batch batch)
    {
        foreach (var uid in batch.Jobs.Keys.Concat(batch.Tasks.Values.Select(task => task.JobUid)))
        {
            _changed.Add(uid);
            _changedForPlanner.Add(uid);
        }

        world.Checks.AfterCommit(state, Loop.Now().Time);
        PlanPlacing(20);
        PlanPlanning(200);
    }

    public void Dispose() => _loop?.Dispose();

    private void InLife(long delay, string what, Action act)
    {
        var life = Life;
        world.After(delay, what, () =>
        {
            if (life == Life)
            {
                act();
            }
        });
    }

    private void PlanPass(long delay) => PlanAt(delay, "pass", () => _passAt, at => _passAt = at, Pass);

    private void PlanPlacing(long delay) => PlanAt(delay, "placing", () => _placeAt, at => _placeAt = at, Place);

    private void PlanPlanning(long delay) => PlanAt(delay, "planning machines", () => _planAt, at => _planAt = at, PlanMachines);

    /// <summary>Something is to be done once, at the earliest time for which it was wanted.</summary>
    private void PlanAt(long delay, string what, Func<long> planned, Action<long> plan, Action act)
    {
        var at = world.Time.Now + delay;
        if (at >= planned())
        {
            return;
        }

        plan(at);
        InLife(delay, what, () =>
        {
            if (planned() == at)
            {
                plan(long.MaxValue);
                act();
            }
        });
    }

    private void Pass()
    {
        try
        {
            Loop.Pass();
        }
        catch (SimulatedCrashException)
        {
            world.Count(VmOccasion.ControllerDiedInCommit);
            Crash();
            return;
        }

        foreach (var waiting in _waiting.Where(waiting => waiting.Envelope.Done.IsCompleted).ToList())
        {
            _waiting.Remove(waiting);
            if (waiting.Envelope.Fault is { } fault)
            {
                throw new InvariantViolatedException($"{waiting.Envelope.Input}: {fault}");
            }

            InLife(world.Dice.Roll(2), "goes on after its answer", () => waiting.Answered(waiting.Envelope.Result!));
        }

        PlanPass((long)Math.Ceiling(Loop.TimeToSleep().TotalMilliseconds));
    }

    private void Place()
    {
        if (_placing)
        {
            return;
        }

        var changed = _changed;
        _changed = [];
        _scheduler!.Update(Loop.Current, changed);
        var plan = _scheduler.Plan(Loop.Current, Loop.Now().Time, _linked.Contains);
        if (plan.NextDue != long.MaxValue)
        {
            PlanPlacing(Math.Max(1, plan.NextDue - Loop.Now().Time));
        }

        Propose([.. plan.Inputs()], () => _placing = true, () =>
        {
            _placing = false;
            PlanPlacing(20);
        });
    }

    private void PlanMachines()
    {
        if (_planning)
        {
            return;
        }

        var changed = _changedForPlanner;
        _changedForPlanner = [];
        _planner!.Update(Loop.Current, changed);
        var plan = _planner.Plan(Loop.Current, Loop.Now().Time, _ => false);
        if (plan.NextDue != long.MaxValue)
        {
            PlanPlanning(Math.Max(200, plan.NextDue - Loop.Now().Time));
        }

        Propose([.. plan.Inputs()], () => _planning = true, () =>
        {
            _planning = false;
            PlanPlanning(200);
        });
    }

    private void Propose(IReadOnlyList<ClusterInput> inputs, Action begins, Action ended)
    {
        if (inputs.Count == 0)
        {
            return;
        }

        begins();
        var open = inputs.Count;
        InLife(world.Trouble(10) ? world.Dice.Between(1, 3_000) : 0, "a plan is ready", () =>
        {
            foreach (var input in inputs)
            {
                world.Trace.Note($"proposed: {input}");
                Put(input, _ =>
                {
                    if (--open == 0)
                    {
                        ended();
                    }
                });
            }
        });
    }

    private VmPlanner NewPlanner() => new(
        _durable!, new VmOffers([Source]), _ => VmId.Parse($"vm-{++_names}"), () => new Guid(world.Dice.Roll(int.MaxValue), 1, 2, 3, 4, 5, 6, 7, 8, 9, (byte)(_names & 0xff)));

    private void DoOwed()
    {
        foreach (var effect in OwedEffects.Of(Loop.Current))
        {
            if (effect is ClusterEffect.GoOn goOn)
            {
                Put(goOn.Input, _ => { });
            }
            else
            {
                StartEffect(effect);
            }
        }

        InLife(10_000, "owed effects", DoOwed);
    }

    private void StartEffect(ClusterEffect effect)
    {
        var uid = effect switch
        {
            ClusterEffect.CreateVm create => create.VmUid,
            ClusterEffect.ReleaseVm release => release.VmUid,
            _ => 0,
        };
        if (uid != 0 && !_working.Add(uid))
        {
            _again.Add(uid);
        }
        else if (uid != 0)
        {
            InLife(0, "work on a machine", () => Work(uid));
        }
    }

    /// <summary>As VmService does it: what is to be done, the record says; one thing at a time.</summary>
    private void Work(long uid)
    {
        _again.Remove(uid);
        var life = Life;
        switch (Loop.Current.Vms.Find(uid))
        {
            case { State: VmState.Requested } vm:
                _creating.Add(uid);
                var again = world.Bug == PlantedVmBug.CreateRepeatedAsAnother;
                var request = again ? new Guid(world.Dice.Roll(int.MaxValue), 2, 2, 3, 4, 5, 6, 7, 8, 9, 0) : vm.RequestId;
                world.Cloud.Create(vm, request, again ? VmId.Parse($"vm-again-{++_names}") : vm.Id, failure =>
                {
                    if (life == Life)
                    {
                        _creating.Remove(uid);
                        Put(new ClusterInput.VmCreateEnded(uid, failure), _ => Work(uid));
                    }
                });
                break;
            case { State: VmState.Releasing } vm:
                world.Cloud.Release(vm.Id, gone =>
                {
                    if (life != Life)
                    {
                        return;
                    }

                    if (gone)
                    {
                        Put(new ClusterInput.VmReleaseEnded(uid), _ => Work(uid));
                    }
                    else
                    {
                        InLife(world.Dice.Between(2_000, 10_000), "a delete is tried again", () => Work(uid));
                    }
                });
                break;
            default:
                _working.Remove(uid);
                if (_again.Remove(uid))
                {
                    StartEffect(new ClusterEffect.CreateVm(uid));
                }

                break;
        }
    }

    /// <summary>As VmWatch does it.</summary>
    private void Watch()
    {
        InLife(30_000, "a look at the cloud", Watch);
        var (state, askedAt, life) = (Loop.Current, Loop.Now().Time, Life);
        world.Cloud.List(listing =>
        {
            if (listing is null || life != Life)
            {
                return;
            }

            foreach (var vm in state.Vms.Ascending().Where(vm => vm.IsWanted))
            {
                var info = listing.Vms.FirstOrDefault(info => info.Id == vm.Id);
                if (info is not null)
                {
                    Found(vm, info);
                }
                else if (VmFindings.IsInDoubt(state, vm))
                {
                    if (world.Bug == PlantedVmBug.PartialListReadAsComplete)
                    {
                        Found(vm, null);
                        continue;
                    }

                    world.Cloud.Get(vm.Id, (answered, one) =>
                    {
                        if (answered && life == Life)
                        {
                            Found(vm, one);
                        }
                    });
                }
            }

            var known = state.Vms.Ascending().Select(vm => vm.Id).ToHashSet();
            var orphans = world.Bug == PlantedVmBug.OrphanAtFirstSight ? listing.Vms.Where(vm => !known.Contains(vm.Id)) : _orphans.Find(listing, known.Contains, askedAt);
            foreach (var orphan in orphans)
            {
                world.Count(VmOccasion.OrphanRemoved);
                world.Checks.Orphan(orphan.Id);
                world.Cloud.Release(orphan.Id, _ => { });
            }
        });
    }

    private void Found(VmRecord vm, VmInfo? info)
    {
        var missedBefore = info is null ? !_missed.Add(vm.Uid) : _missed.Remove(vm.Uid) && false;
        if (VmFindings.Of(vm, info, missedBefore) is { } condemned)
        {
            world.Checks.Condemned(vm, condemned);
            Put(condemned, _ => { });
        }
    }
}
