namespace Fluster.Cluster;

/// <summary>Says what a job of a <see cref="LocalClient"/> waits for. Under the lock of <see cref="LocalJobs"/>.</summary>
internal static class LocalExplainer
{
    /// <param name="job">The job.</param>
    /// <param name="places">Who runs.</param>
    /// <param name="now">The time.</param>
    /// <param name="asker">The job that asks; null: somebody outside, who may see all.</param>
    public static JobExplanation Of(LocalJob job, LocalPlaces places, DateTimeOffset now, LocalAttempt? asker)
    {
        var explanation = new JobExplanation { Job = job.Id, State = job.State, Cause = PendingCause.None, Reason = "" };
        if (!job.IsLive)
        {
            return explanation with { Reason = job.Failure?.Message ?? $"It has ended: {job.State}." };
        }

        if (job.Stopping)
        {
            return explanation with { Cause = PendingCause.Stopping, Reason = "It is being stopped." };
        }

        var waiting = job.Tasks.Where(task => task.State == JobState.Pending).ToList();
        if (waiting.Count == 0)
        {
            return explanation with { Reason = "All its tasks have a place." };
        }

        return waiting.TrueForAll(task => !task.IsReady) || job.Gang.Broken ? Blocked(explanation, waiting[0], now) : Places(explanation, job, places, asker);
    }

    /// <summary>What a task waits for by itself, whatever room there is.</summary>
    private static JobExplanation Blocked(JobExplanation explanation, LocalTask task, DateTimeOffset now)
    {
        if (task.Attempts.Count > 0 && task.Attempts[^1].LiveChildren is { Count: > 0 } children)
        {
            return explanation with
            {
                Cause = PendingCause.Children,
                TaskIndex = task.Index,
                Reason = $"Task {task.Index} waits for {Count(children.Count, "job")} that its last attempt submitted to end.",
                Holders = [.. children.OrderBy(child => child.Number).SelectMany(Holders)],
            };
        }

        if (task.RetryAt is { } at)
        {
            var left = at > now ? at - now : TimeSpan.Zero;
            return explanation with
            {
                Cause = PendingCause.BackOff,
                TaskIndex = task.Index,
                Reason = $"Task {task.Index} is tried again in {Math.Ceiling(left.TotalSeconds)} s ({Count(task.Attempts.Count, "attempt")} so far; the last one: {task.Attempts[^1].Failure?.Message}).",
                Wait = left,
            };
        }

        return explanation with { Cause = PendingCause.LastAttempt, TaskIndex = task.Index, Reason = "Its tasks run at once, and those of the last try have not all ended." };
    }

    private static JobExplanation Places(JobExplanation explanation, LocalJob job, LocalPlaces places, LocalAttempt? asker)
    {
        var free = Math.Max(0, places.Limit - places.Holders.Count);
        var needed = job.IsGang ? job.Tasks.Count : 1;
        if (needed <= free)
        {
            return explanation with { Cause = PendingCause.Placing, Reason = "There is room for it: it is about to be placed." };
        }

        var (cause, reason) = free == 0
            ? (PendingCause.Concurrency, $"All {places.Limit} places of this LocalClient are taken.")
            : (PendingCause.Gang, $"Its {needed} tasks run at once, and {free} of the {places.Limit} places of this LocalClient are free.");
        return explanation with
        {
            Cause = cause,
            Reason = reason,
            Change = $"End {Count(needed - free, "task")}, or give the LocalClient more than MaxTasks = {places.Limit}.",
            Holders = [.. places.Holders.OrderBy(attempt => attempt.Fence).Select(attempt => new ResourceHolder(
                asker is null || asker.Job.Namespace == attempt.Job.Namespace ? attempt.Job.Id : null, attempt.Task.Index, LocalStatus.Worker, attempt.Job.Request.Resources, attempt.IsStopping))],
        };
    }

    private static IEnumerable<ResourceHolder> Holders(LocalJob job) =>
        job.Tasks.Where(task => !task.State.IsTerminal).Select(task => new ResourceHolder(job.Id, task.Index, task.Current is null ? null : LocalStatus.Worker, job.Request.Resources, job.Stopping));

    private static string Count(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";
}
