using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>Submitting and stopping jobs, and what becomes of a job when its tasks move.</summary>
internal static class JobRules
{
    public static StepResult Submit(StepDraft draft, ClusterInput.SubmitJob input)
    {
        if (draft.View.FindRequest(input.RequestId) is var known and not 0)
        {
            var job = draft.Job(known);
            return job.Namespace == input.Namespace && JobDirectory.PlainId(job) == input.Id
                ? draft.Accepted(known, existed: true)
                : StepDraft.Rejected(RejectionKind.AlreadyExists, $"The request id '{input.RequestId}' made another job.");
        }

        if (StopRules.Refusal(draft, input) is { } terminated)
        {
            return terminated;
        }

        AttemptRecord? parentAttempt = null;
        if (input.Id.Parent is { } parentId)
        {
            if (FindParent(draft, input, parentId, out parentAttempt) is { } refusal)
            {
                return refusal;
            }
        }
        else if (!input.ParentFence.IsNone)
        {
            return StepDraft.Rejected(RejectionKind.PermissionDenied, $"A job submits children: '{input.Id}' does not begin with the submitting job's id and '/'.");
        }

        var previous = draft.View.FindJob(input.Id) is var uid and not 0 ? draft.Job(uid) : null;
        if (previous is not null && (parentAttempt is null || previous.IsLive))
        {
            return StepDraft.Rejected(
                RejectionKind.AlreadyExists,
                parentAttempt is null ? $"Job '{input.Id}' exists already." : $"Job '{previous.Id}' is live, and a job has one live child of a name at a time.");
        }

        return draft.Accepted(Create(draft, input, parentAttempt, previous).Uid);
    }

    public static StepResult Terminate(StepDraft draft, ClusterInput.TerminateJob input)
    {
        if (draft.FindJob(input.JobUid) is not { } job)
        {
            return StepDraft.Rejected(RejectionKind.NotFound, "There is no such job.");
        }

        Stop(draft, job, input.Cause, JobState.Killed, Failures.Killed(input.Cause));
        return draft.Accepted(job.Uid);
    }

    public static StepResult StopChildren(StepDraft draft, ClusterInput.StopChildren input)
    {
        if (draft.FindJob(input.JobUid) is { } parent)
        {
            StopChildrenOf(draft, parent);
        }

        return draft.Accepted(input.JobUid);
    }

    /// <summary>
    /// Records that a job stops: from here on it gets no attempts, children or endpoints, and it ends as <paramref name="verdict"/> once
    /// its attempts have. Its children stop with it. A job that has ended, or is stopping, stays as it is.
    /// </summary>
    public static void Stop(StepDraft draft, JobRecord job, KillCause cause, JobState verdict, JobFailure failure)
    {
        if (!job.IsLive || job.Stopping)
        {
            return;
        }

        draft.Work++;
        job = job with { Stopping = true, StopCause = cause, Verdict = verdict, Failure = failure, SchedulingDue = 0 };
        draft.Put(job);
        for (var index = 0; index < job.Terms.Replicas && job.Building + job.Running > 0; index++)
        {
            if (draft.FindTask(job, index) is not { } task)
            {
                continue;
            }

            if (task.Part == GangPart.Arrived)
            {
                Move(draft, draft.Job(job.Uid), task, new TaskEvent.Killed()); // its success was not final yet
            }
            else if (!task.Current.IsNone)
            {
                var attempt = draft.FindAttempt(task.Current)!;
                draft.Put(attempt.After(new AttemptEvent.StopAsked(cause), draft.Now));
                draft.Effect(new ClusterEffect.UpdateWorker(attempt.WorkerUid));
            }
        }

        Settle(draft, draft.Job(job.Uid));
        StopChildrenOf(draft, draft.Job(job.Uid));
    }

    /// <summary>Moves a task, counts it in its job, and moves the job to where its tasks are.</summary>
    public static TaskRecord Move(StepDraft draft, JobRecord job, TaskRecord task, TaskEvent taskEvent)
    {
        var next = task.After(taskEvent);
        draft.Put(next);
        if (next.State != task.State)
        {
            job = Counted(Counted(job, task.State, -1), next.State, +1);
            draft.Put(job);
        }

        return next;
    }

    /// <summary>Moves a job to where its tasks are. Called after every change of them.</summary>
    public static void Settle(StepDraft draft, JobRecord job)
    {
        if (!job.IsLive)
        {
            return;
        }

        if (job.Stopping)
        {
            if (job.Building + job.Running == 0)
            {
                End(draft, job, job.Verdict);
                return;
            }
        }
        else if (job.Succeeded == job.Terms.Replicas)
        {
            End(draft, job, JobState.Succeeded);
            return;
        }

        var furthest = job.Furthest;
        var started = job.StartedAt == 0 && furthest == JobState.Running ? draft.Now.Wall : job.StartedAt;
        var due = job.Waiting == 0 ? 0 : job.SchedulingDue;
        if (furthest != job.State || started != job.StartedAt || due != job.SchedulingDue)
        {
            draft.Put(job with { State = furthest, StartedAt = started, SchedulingDue = due });
        }
    }

    /// <summary>Stops the children that have nothing left to belong to.</summary>
    public static void StopChildrenOf(StepDraft draft, JobRecord parent)
    {
        foreach (var uid in draft.View.LiveChildren(parent.Uid))
        {
            if (draft.Job(uid) is not { IsLive: true, Stopping: false } child || !IsOrphan(draft, parent, child))
            {
                continue;
            }

            if (draft.Work >= ClusterMachine.MostWork)
            {
                draft.Effect(new ClusterEffect.GoOn(new ClusterInput.StopChildren(parent.Uid)));
                return;
            }

            var cause = parent.StopCause == KillCause.Shutdown ? KillCause.Shutdown : KillCause.Parent;
            Stop(draft, child, cause, JobState.Killed, Failures.Killed(cause));
        }
    }

    private static bool IsOrphan(StepDraft draft, JobRecord parent, JobRecord child)
    {
        if (parent.Stopping)
        {
            return true;
        }

        // It belongs to an attempt of its parent: as long as that runs, or for good if that succeeded and the parent said so.
        var attempt = draft.FindAttempt(child.ParentFence) ?? throw new UnreachableException($"Job {child.Id} belongs to no attempt.");
        return attempt.State == JobState.Succeeded
            ? !parent.Terms.KeepChildren || parent.Verdict != default || !Counts(draft.FindTask(parent, attempt.TaskIndex)!)
            : attempt.State.IsTerminal;

        // The success of a member of a gang is none once another member has failed.
        static bool Counts(TaskRecord task) => task.State == JobState.Succeeded || task.Part == GangPart.Arrived;
    }

    private static void End(StepDraft draft, JobRecord job, JobState state)
    {
        draft.Put(job with
        {
            State = state,
            Stopping = false,
            Failure = state == JobState.Succeeded ? null : job.Failure,
            SchedulingDue = 0,
            EndedAt = draft.Now.Wall,
        });

        if (job.ParentUid != 0 && draft.FindAttempt(job.ParentFence) is { } attempt && draft.FindTask(draft.Job(job.ParentUid), attempt.TaskIndex) is { } task)
        {
            draft.Put(task with { LiveChildren = task.LiveChildren - 1 });
        }
    }

    private static JobRecord Create(StepDraft draft, ClusterInput.SubmitJob input, AttemptRecord? parentAttempt, JobRecord? previous)
    {
        var meta = draft.Meta;
        var parent = parentAttempt is null ? null : draft.Job(parentAttempt.JobUid);
        var priority = input.Terms.Priority ?? parent?.Terms.Priority ?? JobPriority.Interactive;
        var generation = (previous?.Generation ?? 0) + 1;
        var job = new JobRecord
        {
            Uid = meta.NextJob,
            Id = generation == 1 ? input.Id : JobId.Parse($"{input.Id}~{generation}"),
            RequestId = input.RequestId,
            Namespace = input.Namespace,
            Terms = priority == input.Terms.Priority ? input.Terms : input.Terms with { Priority = priority },
            Request = input.Request,
            Trace = input.Trace,
            ParentUid = parent?.Uid ?? 0,
            ParentFence = parentAttempt?.Fence ?? default,
            Generation = generation,
            PreviousUid = previous?.Uid ?? 0,
            FirstTask = meta.NextTask,
            SchedulingDue = input.Terms.SchedulingTimeout > 0 ? draft.Now.Time + input.Terms.SchedulingTimeout : 0,
            QueuedAt = draft.Now.Time,
            CreatedAt = draft.Now.Wall,
        };
        draft.Meta = meta with { NextJob = meta.NextJob + 1, NextTask = meta.NextTask + input.Terms.Replicas };
        draft.Put(job);
        if (parentAttempt is not null)
        {
            var task = draft.FindTask(parent!, parentAttempt.TaskIndex)!;
            draft.Put(task with { LiveChildren = task.LiveChildren + 1 });
        }

        return job;
    }

    private static StepResult? FindParent(StepDraft draft, ClusterInput.SubmitJob input, JobId parentId, out AttemptRecord? attempt)
    {
        attempt = null;
        JobRecord? parent;
        if (input.ParentFence.IsNone)
        {
            parent = draft.View.FindJob(parentId) is var uid and not 0 ? draft.Job(uid) : null;
            if (parent is null)
            {
                return StepDraft.Rejected(RejectionKind.NotFound, $"There is no job '{parentId}' to be the parent of '{input.Id}'.");
            }

            for (var index = 0; index < parent.Terms.Replicas && attempt is null; index++)
            {
                attempt = draft.FindTask(parent, index) is { Current.IsNone: false } task ? draft.FindAttempt(task.Current) : null;
            }
        }
        else
        {
            attempt = draft.FindAttempt(input.ParentFence);
            if (attempt is null)
            {
                return StepDraft.Rejected(RejectionKind.NotFound, $"There is no attempt {input.ParentFence}.");
            }

            parent = draft.Job(attempt.JobUid);
            if (parent.Id != parentId)
            {
                return StepDraft.Rejected(RejectionKind.PermissionDenied, $"Job '{parent.Id}' submits its own children, and '{input.Id}' is not one.");
            }
        }

        if (parent.Stopping || !parent.IsLive || attempt is null or { IsLive: false } or { IsStopping: true })
        {
            var why = parent.Stopping ? "is stopping" : !parent.IsLive ? $"has ended ({parent.State})" : "has no running attempt, or an older one asks";
            return StepDraft.Rejected(RejectionKind.FailedPrecondition, $"Job '{parent.Id}' {why}: it cannot have children now.");
        }

        return parent.Namespace == input.Namespace
            ? null
            : StepDraft.Rejected(RejectionKind.PermissionDenied, $"A child lives in its parent's namespace, which is '{parent.Namespace}'.");
    }

    private static JobRecord Counted(JobRecord job, JobState state, int by) => state switch
    {
        JobState.Building => job with { Building = job.Building + by },
        JobState.Running => job with { Running = job.Running + by },
        JobState.Succeeded => job with { Succeeded = job.Succeeded + by },
        JobState.Failed or JobState.Killed or JobState.WorkerFailed or JobState.Unschedulable => job with { Ended = job.Ended + by },
        _ => job,
    };
}
