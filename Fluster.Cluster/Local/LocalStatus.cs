namespace Fluster.Cluster;

/// <summary>Jobs of a <see cref="LocalClient"/> as readers see them.</summary>
internal static class LocalStatus
{
    private const int MostDisplayed = 200;

    /// <summary>What jobs are told of where they run.</summary>
    public static WorkerId Worker { get; } = WorkerId.Parse("local-worker");

    /// <param name="job">The job.</param>
    /// <param name="withTasks">Its tasks and attempts, and the last lines of failures, as well.</param>
    /// <param name="reason">Says what it waits for; asked only when it does.</param>
    public static JobStatus Of(LocalJob job, bool withTasks, Func<string> reason) => new()
    {
        Id = job.Id,
        Name = job.Request.Name,
        Namespace = job.Namespace,
        State = job.State,
        Stopping = job.Stopping,
        Failure = job.IsLive ? null : Shown(job.Failure, withTasks),
        PendingReason = job.State == JobState.Pending ? reason() : null,
        Replicas = job.Tasks.Count,
        Entrypoint = Display(job.Request.Entrypoint.Display),
        Resources = job.Request.Resources,
        CreatedAt = job.CreatedAt,
        StartedAt = job.StartedAt,
        EndedAt = job.EndedAt,
        Tasks = withTasks ? [.. job.Tasks.Select(TaskOf)] : [],
    };

    private static JobTaskStatus TaskOf(LocalTask task) => new(task.Index, task.State, [.. task.Attempts.Select(AttemptOf)]);

    private static JobAttemptStatus AttemptOf(LocalAttempt attempt) => new(attempt.Fence, Worker, attempt.State)
    {
        StartedAt = attempt.StartedAt,
        EndedAt = attempt.EndedAt,
        Failure = attempt.Failure,
        Ports = attempt.Ports,
    };

    private static JobFailure? Shown(JobFailure? failure, bool withLines) => failure is null || withLines ? failure : failure with { LastLines = [] };

    private static string Display(string text) => text.Length <= MostDisplayed ? text : text[..MostDisplayed] + "…";
}
