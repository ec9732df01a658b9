namespace Fluster.Controller;

/// <summary>Terminating jobs that nobody names one by one, and jobs that are not there yet.</summary>
internal static class StopRules
{
    /// <summary>Milliseconds for which a job that was terminated before it was created cannot be created.</summary>
    public const long TombstoneAge = 10 * 60_000;

    /// <summary>Tombstones that are kept at a time; past it, the oldest goes.</summary>
    public const int MostTombstones = 10_000;

    /// <summary>Jobs that one step looks at.</summary>
    private const int MostScanned = 10_000;

    public static StepResult All(StepDraft draft, ClusterInput.StopAll input) =>
        Scan(draft, input.From, input.Cause, _ => true, from => input with { From = from });

    public static StepResult Within(StepDraft draft, ClusterInput.StopWithin input) =>
        Scan(draft, input.From, input.Cause, job => job.Id.IsWithin(input.Prefix) && MayUse(input.Namespace, job), from => input with { From = from });

    public static StepResult Unknown(StepDraft draft, ClusterInput.TerminateUnknown input)
    {
        if (draft.View.FindJob(input.Id) is var uid and not 0)
        {
            // It has come in the meantime. Somebody else's job is as if it were not there.
            if (draft.Job(uid) is { } job && MayUse(input.Namespace, job))
            {
                JobRules.Stop(draft, job, KillCause.User, JobState.Killed, Failures.Killed(KillCause.User));
                return draft.Accepted(uid);
            }

            return draft.Accepted();
        }

        var known = draft.View.FindTombstone(input.Id);
        if (known is null && draft.View.TombstoneCount >= MostTombstones)
        {
            draft.Remove(draft.View.OldestTombstone!);
        }

        var meta = draft.Meta;
        draft.Put(new TombstoneRecord
        {
            Uid = known?.Uid ?? meta.NextTombstone,
            Id = input.Id,
            Namespace = known is not null && known.Namespace != input.Namespace ? null : input.Namespace,
            Until = draft.Now.Time + TombstoneAge,
        });
        draft.Meta = known is null ? meta with { NextTombstone = meta.NextTombstone + 1 } : meta;
        return draft.Accepted();
    }

    /// <summary>Why a job cannot be created that was terminated before; null: it can.</summary>
    public static StepResult? Refusal(StepDraft draft, ClusterInput.SubmitJob input) =>
        draft.View.FindTombstone(input.Id) is { } tombstone && tombstone.Until > draft.Now.Time && (tombstone.Namespace is null || tombstone.Namespace == input.Namespace)
            ? StepDraft.Rejected(RejectionKind.FailedPrecondition, $"Job '{input.Id}' was terminated before it was created.")
            : null;

    private static bool MayUse(Namespace? only, JobRecord job) => only is null || job.Namespace == only;

    private static StepResult Scan(StepDraft draft, long from, KillCause cause, Func<JobRecord, bool> isMeant, Func<long, ClusterInput> rest)
    {
        var last = Math.Min(draft.View.LastJobUid, from + MostScanned);
        for (var uid = from; uid <= last; uid++)
        {
            if (draft.Work >= ClusterMachine.MostWork)
            {
                last = uid - 1;
                break;
            }

            if (draft.FindJob(uid) is { IsLive: true } job && isMeant(job))
            {
                JobRules.Stop(draft, job, cause, JobState.Killed, Failures.Killed(cause));
            }
        }

        if (last < draft.View.LastJobUid)
        {
            draft.Effect(new ClusterEffect.GoOn(rest(last + 1)));
        }

        return draft.Accepted();
    }
}
