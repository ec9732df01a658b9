using System.Diagnostics;
using Fluster.Cluster;
using Fluster.Controller;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;
using WorkerEvent = Fluster.Worker.WorkerEvent;

namespace Fluster.Tests;

/// <summary>
/// A machine with a worker on it: the real <see cref="AttemptSupervisor"/>, start journal format and recovery. Its disk and the programs of its
/// attempts outlive the worker's process.
/// </summary>
internal sealed class SimulatedWorker(SimulatedWorld world, string id) : SimulatedActor
{
    private static readonly TimeSpan s_reportInterval = TimeSpan.FromSeconds(2);

    // On the disk.
    private readonly List<byte> _journal = [];
    private readonly Dictionary<Fence, V1.AttemptOutcome> _outcomes = [];
    private int _flushed;
    private ClusterIdentity? _remembered;
    private ulong _incarnation;
    private long _links;

    // In the process.
    private readonly Dictionary<Fence, SimulatedProgram> _running = [];
    private AttemptSupervisor? _supervisor;
    private SimulatedLink? _link;
    private long _retryDelay = 100;
    private TimeSpan _tickAt = TimeSpan.MaxValue;

    public static WorkerTraits Traits { get; } = new()
    {
        Capacity = new ResourceShape { CpuMillis = 3_000, MemoryBytes = 1L << 30, Gpus = 2, GpuVariant = "h100" },
        MaxConcurrentJobs = 4,
    };

    public string Id => id;

    /// <summary>The programs that run on this machine.</summary>
    public SortedDictionary<Fence, SimulatedProgram> Programs { get; } = [];

    /// <summary>When a frame that counts last reached the controller.</summary>
    public long HeardAt { get; set; }

    /// <summary>The same as of the controller's present pass.</summary>
    public long HeardBeforePass { get; set; }

    /// <summary>Until then no connection can be made.</summary>
    public long PartitionedUntil { get; set; }

    /// <summary>Until then no attempt can be prepared: its runtime does not work.</summary>
    public long BrokenUntil { get; set; }

    /// <summary>Starts that its disk will refuse.</summary>
    public int RefuseStarts { get; set; }

    /// <summary>Milliseconds that its disk takes for the next thing.</summary>
    public int SlowDisk { get; set; }

    public bool IsIdle => _supervisor is { Held.Count: 0, IsLinked: true } && Programs.Count == 0;

    public string Describe() => $"{id}: {Programs.Count} programs, {(_supervisor is null ? "down" : $"holds {string.Join(' ', _supervisor.Held.Select(held => $"{held.Fence.Epoch}.{held.Fence.Counter} {held.Phase}"))}")}";

    /// <summary>Sweeps what an earlier run left, then begins.</summary>
    public void Start()
    {
        if (Programs.Count > 0)
        {
            KillPrograms(100);
            world.After(200, this, "a worker sweeps", Start);
            return;
        }

        var (started, forgotten) = StartJournal.Read(_journal.ToArray());
        _incarnation = Math.Max(_incarnation + 1, (ulong)world.Time.GetUtcNow().ToUnixTimeMilliseconds());
        world.Trace.Note($"{id} starts as {(long)_incarnation}: {started.Count} started, {forgotten.Count} forgotten, {_outcomes.Count} outcomes");
        _supervisor = new AttemptSupervisor(_remembered, forgotten, world.Time.GetUtcNow);
        _retryDelay = 100;
        Handle(new WorkerEvent.Recovered(AttemptSpool.ToReport(started, forgotten, _outcomes, _ => new V1.LogTotals())));
        Connect();
    }

    /// <summary>The worker's process is killed. Its guard ends the programs within 5 s; the worker is started again some time.</summary>
    public void Die()
    {
        if (_supervisor is null)
        {
            return;
        }

        world.Trace.Note($"{id} dies");
        world.Figures.Count(SimulatedEvent.WorkerDied);
        EndProcess();
        KillPrograms(5_000);
        world.After(world.Dice.Between(20, 9_000), this, "a worker is started again", Start);
    }

    /// <summary>The machine loses power: nothing runs any more, and what was not flushed may be gone.</summary>
    public void LosePower()
    {
        world.Trace.Note($"{id} loses power");
        world.Figures.Count(SimulatedEvent.PowerLost);
        var kept = _flushed + world.Dice.Roll(_journal.Count - _flushed + 1);
        _journal.RemoveRange(kept, _journal.Count - kept);
        foreach (var program in Programs.Values.ToList())
        {
            program.Vanish();
        }

        EndProcess();
        world.After(world.Dice.Chance(85) ? world.Dice.Between(1_000, 12_000) : world.Dice.Between(20_000, 150_000), this, "a machine is up again", Start);
    }

    public void CutLink() => _link?.Cut();

    public void Welcomed(SimulatedLink link, string clusterId, long epoch)
    {
        if (link == _link)
        {
            _retryDelay = 100;
            Handle(new WorkerEvent.LinkOpened(new ClusterIdentity(clusterId, epoch), s_reportInterval));
        }
    }

    public void Desired(SimulatedLink link, V1.Desired frame)
    {
        if (link == _link)
        {
            if (frame.Superseded.Count > 0)
            {
                world.Figures.Count(SimulatedEvent.AttemptSuperseded);
            }

            Handle(new WorkerEvent.DesiredArrived(frame));
        }
    }

    /// <summary>The runtime has something to say of an attempt of this process.</summary>
    public void Post(SimulatedProgram program, WorkerEvent workerEvent)
    {
        if (_running.GetValueOrDefault(program.Fence) == program)
        {
            world.After(world.Dice.Roll(3), this, "the runtime tells", () => Handle(workerEvent));
        }
    }

    /// <summary>It was drained. Somebody starts it again some time.</summary>
    private void Leave()
    {
        world.Checks.Left(this);
        world.Trace.Note($"{id} has nothing left to do, and ends");
        world.Figures.Count(SimulatedEvent.DrainedWorkerLeft);
        EndProcess();
        world.After(world.Dice.Between(500, 12_000), this, "a drained worker is started again", Start);
    }

    private void EndProcess()
    {
        _supervisor = null;
        _running.Clear();
        _tickAt = TimeSpan.MaxValue;
        _link?.CloseFromWorker();
        _link = null;
        EndLife();
    }

    private void KillPrograms(int within)
    {
        foreach (var program in Programs.Values)
        {
            program.Kill(world.Dice.Roll(within));
        }
    }

    private void Connect()
    {
        if (_link is not null)
        {
            return;
        }

        if (!world.Controller.IsUp || PartitionedUntil > world.Time.Now)
        {
            ConnectLater();
            return;
        }

        if (world.Stranger.IsThere)
        {
            MeetStranger();
            return;
        }

        var link = OpenLink();
        world.Controller.Accept(link);
        var hello = new V1.WorkerHello
        {
            WorkerId = id,
            Incarnation = _incarnation,
            Link = ++_links,
            ClusterId = _supervisor!.Cluster?.ClusterId ?? "",
            Epoch = _supervisor.Cluster?.Epoch ?? 0,
        };
        hello.Holdings.AddRange(_supervisor.Holdings);
        world.Trace.Note($"{id} says Hello as {(long)_incarnation} with {hello.Holdings.Count} attempts");
        link.SendUp("a Hello arrives", () => world.Controller.Greet(link, this, hello));
    }

    private SimulatedLink OpenLink()
    {
        var link = _link = new SimulatedLink(world, this, world.Controller);
        link.ClosedAtWorker = () =>
        {
            _link = null;
            Handle(new WorkerEvent.LinkClosed());
            ConnectLater();
        };
        return link;
    }

    /// <summary>The stranger welcomes the worker and says that it is to hold nothing. A worker that knows no cluster yet waits.</summary>
    private void MeetStranger()
    {
        if (_supervisor!.Cluster is not { } known)
        {
            ConnectLater();
            return;
        }

        var identity = world.Stranger.Identity(known);
        var link = OpenLink();
        link.SendDown("a stranger's welcome arrives", () =>
        {
            var held = _supervisor!.Held.ToList();
            Handle(new WorkerEvent.LinkOpened(identity, s_reportInterval));
            Handle(new WorkerEvent.DesiredArrived(SimulatedStranger.Nothing()));
            SimulationChecks.MetStranger(this, _supervisor!, known, held);
        });
    }

    private void ConnectLater()
    {
        world.After(_retryDelay / 2 + world.Dice.Roll((int)_retryDelay), this, "connects", Connect, () => _link is null);
        _retryDelay = Math.Min(5_000, _retryDelay * 2);
    }

    private void Handle(WorkerEvent workerEvent)
    {
        if (_supervisor is null)
        {
            return;
        }

        foreach (var output in _supervisor.Handle(workerEvent, world.Time.Monotonic))
        {
            Execute(output);
        }

        world.Checks.Supervised(this, _supervisor);
        if (_supervisor.NextDue is { } due && due < _tickAt)
        {
            _tickAt = due;
            world.After(Math.Max(0, (long)Math.Ceiling(due.TotalMilliseconds) - world.Time.Now), this, "tick of a worker", () =>
            {
                _tickAt = TimeSpan.MaxValue;
                Handle(new WorkerEvent.Tick());
            }, () => _tickAt == due);
        }
    }

    private void Execute(WorkerOutput output)
    {
        switch (output)
        {
            case WorkerOutput.RecordStart(var fence, _):
                RecordStart(fence);
                break;
            case WorkerOutput.Start(var fence, var spec):
                world.Trace.Note($"{id} starts {fence} of {spec.JobId}");
                world.Checks.Started(fence);
                var program = _running[fence] = new SimulatedProgram(world, this, fence, world.Clients.PlanOf(spec));
                world.After(program.Plan.PrepareTime, this, "an attempt is prepared", program.Prepared);
                break;
            case WorkerOutput.Terminate(var fence):
                _running.GetValueOrDefault(fence)?.Terminate();
                break;
            case WorkerOutput.Kill(var fence):
                if (_supervisor!.Held.First(held => held.Fence == fence).Stop is StopReason.Unheard)
                {
                    world.Figures.Count(SimulatedEvent.ExclusiveKilledUnheard);
                }

                _running.GetValueOrDefault(fence)?.Kill(world.Dice.Chance(3) ? 8_000 : world.Dice.Roll(200));
                break;
            case WorkerOutput.StoreOutcome(var fence, var outcome):
                world.Trace.Note($"{id}: {fence} has ended: {(outcome.Succeeded ? "succeeded" : outcome.Failure.Message)}");
                AfterDisk("an outcome is stored", () =>
                {
                    _outcomes[fence] = outcome;
                    Handle(new WorkerEvent.OutcomeStored(fence));
                });
                break;
            case WorkerOutput.Forget(var fence):
                _running.Remove(fence);
                _journal.AddRange(StartJournal.ForgetRecord(fence));
                _outcomes.Remove(fence);
                break;
            case WorkerOutput.Send(var frame):
                Send(frame);
                break;
            case WorkerOutput.RememberCluster(var cluster):
                _remembered = cluster;
                break;
            case WorkerOutput.RefuseLink:
                world.Trace.Note($"{id} refuses the controller");
                _retryDelay = 5_000;
                _link?.CloseFromWorker();
                break;
            case WorkerOutput.Leave:
                world.After(1, this, "a drained worker ends", Leave);
                break;
            default:
                throw new UnreachableException($"{output}");
        }
    }

    private void RecordStart(Fence fence)
    {
        if (RefuseStarts > 0)
        {
            RefuseStarts--;
            world.Figures.Count(SimulatedEvent.StartNotRecorded);
            AfterDisk("the disk refuses a start", () => Handle(new WorkerEvent.StartNotRecorded(fence, "simulated")));
            return;
        }

        _journal.AddRange(StartJournal.StartRecord(fence));
        var length = _journal.Count;
        AfterDisk("a start is recorded", () =>
        {
            _flushed = Math.Max(_flushed, length);
            Handle(new WorkerEvent.StartRecorded(fence));
        });
    }

    private void Send(V1.Observed frame)
    {
        if (_link is not { } link)
        {
            return;
        }

        world.Trace.Note($"{id} reports version {frame.AppliedVersion}: {frame.Attempts.Count} attempts{(frame.Complete ? ", complete" : "")}");
        link.SendUp("a report arrives", () => link.Arrived(frame));
        world.After(world.Dice.Roll(4), this, "the link is ready", () => Handle(new WorkerEvent.LinkReady()), () => _link == link);
    }

    private void AfterDisk(string what, Action act)
    {
        if (SlowDisk > 0)
        {
            world.Figures.Count(SimulatedEvent.WorkerDiskWasSlow);
        }

        var time = SlowDisk + world.Dice.Roll(5);
        SlowDisk = 0;
        world.After(time, this, what, act);
    }
}
