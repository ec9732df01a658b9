using Fluster.Controller;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// The process of the controller: the real <see cref="ClusterLoop"/> (its passes), <see cref="Scheduler"/>, <see cref="OwedEffects"/> and desired
/// sets. What is simulated here is what threads and RPCs do around them.
/// </summary>
internal sealed class SimulatedController(SimulatedWorld world) : SimulatedActor, ICommitListener, IDisposable
{
    public static LeaseSettings Leases { get; } = new(SuspectAfter: 8, LostAfter: 20, RegistrationLostAfter: 10);

    private readonly Dictionary<long, SimulatedConnection> _connections = [];
    private readonly List<Waiting> _waiting = [];
    private readonly List<SimulatedLink> _links = [];
    private HashSet<long> _changedJobs = [];
    private ClusterLoop? _loop;
    private Scheduler? _scheduler;
    private CrashPoint _crashAt;
    private bool _inPass;
    private bool _putMeanwhile;
    private long _passAt;
    private bool _planIsPlanned;
    private bool _planIsUnderWay;
    private long _version;

    public SimulatedDisk Disk { get; } = new(world);

    /// <summary>When the loop began its present or last pass.</summary>
    public long PassBegan { get; private set; }

    /// <summary>Milliseconds that the scheduler's thread takes for its next plan that places something.</summary>
    public int SlowPlanning { get; set; }

    public bool IsUp => _loop is not null;

    public ClusterLoop Loop => _loop!;

    public void Start()
    {
        world.Checks.BeforeRestart();
        var state = Disk.Open();
        world.Trace.Note($"the controller starts: epoch {state.Meta.Epoch}, {state.Jobs.Count} jobs");
        _loop = new ClusterLoop(
            state, new JobDirectory(), Disk, Leases, world.Time, exception => throw exception, NullLogger<ClusterLoop>.Instance,
            world.Checks.Steps.Around(PlantedRules.For(world.Bug) ?? ClusterMachine.Step));
        _loop.Prepare(StartEffect, this);
        _scheduler = new Scheduler(state, world.Preempts);
        _changedJobs = [];
        (_inPass, _passAt, _planIsPlanned, _planIsUnderWay, _version) = (false, long.MaxValue, false, false, 0);
        world.Checks.Restarted(state);
        DoOwed();
        PlanPass(0);
        PlanPlacing(0);
    }

    /// <summary>The process dies where it is.</summary>
    public void Crash()
    {
        if (_loop is null)
        {
            return;
        }

        world.Trace.Note($"the controller dies");
        world.Figures.Count(SimulatedEvent.ControllerDied);
        var answered = _waiting.Where(waiting => waiting.Envelope.Done.IsCompleted).ToList();
        _waiting.Clear();
        foreach (var link in _links)
        {
            link.CloseFromController();
        }

        _links.Clear();
        _connections.Clear();
        _loop.Dispose();
        _loop = null;
        _crashAt = CrashPoint.None;
        EndLife();
        foreach (var waiting in answered.Where(waiting => waiting.IsCall && world.Dice.Chance(50)))
        {
            waiting.Answered(waiting.Envelope); // it was on the wire already
        }

        world.After(world.Dice.Between(50, 6_000), this, "the controller is started again", Start);
    }

    public void Dispose() => _loop?.Dispose();

    /// <summary>It will die the next time that it comes by there.</summary>
    public void CrashAt(CrashPoint point) => _crashAt = point;

    public void CrashIf(CrashPoint point)
    {
        if (_crashAt == point && _inPass)
        {
            world.Figures.Count(SimulatedEvent.ControllerDiedBeforeCommit + (point - CrashPoint.BeforeCommit));
            throw new SimulatedCrashException();
        }
    }

    /// <summary>The loop's thread waits; everybody else goes on.</summary>
    public void WaitForDisk(int milliseconds)
    {
        var life = Life;
        world.GoOnFor(milliseconds);
        if (life != Life)
        {
            throw new SimulatedCrashException();
        }
    }

    /// <summary>Brings an input to the loop.</summary>
    /// <param name="input">The input.</param>
    /// <param name="answered">Called once it was answered, unless the process dies before.</param>
    /// <param name="isCall">Whether the answer goes out of the process at once.</param>
    public void Put(ClusterInput input, Action<Envelope> answered, bool isCall = false)
    {
        _waiting.Add(new Waiting(Loop.Put(input), answered, isCall));
        _putMeanwhile |= _inPass;
        PlanPass(world.Dice.Roll(3));
    }

    /// <summary>A worker has opened a link; nothing came over it yet.</summary>
    public void Accept(SimulatedLink link) => _links.Add(link);

    /// <summary>A worker's Hello has come over a new link.</summary>
    public void Greet(SimulatedLink link, SimulatedWorker machine, V1.WorkerHello hello)
    {
        var meta = Loop.Current.Meta;
        if (hello.ClusterId.Length > 0 && (hello.ClusterId != meta.ClusterId || hello.Epoch > meta.Epoch))
        {
            link.CloseFromController();
            return;
        }

        var holdings = hello.Holdings.Select(OutcomeWire.ToRecord).ToList();
        machine.HeardAt = world.Time.Now;
        var input = new ClusterInput.Hello(Fluster.Cluster.WorkerId.Parse(hello.WorkerId), hello.Incarnation, SimulatedWorker.Traits, [.. holdings], hello.Link);
        Put(input, envelope =>
        {
            if (envelope.Fault is not null || envelope.Result!.Rejection is not null)
            {
                link.CloseFromController();
                return;
            }

            var connection = new SimulatedConnection(world, this, link, machine, envelope.Result.Subject, hello.Incarnation);
            connection.Greeted(holdings);
            if (_connections.Remove(connection.WorkerUid, out var older))
            {
                older.Link.CloseFromController();
            }

            _connections[connection.WorkerUid] = connection;
            connection.Begin();
            PlanPlacing(1);
        });
    }

    public void Detach(SimulatedConnection connection)
    {
        if (_connections.GetValueOrDefault(connection.WorkerUid) == connection)
        {
            _connections.Remove(connection.WorkerUid);
            PlanPlacing(1);
        }
    }

    public long NextVersion() => ++_version;

    public void OnCommitted(ClusterState state, Batch batch)
    {
        foreach (var (uid, _) in batch.Jobs)
        {
            _changedJobs.Add(uid);
        }

        foreach (var (_, task) in batch.Tasks)
        {
            _changedJobs.Add(task.JobUid);
        }

        world.Checks.AfterCommit(state);
        CrashIf(CrashPoint.BeforeAnswers);
        PlanPlacing(1);
    }

    private void StartEffect(ClusterEffect effect)
    {
        CrashIf(CrashPoint.BeforeEffects);
        if (effect is ClusterEffect.UpdateWorker update)
        {
            world.Trace.Note($"effect for worker {update.WorkerUid}");
            _connections.GetValueOrDefault(update.WorkerUid)?.Update();
        }
    }

    private void PlanPass(long delay)
    {
        var at = world.Time.Now + delay;
        if (!_inPass && at < _passAt)
        {
            _passAt = at;
            world.After(delay, this, "pass", Pass, () => _passAt == at && !_inPass);
        }
    }

    private void Pass()
    {
        var life = Life;
        _inPass = true; // while the disk is slow, others go on
        PassBegan = world.Time.Now;
        world.Checks.Registrations.PassBegins();
        foreach (var machine in world.Machines)
        {
            machine.HeardBeforePass = machine.HeardAt;
        }

        _passAt = long.MaxValue;
        try
        {
            Loop.Pass();
        }
        catch (SimulatedCrashException)
        {
            if (life == Life)
            {
                Crash();
            }

            return; // what died may be up again by now
        }

        _inPass = false;
        world.Checks.Registrations.PassEnded();
        if (Loop.MassSilence)
        {
            world.Figures.Count(SimulatedEvent.MassSilence);
        }

        foreach (var waiting in _waiting.Where(waiting => waiting.Envelope.Done.IsCompleted).ToList())
        {
            _waiting.Remove(waiting);
            world.Checks.Answered(waiting.Envelope);
            if (waiting.IsCall)
            {
                waiting.Answered(waiting.Envelope);
            }
            else
            {
                world.After(world.Dice.Roll(2), this, "goes on after its answer", () => waiting.Answered(waiting.Envelope)); // on another thread, some time
            }
        }

        PlanPass((long)Math.Ceiling(Loop.TimeToSleep().TotalMilliseconds));
        if (_putMeanwhile)
        {
            _putMeanwhile = false;
            PlanPass(0);
        }
    }

    private void PlanPlacing(long delay)
    {
        if (!_planIsPlanned)
        {
            _planIsPlanned = true;
            world.After(Math.Max(delay, 20), this, "placing", Place);
        }
    }

    /// <summary>As SchedulerService does it: never two passes under way.</summary>
    private void Place()
    {
        _planIsPlanned = false;
        if (_planIsUnderWay)
        {
            PlanPlacing(20);
            return;
        }

        var changed = _changedJobs;
        _changedJobs = [];
        var state = Loop.Current;
        _scheduler!.Update(state, changed);
        var plan = _scheduler.Plan(state, Loop.Now().Time, _connections.ContainsKey);
        if (plan.NextDue != long.MaxValue)
        {
            PlanPlacing(Math.Max(1, plan.NextDue - Loop.Now().Time));
        }

        var inputs = plan.Inputs().ToList();
        if (inputs.Count == 0)
        {
            return;
        }

        _planIsUnderWay = true; // its thread may be slow: by the time that the plan comes, the state is another
        var slow = world.Dice.Chance(10) ? world.Dice.Between(1, 3_000) : SlowPlanning;
        SlowPlanning = 0;
        if (slow > 0)
        {
            world.Figures.Count(SimulatedEvent.PlanWasSlow);
        }

        world.After(slow, this, "a plan is ready", () => Propose(inputs));
        if (slow > 0 && world.Dice.Chance(20))
        {
            world.Faults.DrainWithin(slow);
        }
    }

    private void Propose(IReadOnlyList<ClusterInput> inputs)
    {
        var open = inputs.Count;
        foreach (var input in inputs)
        {
            world.Trace.Note($"the scheduler proposes {input}");
            Put(input, envelope =>
            {
                if (envelope.Fault is not null)
                {
                    _scheduler = new Scheduler(Loop.Current, world.Preempts);
                }

                if (--open == 0)
                {
                    _planIsUnderWay = false;
                    PlanPlacing(20);
                }
            });
        }
    }

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

        world.After(10_000, this, "owed effects", DoOwed);
    }

    private readonly record struct Waiting(Envelope Envelope, Action<Envelope> Answered, bool IsCall);
}
