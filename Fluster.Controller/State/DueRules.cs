using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>What happens by itself because its time has come.</summary>
internal static class DueRules
{
    public static StepResult Tick(StepDraft draft)
    {
        foreach (var due in draft.View.DueAt(draft.Now.Time))
        {
            if (draft.Work >= ClusterMachine.MostWork)
            {
                draft.Effect(new ClusterEffect.GoOn(new ClusterInput.Tick()));
                break;
            }

            switch (due.Kind)
            {
                case DueKind.SchedulingTimeout:
                    GiveUpPlacing(draft, draft.Job(due.Uid));
                    break;
                case DueKind.ExecutionTimeout:
                    StopOverdue(draft, due.Uid);
                    break;
                case DueKind.Tombstone:
                    draft.Work++;
                    draft.Remove(draft.View.Tombstone(due.Uid)!);
                    break;
                case DueKind.RegistrationForgotten:
                    RegistrationRules.Forget(draft, due.Uid);
                    break;
                case DueKind.VmBoot:
                    VmRules.BootIsOver(draft, due.Uid);
                    break;
                case DueKind.VmBlockForgotten:
                    VmRules.ForgetBlock(draft, due.Uid);
                    break;
                default:
                    throw new UnreachableException($"Nothing is due as {due.Kind}.");
            }
        }

        return draft.Accepted();
    }

    private static void GiveUpPlacing(StepDraft draft, JobRecord job)
    {
        // An earlier one of this step may have stopped it.
        if (job.SchedulingDue != 0)
        {
            JobRules.Stop(draft, job, KillCause.Sibling, JobState.Unschedulable, Failures.Unschedulable(job.Terms.SchedulingTimeout));
        }
    }

    private static void StopOverdue(StepDraft draft, long attemptUid)
    {
        if (draft.View.Attempt(attemptUid) is { } known && draft.FindAttempt(known.Fence) is { ExecutionDue: > 0 } attempt)
        {
            draft.Work++;
            draft.Put(attempt.After(new AttemptEvent.TimedOut(), draft.Now));
            draft.Effect(new ClusterEffect.UpdateWorker(attempt.WorkerUid));
        }
    }
}
