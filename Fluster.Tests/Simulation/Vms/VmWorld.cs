namespace Fluster.Tests;

/// <summary>Mistakes that the simulation of machines must find.</summary>
internal enum PlantedVmBug
{
    None,

    /// <summary>Each try at a create is a new request: a cloud cannot know that it is the same machine.</summary>
    CreateRepeatedAsAnother,

    /// <summary>The record goes when the removal is begun.</summary>
    ForgottenBeforeItIsGone,

    /// <summary>What a partial list leaves out is taken to be gone.</summary>
    PartialListReadAsComplete,

    /// <summary>What has no record is removed when it is first seen.</summary>
    OrphanAtFirstSight,
}

/// <summary>What a simulation of machines has to have in it.</summary>
internal enum VmOccasion
{
    CreateRefused,
    CreateLost,
    CreateAnswerLost,
    CreateArrivedLate,
    CreateFailedLater,
    CreateRepeated,
    MachineHung,
    MachineDied,
    MachinePreempted,
    WorkerDied,
    MachineCutOff,
    DeleteFailed,
    DeleteAnswerLost,
    ListWasPartial,
    NoList,
    OrphanRemoved,
    ControllerDied,
    ControllerDiedInCommit,
    ControllerDiedInMidCreate,
    TokenShownAgain,
    MachineReady,
    MachineCondemned,
    MachineReleasedIdle,
    BootTimedOut,
    Blocked,
    SlicePlaced,
    SliceLost,
    GangPlaced,
    AttemptLostWithItsMachine,
}

/// <summary>
/// A controller with machines of a cloud, in one thread: the real loop, rules, scheduler, planner and orphan rule over simulated time, calls, machines and workers.
/// Everything follows from the seed.
/// </summary>
internal sealed class VmWorld : IDisposable
{
    /// <summary>Milliseconds in which things break.</summary>
    private const long Troubled = 150_000;

    /// <summary>And in which everything must have come to rest, orphans included.</summary>
    private const long LongestSettling = 3_600_000;

    private const long MostSteps = 200_000;

    private readonly PriorityQueue<(Action Act, string What), (long Time, long Order)> _pending = new();
    private readonly long[] _occasions = new long[Enum.GetValues<VmOccasion>().Length];
    private long _order;

    public VmWorld(ulong seed, PlantedVmBug bug, bool traced)
    {
        (Bug, Dice, Trace) = (bug, new SimulationDice(seed), new SimulationTrace(traced));
        Cloud = new SimulatedCloud(this);
        Controller = new VmWorldController(this);
        Jobs = new VmWorldJobs(this);
        Checks = new VmWorldChecks(this);
    }

    public PlantedVmBug Bug { get; }

    public SimulationDice Dice { get; }

    public SimulatedTime Time { get; } = new();

    public SimulationTrace Trace { get; }

    public SimulatedCloud Cloud { get; }

    public VmWorldController Controller { get; }

    public VmWorldJobs Jobs { get; }

    public VmWorldChecks Checks { get; }

    public long Steps { get; private set; }

    public bool IsTroubled => Time.Now < Troubled;

    public IReadOnlyList<long> Occasions => _occasions;

    public void Count(VmOccasion what) => _occasions[(int)what]++;

    /// <summary>True so many times in a hundred while things break.</summary>
    public bool Trouble(int percent) => IsTroubled && Dice.Chance(percent);

    public int Latency() => Trouble(5) ? Dice.Between(500, 8_000) : Dice.Between(1, 300);

    public void After(long delay, string what, Action act) => _pending.Enqueue((act, what), (Time.Now + delay, _order++));

    public void Run()
    {
        Controller.Start();
        Jobs.Begin();
        After(Dice.Roll(20_000), "all is well", BreakSomething);
        while (IsTroubled || !Checks.IsQuiet)
        {
            if (Time.Now > Troubled + LongestSettling || Steps > MostSteps)
            {
                throw new InvariantViolatedException(Checks.WhyNotQuiet());
            }

            var (act, what) = _pending.TryDequeue(out var next, out var when) ? next : throw new InvariantViolatedException("Nothing will ever happen again.");
            Time.Now = Math.Max(Time.Now, when.Time);
            Trace.Step(++Steps, Time.Now, what);
            act();
        }
    }

    public void Dispose() => Controller.Dispose();

    private void BreakSomething()
    {
        if (!IsTroubled)
        {
            return;
        }

        switch (Dice.Roll(9))
        {
            case 0:
                Controller.Crash();
                break;
            case 1 or 2:
                Controller.CrashInCommit(Dice.Chance(50));
                break;
            case 3:
                Cloud.Any()?.Die(preempted: false);
                break;
            case 4:
                Cloud.Any()?.Die(preempted: true);
                break;
            case 5 or 6:
                Cloud.Any()?.KillWorker();
                break;
            default:
                Cloud.Any()?.CutOff(Dice.Between(3_000, 60_000));
                break;
        }

        After(Dice.Between(500, 25_000), "all is well for a while", BreakSomething);
    }
}
