using Fluster.Cluster;
using Fluster.Controller;
using WorkerState = Fluster.Controller.WorkerState;

namespace Fluster.Tests;

/// <summary>Counts what steps had to deal with, from their inputs and what they changed.</summary>
internal sealed class StepCounts(SimulationFigures figures)
{
    public void Count(ClusterView view, ClusterInput input, StepResult result)
    {
        CountInput(view, input, result);
        foreach (var (uid, task) in result.Changes.Tasks.Records)
        {
            var before = view.Task(uid);
            If(task.Failures > (before?.Failures ?? 0), SimulatedEvent.FailureCounted);
            If(task.Losses > (before?.Losses ?? 0), SimulatedEvent.LossCounted);
            If(task.FreeInARow > (before?.FreeInARow ?? 0), SimulatedEvent.FreeRetryCounted);
        }

        foreach (var (uid, attempt) in result.Changes.Attempts.Records)
        {
            var before = view.Attempt(uid);
            If(before is { StopCause: null } && attempt.StopCause == KillCause.Gang, SimulatedEvent.GangFell);
            If(before is { IsLive: true } && attempt.Failure is { Kind: FailureKind.Timeout }, SimulatedEvent.ExecutionTimedOut);
        }

        foreach (var (uid, job) in result.Changes.Jobs.Records)
        {
            var before = view.Job(uid);
            If(before is { IsLive: true } && job.State == JobState.Unschedulable, SimulatedEvent.SchedulingTimedOut);
            If(before is { StopCause: not KillCause.Parent } && job.StopCause == KillCause.Parent, SimulatedEvent.ChildStoppedWithParent);
            If(before is null && job.ParentUid > 0, SimulatedEvent.ChildSubmitted);
            If(before is null && job.Generation > 1, SimulatedEvent.ChildOfSameNameAgain);
        }

        foreach (var (uid, worker) in result.Changes.Workers.Records)
        {
            var before = view.Worker(uid);
            If(before is { State: WorkerState.Alive } && worker.State == WorkerState.Suspect, SimulatedEvent.WorkerSuspected);
            If(before is { State: not WorkerState.Lost } && worker.State == WorkerState.Lost, SimulatedEvent.WorkerLost);
            If(before is { State: WorkerState.Lost } && worker.State == WorkerState.Alive, SimulatedEvent.WorkerCameBack);
            If(before is not null && worker.Incarnation > before.Incarnation, SimulatedEvent.WorkerRestarted);
            If(before is not null && worker.Quarantines > before.Quarantines, SimulatedEvent.WorkerQuarantined);
        }

        foreach (var removed in input is ClusterInput.UnregisterEndpoint ? [] : result.Changes.RemovedEndpoints)
        {
            figures.Count(removed.Owner.Registration is null ? SimulatedEvent.EndpointEndedWithAttempt : SimulatedEvent.EndpointEndedWithRegistration);
        }
    }

    private void CountInput(ClusterView view, ClusterInput input, StepResult result)
    {
        var changed = !result.Changes.IsEmpty;
        switch (input)
        {
            case ClusterInput.SubmitJob submit:
                If(result.Existed, SimulatedEvent.SubmitRepeated);
                If(result.Rejection is not null && view.FindTombstone(submit.Id) is not null, SimulatedEvent.TombstoneRefusedJob);
                break;
            case ClusterInput.TerminateJob:
                If(changed, SimulatedEvent.JobStopped);
                break;
            case ClusterInput.StopWithin:
                If(changed, SimulatedEvent.JobsStoppedByPrefix);
                break;
            case ClusterInput.TerminateUnknown:
                If(result.Changes.Tombstones.Count > 0, SimulatedEvent.TombstoneMade);
                break;
            case ClusterInput.Place:
                If(!changed, SimulatedEvent.PlacementWasStale);
                break;
            case ClusterInput.PlaceGang:
                figures.Count(changed ? SimulatedEvent.GangPlaced : SimulatedEvent.GangDecisionWasStale);
                break;
            case ClusterInput.Preempt:
                If(changed, SimulatedEvent.Preempted);
                break;
            case ClusterInput.Observe observe:
                If(result.Rejection is null && observe.Seen.Any(seen => view.Attempt(seen.Fence.Counter) is not { IsLive: true }), SimulatedEvent.LateReport);
                break;
            case ClusterInput.DrainWorker drain:
                If(changed, drain.Now ? SimulatedEvent.WorkerDrainedNow : SimulatedEvent.WorkerDrained);
                break;
            case ClusterInput.RegisterEndpoint:
                If(changed, SimulatedEvent.EndpointRegistered);
                break;
            case ClusterInput.UnregisterEndpoint:
                If(changed, SimulatedEvent.EndpointUnregistered);
                break;
            case ClusterInput.OpenRegistration:
                If(result.Rejection is null, result.Existed ? SimulatedEvent.RegistrationOpenedAgain : SimulatedEvent.RegistrationOpened);
                break;
            case ClusterInput.EndRegistration end:
                If(changed, end.Lost ? SimulatedEvent.RegistrationLost : SimulatedEvent.RegistrationClosed);
                break;
            case ClusterInput.RevokeTokens:
                If(changed, SimulatedEvent.TokensRevoked);
                break;
            case ClusterInput.AdoptWorkers:
                If(changed, SimulatedEvent.WorkersAdopted);
                break;
        }
    }

    private void If(bool condition, SimulatedEvent what)
    {
        if (condition)
        {
            figures.Count(what);
        }
    }
}
