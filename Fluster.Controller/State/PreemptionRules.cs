namespace Fluster.Controller;

/// <summary>Stopping attempts so that a job of a higher priority has room.</summary>
internal static class PreemptionRules
{
    public static StepResult Preempt(StepDraft draft, ClusterInput.Preempt input)
    {
        if (draft.FindJob(input.ForJob) is not { IsLive: true, Stopping: false, Waiting: > 0 } job)
        {
            return draft.Accepted();
        }

        foreach (var fence in input.Victims)
        {
            if (draft.FindAttempt(fence) is { IsLive: true, IsStopping: false } victim && IsBelow(draft.Job(victim.JobUid), job))
            {
                draft.Put(victim.After(new AttemptEvent.StopAsked(KillCause.Preemption), draft.Now));
                draft.Effect(new ClusterEffect.UpdateWorker(victim.WorkerUid));
            }
        }

        return draft.Accepted(job.Uid);
    }

    /// <summary>Whether a job has to give way to another.</summary>
    public static bool IsBelow(JobRecord job, JobRecord other) =>
        (job.Terms.Priority ?? JobPriority.Interactive) < (other.Terms.Priority ?? JobPriority.Interactive);
}
