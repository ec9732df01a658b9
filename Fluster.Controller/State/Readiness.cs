namespace Fluster.Controller;

/// <summary>From when on a task that waits may be placed, as far as that is its own affair. The machine and the scheduler ask the same.</summary>
internal static class Readiness
{
    /// <summary>Milliseconds for which a worker must have been lost before what ran there counts as gone without its word.</summary>
    public const long LostPatience = 60_000;

    /// <returns>Cluster time; <see cref="long.MaxValue"/>: that depends on something which has no time.</returns>
    public static long Of(ClusterState state, JobRecord job, int index)
    {
        var task = state.TaskOf(job, index);
        var last = LastOf(job, task) is { IsNone: false } fence ? state.Attempt(fence) : null;
        return Of(task, last, last is null ? null : state.Workers.Find(last.WorkerUid));
    }

    /// <inheritdoc cref="Of(ClusterState, JobRecord, int)"/>
    public static long Of(StepDraft draft, JobRecord job, int index)
    {
        var task = draft.FindTask(job, index);
        var last = LastOf(job, task) is { IsNone: false } fence ? draft.FindAttempt(fence) : null;
        return Of(task, last, last is null ? null : draft.FindWorker(last.WorkerUid));
    }

    /// <summary>From when on a whole gang may be placed: when the last of its members may.</summary>
    public static long OfGang(ClusterState state, JobRecord job, int firstTask)
    {
        var latest = 0L;
        for (var index = firstTask; index < firstTask + job.Terms.GangSize && latest < long.MaxValue; index++)
        {
            latest = Math.Max(latest, Of(state, job, index));
        }

        return latest;
    }

    /// <summary>The attempt that must be gone before the next one; none: the next one waits for nothing.</summary>
    private static Fence LastOf(JobRecord job, TaskRecord? task) =>
        task is { Attempts.IsEmpty: false } && (job.Terms.HasGangs || job.Terms.Exclusive) ? task.Attempts[^1] : default;

    private static long Of(TaskRecord? task, AttemptRecord? last, WorkerRecord? worker)
    {
        if (task is null)
        {
            return 0;
        }

        if (task.State != JobState.Pending || task.LiveChildren > 0 || last is { IsLive: true })
        {
            return long.MaxValue;
        }

        if (last is null or { Dead: true })
        {
            return task.NotBefore;
        }

        return worker is { State: WorkerState.Lost } ? Math.Max(task.NotBefore, worker.LostAt + LostPatience) : long.MaxValue;
    }
}
