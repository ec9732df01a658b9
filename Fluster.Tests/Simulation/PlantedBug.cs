namespace Fluster.Tests;

/// <summary>Mistakes that the simulation must find. They live in tests only: the production rules are wrapped, not changed.</summary>
internal enum PlantedBug
{
    None,
    AnswerBeforeCommit,
    CapacityFreedAtKillRequest,
    StaleReportAccepted,
    HalfPlacedGang,
    EndpointOutlivesAttempt,
    RetryCountedTwice,
    IncompleteSetReadAsComplete,
    UnsortedEffects,
    LeaseByWallClock,
    FenceReusedAfterRestart,
    ExclusiveForgotten,
    SilentRegistrationKept,
}
