namespace Fluster.Controller;

/// <summary>Workers coming, reporting, falling silent and coming back.</summary>
internal static class WorkerRules
{
    public static StepResult Hello(StepDraft draft, ClusterInput.Hello input)
    {
        var known = draft.View.FindWorker(input.Worker) is var uid and not 0 ? draft.FindWorker(uid) : null;
        if (known is not null && input.Incarnation < known.Incarnation)
        {
            return StepDraft.Rejected(RejectionKind.FailedPrecondition, $"Worker '{input.Worker}' was started again since: this start of it no longer counts.");
        }

        if (known is not null && input.Incarnation == known.Incarnation && input.Link > 0 && input.Link <= known.Link)
        {
            // It was under way while the worker gave that link up and opened another: what has been placed since is not in it.
            return StepDraft.Rejected(RejectionKind.FailedPrecondition, $"Worker '{input.Worker}' has opened another link since: this one no longer counts.");
        }

        if (VmRules.Refuse(draft, input, known) is { } refusal)
        {
            return StepDraft.Rejected(refusal.Kind, refusal.Message);
        }

        var worker = known ?? NewWorker(draft, input);
        var restarted = worker.Incarnation != input.Incarnation;
        worker = worker with
        {
            Incarnation = input.Incarnation,
            Link = input.Link,
            Traits = input.Traits,
            State = WorkerState.Alive,
            LostAt = 0,
            ConnectedAt = draft.Now.Wall,
            Draining = worker.Draining && !restarted,
        };
        if (restarted)
        {
            worker = worker with { EarlyFailures = [], Quarantines = 0, QuarantinedUntil = 0 }; // somebody may have mended it
        }

        worker = VmRules.Join(draft, input, worker);
        draft.Put(worker);
        draft.Effect(new ClusterEffect.UpdateWorker(worker.Uid));

        foreach (var fence in worker.Held)
        {
            var attempt = draft.FindAttempt(fence)!;
            if (input.Holdings.FirstOrDefault(holding => holding.Fence == fence) is not { } holding)
            {
                NotHeld(draft, attempt, restarted);
                continue;
            }

            if (attempt.IsLive && restarted)
            {
                attempt = attempt with { Incarnation = input.Incarnation };
                draft.Put(attempt);
            }

            AttemptRules.Observe(draft, attempt, holding);
        }

        return draft.Accepted(worker.Uid);
    }

    public static StepResult Observe(StepDraft draft, ClusterInput.Observe input)
    {
        if (draft.FindWorker(input.WorkerUid) is not { } worker || worker.Incarnation != input.Incarnation)
        {
            return StepDraft.Rejected(RejectionKind.FailedPrecondition, "The worker was started again since: this start of it no longer counts.");
        }

        if (worker.After(WorkerEvent.Heard) is var heard && !ReferenceEquals(heard, worker))
        {
            draft.Put(heard);
        }

        foreach (var seen in input.Seen)
        {
            // A worker speaks only of what was placed on it.
            if (draft.FindAttempt(seen.Fence) is { } attempt && attempt.WorkerUid == input.WorkerUid)
            {
                AttemptRules.Observe(draft, attempt, seen);
            }
        }

        foreach (var fence in input.Missing)
        {
            if (draft.FindAttempt(fence) is { } attempt && attempt.WorkerUid == input.WorkerUid)
            {
                Gone(draft, attempt);
            }
        }

        return draft.Accepted(worker.Uid);
    }

    public static StepResult Silence(StepDraft draft, ClusterInput.Silence input)
    {
        if (draft.FindWorker(input.WorkerUid) is not { } worker || worker.Incarnation != input.Incarnation)
        {
            return draft.Accepted();
        }

        var next = worker.After(input.Event);
        if (ReferenceEquals(next, worker))
        {
            return draft.Accepted(worker.Uid);
        }

        draft.Put(next.State == WorkerState.Lost ? next with { LostAt = draft.Now.Time } : next);
        draft.Effect(new ClusterEffect.UpdateWorker(worker.Uid));
        return next.State == WorkerState.Lost ? GiveUpLost(draft, new ClusterInput.GiveUpLost(worker.Uid)) : draft.Accepted(worker.Uid);
    }

    /// <summary>Ends what a lost worker held. Its tasks go on elsewhere at once; its capacity comes back only when it says Hello.</summary>
    public static StepResult GiveUpLost(StepDraft draft, ClusterInput.GiveUpLost input)
    {
        if (draft.FindWorker(input.WorkerUid) is not { State: WorkerState.Lost } worker)
        {
            return draft.Accepted();
        }

        foreach (var fence in worker.Held)
        {
            if (draft.FindAttempt(fence) is not { IsLive: true } attempt)
            {
                continue;
            }

            if (draft.Work >= ClusterMachine.MostWork)
            {
                draft.Effect(new ClusterEffect.GoOn(input));
                break;
            }

            AttemptRules.End(draft, attempt, outcome: null);
        }

        return draft.Accepted(worker.Uid);
    }

    public static StepResult Drain(StepDraft draft, ClusterInput.DrainWorker input)
    {
        if (draft.FindWorker(input.WorkerUid) is not { } worker)
        {
            return StepDraft.Rejected(RejectionKind.NotFound, "There is no such worker.");
        }

        if (!worker.Draining)
        {
            draft.Put(worker with { Draining = true });
        }

        draft.Effect(new ClusterEffect.UpdateWorker(worker.Uid));
        foreach (var fence in input.Now ? worker.Held : [])
        {
            if (draft.FindAttempt(fence) is not { IsLive: true, StopCause: null } attempt)
            {
                continue;
            }

            if (draft.Work >= ClusterMachine.MostWork)
            {
                draft.Effect(new ClusterEffect.GoOn(input));
                break;
            }

            draft.Work++;
            draft.Put(attempt.After(new AttemptEvent.StopAsked(KillCause.Preemption), draft.Now));
        }

        return draft.Accepted(worker.Uid);
    }

    /// <summary>A worker came and did not name an attempt that was placed on it.</summary>
    private static void NotHeld(StepDraft draft, AttemptRecord attempt, bool restarted)
    {
        if (attempt is { State: JobState.Building } && !restarted)
        {
            return; // It was not delivered yet, and will be.
        }

        Gone(draft, attempt);
    }

    /// <summary>The worker has no process of the attempt and knows nothing of how it ended.</summary>
    private static void Gone(StepDraft draft, AttemptRecord attempt)
    {
        if (attempt.IsLive)
        {
            // What was never seen running is the cluster's loss, not the job's: a worker remembers what it has started.
            var outcome = attempt.State == JobState.Building
                ? new AttemptOutcome(Failures.NotStarted(draft.FindWorker(attempt.WorkerUid)!.Id), null, LogTotalsRecord.None)
                : null;
            AttemptRules.End(draft, attempt, outcome);
        }

        AttemptRules.Bury(draft, attempt.Fence);
    }

    private static WorkerRecord NewWorker(StepDraft draft, ClusterInput.Hello input)
    {
        var meta = draft.Meta;
        draft.Meta = meta with { NextWorker = meta.NextWorker + 1 };
        return new WorkerRecord { Uid = meta.NextWorker, Id = input.Worker, Incarnation = input.Incarnation, Traits = input.Traits };
    }
}
