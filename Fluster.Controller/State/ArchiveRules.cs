namespace Fluster.Controller;

/// <summary>
/// Which finished jobs leave the state for the archive: the oldest beyond a number, and those beyond an age. An archived job is a row to read
/// and no more; its tasks and attempts are gone.
/// </summary>
internal static class ArchiveRules
{
    /// <summary>Finished jobs that one step looks at: the oldest may have to stay for as long as a lost worker does.</summary>
    private const int MostScanned = 4_096;

    public static StepResult Archive(StepDraft draft, ClusterInput.ArchiveJobs input)
    {
        var excess = draft.View.FinishedCount - input.Keep;
        var scanned = 0;
        foreach (var (endedAt, uid) in draft.View.Finished)
        {
            if (excess <= 0 && endedAt > draft.Now.Wall - input.Age || ++scanned > MostScanned)
            {
                break;
            }

            if (draft.Work >= ClusterMachine.MostWork)
            {
                draft.Effect(new ClusterEffect.GoOn(input));
                break;
            }

            var job = draft.Job(uid);
            if (MayGo(draft, job))
            {
                draft.Work++;
                draft.Archive(job);
                excess--;
            }
        }

        return draft.Accepted();
    }

    /// <summary>
    /// Nothing may refer to it any more: no process that may still run, no live child. A child stays for as long as its parent is live, because a
    /// next child of its name is numbered after it.
    /// </summary>
    private static bool MayGo(StepDraft draft, JobRecord job)
    {
        if (draft.View.LiveChildren(job.Uid).Count > 0 || job.ParentUid != 0 && draft.FindJob(job.ParentUid) is { IsLive: true })
        {
            return false;
        }

        for (var index = 0; index < job.Terms.Replicas; index++)
        {
            foreach (var fence in draft.FindTask(job, index)?.Attempts ?? [])
            {
                if (draft.FindAttempt(fence) is { Dead: false })
                {
                    return false;
                }
            }
        }

        return true;
    }
}
