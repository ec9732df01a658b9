using System.Globalization;

namespace Fluster.Tests;

/// <summary>What a simulation has to have in it. Each of these must occur over the seeds of a normal run, or it has silently stopped to try something.</summary>
internal enum SimulatedEvent
{
    // What breaks.
    ControllerDied,
    ControllerDiedBeforeCommit,
    ControllerDiedAfterCommit,
    ControllerDiedBeforeAnswers,
    ControllerDiedBeforeEffects,
    ControllerPaused,
    CommitWasSlow,
    CommitFoundNoRoom,
    WorkerDied,
    WorkerPaused,
    PowerLost,
    LinkCut,
    WorkerCutOff,
    AllWorkersCutOff,
    FramesLost,
    FramesOutlivedTheirLink,
    ClockSetBack,
    ClockSetForward,
    WorkerDiskWasSlow,
    StartNotRecorded,
    PlanWasSlow,
    CallRepeated,
    StrangerRefused,
    OlderControllerRefused,
    AttemptUnkillable,

    // What the rules had to deal with.
    WorkerSuspected,
    WorkerLost,
    MassSilence,
    WorkerCameBack,
    WorkerRestarted,
    WorkerQuarantined,
    WorkerDrained,
    WorkerDrainedNow,
    DrainedWorkerLeft,
    AttemptSuperseded,
    LateReport,
    PlacementWasStale,
    GangPlaced,
    GangPlacedAgain,
    GangPlacedAfterLoss,
    GangDecisionWasStale,
    GangFell,
    ExclusiveTriedAgain,
    ExclusiveTriedAgainAfterLoss,
    ExclusiveKilledUnheard,
    FailureCounted,
    LossCounted,
    FreeRetryCounted,
    SchedulingTimedOut,
    ExecutionTimedOut,
    Preempted,
    SubmitRepeated,
    JobStopped,
    JobsStoppedByPrefix,
    TombstoneMade,
    TombstoneRefusedJob,
    ChildSubmitted,
    ChildOfSameNameAgain,
    ChildStoppedWithParent,
    EndpointRegistered,
    EndpointUnregistered,
    EndpointEndedWithAttempt,
    EndpointEndedWithRegistration,
    RegistrationOpened,
    RegistrationOpenedAgain,
    RegistrationClosed,
    RegistrationLost,
    RegistrationRefusedAfterEnd,
    TokensRevoked,
    WorkersAdopted,
}

/// <summary>How often each of them occurred.</summary>
internal sealed class SimulationFigures
{
    private static readonly SimulatedEvent[] s_all = Enum.GetValues<SimulatedEvent>();

    private readonly long[] _counts = new long[s_all.Length];
    private readonly Lock _gate = new();

    public long Steps { get; private set; }

    /// <summary>What did not occur at all.</summary>
    public IEnumerable<SimulatedEvent> Missing => s_all.Where(what => _counts[(int)what] == 0);

    public void Count(SimulatedEvent what) => _counts[(int)what]++;

    /// <summary>Takes in those of one run. Called from several threads.</summary>
    public void Add(SimulationFigures run, long steps)
    {
        lock (_gate)
        {
            Steps += steps;
            for (var i = 0; i < _counts.Length; i++)
            {
                _counts[i] += run._counts[i];
            }
        }
    }

    public override string ToString() => string.Join('\n', s_all.Select(what => string.Create(CultureInfo.InvariantCulture, $"{_counts[(int)what],9:n0}  {what}")));
}
