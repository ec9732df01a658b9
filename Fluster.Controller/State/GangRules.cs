using System.Collections.Immutable;

namespace Fluster.Controller;

/// <summary>
/// Gangs: tasks that are placed together and end together. Each placement of a gang is a generation of it: the n-th attempts of all its
/// members. When one of them fails, all end; the next generation is placed when no process of this one can be left.
/// </summary>
internal static class GangRules
{
    public static StepResult Place(StepDraft draft, ClusterInput.PlaceGang input)
    {
        if (draft.FindJob(input.JobUid) is not { } job)
        {
            return draft.Accepted();
        }

        var size = job.Terms.GangSize;
        if (size < 2 || input.Workers.Length != size || input.FirstTask < 0 || input.FirstTask >= job.Terms.Replicas || input.FirstTask % size != 0)
        {
            return StepDraft.Rejected(
                RejectionKind.InvalidArgument,
                $"Job '{job.Id}' has gangs of {size} and {job.Terms.Replicas} tasks: {input.Workers.Length} tasks from {input.FirstTask} on are not one of them.");
        }

        if (MayPlace(draft, job, input))
        {
            for (var i = 0; i < size; i++)
            {
                AttemptRules.PlaceOne(draft, draft.Job(job.Uid), input.FirstTask + i, draft.FindWorker(input.Workers[i])!);
            }
        }

        return draft.Accepted(job.Uid);
    }

    /// <summary>The current attempt of a member has ended.</summary>
    /// <param name="draft">The step.</param>
    /// <param name="job">Its job.</param>
    /// <param name="task">The member.</param>
    /// <param name="failure">Null: it succeeded.</param>
    /// <param name="result">What it returned.</param>
    public static void Ended(StepDraft draft, JobRecord job, TaskRecord task, JobFailure? failure, ResultRecord? result)
    {
        if (task.Part == GangPart.Fallen && !job.Stopping)
        {
            JobRules.Move(draft, job, task, new TaskEvent.Followed());
        }
        else if (failure is not null)
        {
            AttemptRules.Fail(draft, job, task, failure);
            return;
        }
        else
        {
            JobRules.Move(draft, job, task, new TaskEvent.Arrived(result));
            SucceedTogether(draft, job, FirstOf(job, task.Index));
        }

        JobRules.Settle(draft, draft.Job(job.Uid));
    }

    /// <summary>One member is tried again, so all are: those that run are stopped, and those that had succeeded have not.</summary>
    public static void Fall(StepDraft draft, JobRecord job, int failed, Retry reason, long notBefore)
    {
        var first = FirstOf(job, failed);
        for (var index = first; index < first + job.Terms.GangSize; index++)
        {
            if (index == failed || draft.FindTask(job, index) is not { } member)
            {
                continue;
            }

            if (!member.Current.IsNone)
            {
                var attempt = draft.FindAttempt(member.Current)!;
                draft.Put(attempt.After(new AttemptEvent.StopAsked(KillCause.Gang), draft.Now));
                draft.Effect(new ClusterEffect.UpdateWorker(attempt.WorkerUid));
            }

            JobRules.Move(draft, draft.Job(job.Uid), member, new TaskEvent.GangFell(reason, notBefore));
        }
    }

    /// <summary>Whether a worker holds a member of another gang: two gangs never share one.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="job">The gang's job.</param>
    /// <param name="firstTask">Which gang of it.</param>
    /// <param name="attemptOf">Finds the attempts that the worker holds.</param>
    /// <param name="jobOf">Finds their jobs.</param>
    public static bool IsTaken(WorkerRecord worker, JobRecord job, int firstTask, Func<Fence, AttemptRecord?> attemptOf, Func<long, JobRecord?> jobOf)
    {
        foreach (var fence in worker.Held)
        {
            var attempt = attemptOf(fence)!;
            var other = jobOf(attempt.JobUid)!;
            if (other.Terms.HasGangs && (other.Uid != job.Uid || FirstOf(job, attempt.TaskIndex) != firstTask))
            {
                return true;
            }
        }

        return false;
    }

    private static int FirstOf(JobRecord job, int index) => index - index % job.Terms.GangSize;

    private static bool MayPlace(StepDraft draft, JobRecord job, ClusterInput.PlaceGang input)
    {
        if (!job.IsLive || job.Stopping)
        {
            return false;
        }

        if (!SlicesAreWhole(draft, job, input.Workers))
        {
            return false;
        }

        // What the members before have taken counts, though nothing is written before all of them have a place.
        var taken = new Dictionary<long, WorkerRecord>();
        for (var i = 0; i < input.Workers.Length; i++)
        {
            var uid = input.Workers[i];
            if (!taken.TryGetValue(uid, out var worker))
            {
                worker = draft.FindWorker(uid);
                if (worker is null || !worker.TakesWork(draft.Now.Time) || IsTaken(worker, job, input.FirstTask, draft.FindAttempt, draft.FindJob))
                {
                    return false;
                }
            }

            if (!worker.HasRoomFor(job.Terms.Shape) || Readiness.Of(draft, job, input.FirstTask + i) > draft.Now.Time)
            {
                return false;
            }

            taken[uid] = worker with { Held = worker.Held.Add(default), Used = worker.Used.Plus(job.Terms.Shape, worker.FreeGpus.Lowest(job.Terms.Shape.Gpus)) };
        }

        return true;
    }

    /// <summary>
    /// The tasks of a slice go to the workers of one machine, each to the worker of its number: that is how the chips are wired. Of workers that somebody started,
    /// nobody knows how they are.
    /// </summary>
    private static bool SlicesAreWhole(StepDraft draft, JobRecord job, ImmutableArray<long> workers)
    {
        var size = job.Terms.SliceSize;
        for (var i = 0; size > 1 && i < workers.Length; i++)
        {
            var (first, worker) = (draft.FindWorker(workers[i - i % size]), draft.FindWorker(workers[i]));
            if (first?.VmUid != worker?.VmUid || worker is { VmUid: not 0 } && worker.VmIndex != i % size)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A member's success is one only when all members have it.</summary>
    private static void SucceedTogether(StepDraft draft, JobRecord job, int first)
    {
        var end = first + job.Terms.GangSize;
        for (var index = first; index < end; index++)
        {
            if (draft.FindTask(job, index) is not { Part: GangPart.Arrived })
            {
                return;
            }
        }

        for (var index = first; index < end; index++)
        {
            var member = draft.FindTask(job, index)!;
            JobRules.Move(draft, draft.Job(job.Uid), member, new TaskEvent.Succeeded(member.Result));
        }
    }
}
