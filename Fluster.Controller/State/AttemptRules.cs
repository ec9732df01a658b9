using System.Collections.Immutable;

namespace Fluster.Controller;

/// <summary>Placing attempts, and what their worker tells of them.</summary>
internal static class AttemptRules
{
    /// <summary>Milliseconds after an execution timeout at which the machine acts if the worker has not.</summary>
    private const long ExecutionTimeoutGrace = 30_000;

    public static StepResult Place(StepDraft draft, ClusterInput.Place input)
    {
        foreach (var placement in input.Placements)
        {
            if (draft.FindJob(placement.JobUid) is { } job && draft.FindWorker(placement.WorkerUid) is { } worker && MayPlace(draft, job, placement.TaskIndex, worker))
            {
                PlaceOne(draft, job, placement.TaskIndex, worker);
            }
        }

        return draft.Accepted();
    }

    /// <summary>Takes in what a worker says of an attempt that was placed on it.</summary>
    public static void Observe(StepDraft draft, AttemptRecord attempt, Observation seen)
    {
        switch (seen.Phase)
        {
            case AttemptPhase.Preparing:
                PutIfChanged(draft, attempt, attempt.After(new AttemptEvent.Prepared(seen.Ports), draft.Now));
                break;

            case AttemptPhase.Running:
                Start(draft, attempt, seen.Ports);
                break;

            case AttemptPhase.Ended:
                if (attempt.IsLive)
                {
                    End(draft, attempt, seen.Outcome);
                }

                if (!seen.Undead)
                {
                    Bury(draft, attempt.Fence);
                }

                break;
        }
    }

    /// <summary>
    /// Ends a live attempt: its endpoints go, its task moves on, and children that have nothing left to belong to are stopped, all in this
    /// step. What it holds is given back only by <see cref="Bury"/>.
    /// </summary>
    /// <param name="draft">The step.</param>
    /// <param name="attempt">The attempt, live.</param>
    /// <param name="outcome">How it ended; null when its worker cannot say.</param>
    public static void End(StepDraft draft, AttemptRecord attempt, AttemptOutcome? outcome)
    {
        draft.Work++;
        var job = draft.Job(attempt.JobUid);
        var failure = outcome is null ? Failures.WorkerLost(draft.FindWorker(attempt.WorkerUid)!.Id) : FailureOf(job, attempt, outcome);
        var ended = attempt.After(EventFor(outcome, failure), draft.Now);
        draft.Put(ended);
        draft.Effect(new ClusterEffect.UpdateWorker(attempt.WorkerUid));
        if (outcome is not null && draft.FindWorker(attempt.WorkerUid) is { } worker && worker.AfterEnd(failure, job.Uid, draft.Now.Time) is var judged && !ReferenceEquals(worker, judged))
        {
            draft.Put(judged);
        }

        EndpointRules.RemoveAllOf(draft, new EndpointOwner(attempt.Fence));

        if (draft.FindTask(job, attempt.TaskIndex) is { } task && task.Current == attempt.Fence)
        {
            if (job.Terms.HasGangs)
            {
                GangRules.Ended(draft, job, task, failure, outcome?.Result);
            }
            else if (failure is null)
            {
                JobRules.Move(draft, job, task, new TaskEvent.Succeeded(outcome?.Result));
                JobRules.Settle(draft, draft.Job(job.Uid));
            }
            else
            {
                Fail(draft, job, task, failure);
            }
        }

        JobRules.StopChildrenOf(draft, draft.Job(job.Uid));
    }

    /// <summary>An ended attempt's process tree is known to be gone: what it held is free.</summary>
    public static void Bury(StepDraft draft, Fence fence)
    {
        if (draft.FindAttempt(fence) is not { IsLive: false, Dead: false } attempt)
        {
            return;
        }

        draft.Put(attempt.After(new AttemptEvent.Died(), draft.Now));
        var worker = draft.FindWorker(attempt.WorkerUid)!;
        draft.Put(worker with { Held = worker.Held.Remove(fence), Used = worker.Used.Minus(draft.Job(attempt.JobUid).Terms.Shape, attempt.Gpus) });
        draft.Effect(new ClusterEffect.UpdateWorker(worker.Uid));
    }

    /// <summary>Makes an attempt. Whether that is right was checked.</summary>
    public static void PlaceOne(StepDraft draft, JobRecord job, int index, WorkerRecord worker)
    {
        var meta = draft.Meta;
        var fence = Fence.Of(meta.Epoch, meta.NextAttempt);
        draft.Meta = meta with { NextAttempt = meta.NextAttempt + 1 };
        var gpus = worker.FreeGpus.Lowest(job.Terms.Shape.Gpus);
        var task = draft.FindTask(job, index) ?? new TaskRecord { Uid = job.FirstTask + index, JobUid = job.Uid, Index = index };
        draft.Put(new AttemptRecord
        {
            Fence = fence,
            JobUid = job.Uid,
            TaskIndex = index,
            WorkerUid = worker.Uid,
            Worker = worker.Id,
            Incarnation = worker.Incarnation,
            Number = task.Attempts.Length + 1,
            Gpus = gpus,
            PlacedAt = draft.Now.Wall,
        });
        draft.Put(worker with { Held = worker.Held.Add(fence), Used = worker.Used.Plus(job.Terms.Shape, gpus) });
        draft.Effect(new ClusterEffect.UpdateWorker(worker.Uid));
        JobRules.Move(draft, job, task, new TaskEvent.Placed(fence));
        JobRules.Settle(draft, draft.Job(job.Uid));
    }

    /// <summary>The current attempt of a task ended other than Succeeded: another one, or the end of the job.</summary>
    public static void Fail(StepDraft draft, JobRecord job, TaskRecord task, JobFailure failure)
    {
        if (job.Stopping)
        {
            JobRules.Move(draft, job, task, new TaskEvent.Killed());
            JobRules.Settle(draft, draft.Job(job.Uid));
            return;
        }

        var budget = Failures.BudgetFor(failure);
        var (used, limit) = budget switch
        {
            Retry.Failure => (task.Failures, job.Terms.FailureRetries),
            Retry.Loss => (task.Losses, job.Terms.LossRetries),
            _ => (task.FreeInARow, Failures.MostFreeRetries),
        };
        if (used < limit)
        {
            var notBefore = draft.Now.Time + Failures.BackOff(budget, used + 1);
            JobRules.Move(draft, job, task, new TaskEvent.WillRetry(budget, notBefore));
            if (job.Terms.HasGangs)
            {
                GangRules.Fall(draft, job, task.Index, budget, notBefore);
            }

            var waiting = draft.Job(job.Uid);
            if (waiting is { SchedulingDue: 0, Terms.SchedulingTimeout: > 0 })
            {
                draft.Put(waiting with { SchedulingDue = notBefore + waiting.Terms.SchedulingTimeout });
            }

            JobRules.Settle(draft, draft.Job(job.Uid));
            return;
        }

        // The budget is used up: the job ends as this task did, and takes its other tasks with it.
        var (taskEvent, verdict) = budget == Retry.Loss ? ((TaskEvent)new TaskEvent.WorkerFailed(), JobState.WorkerFailed) : (new TaskEvent.Failed(), JobState.Failed);
        JobRules.Move(draft, job, task, taskEvent);
        var cause = job.Terms.HasGangs ? KillCause.Gang : KillCause.Sibling;
        JobRules.Stop(draft, draft.Job(job.Uid), cause, verdict, budget == Retry.Free ? Failures.CouldNotBeStarted(failure) : failure);
    }

    private static bool MayPlace(StepDraft draft, JobRecord job, int index, WorkerRecord worker) =>
        job is { IsLive: true, Stopping: false, Terms.HasGangs: false }
        && index >= 0 && index < job.Terms.Replicas
        && worker.TakesWork(draft.Now.Time)
        && worker.HasRoomFor(job.Terms.Shape)
        && Readiness.Of(draft, job, index) <= draft.Now.Time;

    private static void Start(StepDraft draft, AttemptRecord attempt, ImmutableArray<PortRecord> ports)
    {
        var started = attempt.After(new AttemptEvent.Started(ports), draft.Now);
        if (ReferenceEquals(started, attempt))
        {
            return;
        }

        var job = draft.Job(attempt.JobUid);
        draft.Put(started with { ExecutionDue = job.Terms.ExecutionTimeout > 0 ? draft.Now.Time + job.Terms.ExecutionTimeout + ExecutionTimeoutGrace : 0 });
        if (draft.FindTask(job, attempt.TaskIndex) is { } task && task.Current == attempt.Fence)
        {
            JobRules.Move(draft, job, task, new TaskEvent.Started());
            JobRules.Settle(draft, draft.Job(job.Uid));
        }
    }

    /// <summary>Why an attempt did not succeed; null when it did. A job that is stopping has no successes.</summary>
    private static JobFailure? FailureOf(JobRecord job, AttemptRecord attempt, AttemptOutcome outcome)
    {
        if (attempt.TimedOut)
        {
            return Failures.Timeout() with { LastLines = outcome.Failure?.LastLines ?? [] };
        }

        // A preempted attempt may have been done just before; one whose gang has failed is not, whatever it says.
        KillCause? cause = job.Stopping ? job.StopCause
            : attempt.StopCause == KillCause.Gang || outcome.Failure is not null ? attempt.StopCause
            : null;
        return cause is { } known
            ? Failures.Killed(known) with
            {
                LastLines = outcome.Failure?.LastLines ?? [],
                ExitCode = outcome.Failure?.ExitCode,
                Signal = outcome.Failure?.Signal,
            }
            : outcome.Failure;
    }

    private static AttemptEvent EventFor(AttemptOutcome? outcome, JobFailure? failure) => (outcome, failure) switch
    {
        (null, _) => new AttemptEvent.Lost(failure!),
        (_, null) => new AttemptEvent.Succeeded(outcome.Logs),
        (_, { Kind: FailureKind.WorkerLost }) => new AttemptEvent.Lost(failure),
        (_, { Kind: FailureKind.Killed }) => new AttemptEvent.Killed(failure, outcome.Logs),
        _ => new AttemptEvent.Failed(failure, outcome.Logs),
    };

    private static void PutIfChanged(StepDraft draft, AttemptRecord before, AttemptRecord after)
    {
        if (!ReferenceEquals(before, after))
        {
            draft.Put(after);
        }
    }
}
