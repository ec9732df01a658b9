using System.Runtime.CompilerServices;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>The rules with one mistake in them.</summary>
internal static class PlantedRules
{
    /// <returns>Null: the rules as they are.</returns>
    public static StepRule? For(PlantedBug bug) => bug switch
    {
        PlantedBug.CapacityFreedAtKillRequest => FreeAtKillRequest,
        PlantedBug.StaleReportAccepted => AcceptStaleReports,
        PlantedBug.HalfPlacedGang => PlaceWhatFits,
        PlantedBug.EndpointOutlivesAttempt => KeepEndpoints,
        PlantedBug.RetryCountedTwice => CountRetriesTwice,
        PlantedBug.UnsortedEffects => ShuffleEffects,
        PlantedBug.ExclusiveForgotten => ForgetExclusive,
        PlantedBug.SilentRegistrationKept => KeepSilentRegistrations,
        PlantedBug.LeaseByWallClock => new WallClockLeases().Step,
        _ => null,
    };

    private static StepResult FreeAtKillRequest(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var result = ClusterMachine.Step(view, input, now);
        foreach (var (uid, attempt) in result.Changes.Attempts.Records.ToArray())
        {
            if (attempt is { StopCause: not null, Dead: false } && view.Attempt(uid) is { StopCause: null } && view.Worker(attempt.WorkerUid) is { } worker)
            {
                var shape = view.Job(attempt.JobUid)!.Terms.Shape;
                worker = result.Changes.Workers.Find(worker.Uid) ?? worker;
                result.Changes.Attempts.Put(uid, attempt with { Dead = true });
                result.Changes.Workers.Put(worker.Uid, worker with { Held = worker.Held.Remove(attempt.Fence), Used = worker.Used.Minus(shape, attempt.Gpus) });
            }
        }

        return result;
    }

    private static StepResult AcceptStaleReports(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var result = ClusterMachine.Step(view, input, now);
        foreach (var seen in input is ClusterInput.Observe observe ? observe.Seen : input is ClusterInput.Hello hello ? hello.Holdings : [])
        {
            if (result.Rejection is null && seen is { Phase: AttemptPhase.Ended, Outcome.Failure: null } && view.Attempt(seen.Fence.Counter) is { IsLive: false, State: not JobState.Succeeded } attempt)
            {
                var attempts = result.Changes.Attempts;
                attempts.Put(attempt.Uid, (attempts.Find(attempt.Uid) ?? attempt) with { State = JobState.Succeeded, Failure = null });
            }
        }

        return result;
    }

    /// <summary>A decision on a gang has become stale: those members are placed that still can be.</summary>
    private static StepResult PlaceWhatFits(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var result = ClusterMachine.Step(view, input, now);
        if (input is not ClusterInput.PlaceGang place || result.Rejection is not null || !result.Changes.IsEmpty || view.Job(place.JobUid) is not { IsLive: true, Stopping: false } job)
        {
            return result;
        }

        var draft = new StepDraft(view, now);
        for (var i = 0; i < place.Workers.Length; i++)
        {
            if (draft.FindWorker(place.Workers[i]) is { } worker && worker.TakesWork(now.Time) && worker.HasRoomFor(job.Terms.Shape)
                && Readiness.Of(draft, job, place.FirstTask + i) <= now.Time)
            {
                AttemptRules.PlaceOne(draft, draft.Job(job.Uid), place.FirstTask + i, worker);
            }
        }

        return draft.Accepted(job.Uid);
    }

    private static StepResult KeepEndpoints(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var result = ClusterMachine.Step(view, input, now);
        if (input is not ClusterInput.UnregisterEndpoint)
        {
            result.Changes.RemovedEndpoints.Clear();
        }

        return result;
    }

    private static StepResult CountRetriesTwice(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var result = ClusterMachine.Step(view, input, now);
        foreach (var (uid, task) in result.Changes.Tasks.Records.ToArray())
        {
            if (task.Failures > (view.Task(uid)?.Failures ?? 0))
            {
                result.Changes.Tasks.Put(uid, task with { Failures = task.Failures + 1 });
            }
        }

        return result;
    }

    private static StepResult ForgetExclusive(ClusterView view, ClusterInput input, ClusterNow now) =>
        ClusterMachine.Step(view, input is ClusterInput.SubmitJob submit ? submit with { Terms = submit.Terms with { Exclusive = false } } : input, now);

    private static StepResult KeepSilentRegistrations(ClusterView view, ClusterInput input, ClusterNow now) =>
        input is ClusterInput.EndRegistration { Lost: true } ? new StepDraft(view, now).Accepted() : ClusterMachine.Step(view, input, now);

    /// <summary>In the order in which a hash table of objects has them: another one in every run.</summary>
    private static StepResult ShuffleEffects(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var result = ClusterMachine.Step(view, input, now);
        return result with { Effects = [.. result.Effects.OrderBy(RuntimeHelpers.GetHashCode)] };
    }

    /// <summary>Gives a worker up when the wall clock says that it was silent for long.</summary>
    private sealed class WallClockLeases
    {
        private readonly Dictionary<long, long> _heard = [];

        public StepResult Step(ClusterView view, ClusterInput input, ClusterNow now)
        {
            if (input is ClusterInput.Observe observe)
            {
                _heard[observe.WorkerUid] = now.Wall;
                foreach (var (uid, heard) in _heard.OrderBy(pair => pair.Key))
                {
                    if (now.Wall - heard > SimulatedController.Leases.LostAfter * 1000L && view.Worker(uid) is { State: not Fluster.Controller.WorkerState.Lost } worker)
                    {
                        return ClusterMachine.Step(view, new ClusterInput.Silence(uid, worker.Incarnation, Fluster.Controller.WorkerEvent.SilentForLong), now);
                    }
                }
            }

            return ClusterMachine.Step(view, input, now);
        }
    }
}
