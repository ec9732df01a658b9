using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>Jobs as text.</summary>
internal static class JobText
{
    private const int LongestEntrypoint = 60;

    public static void List(IReadOnlyList<JobStatus> jobs, bool withNamespace, DateTimeOffset now)
    {
        if (jobs.Count == 0)
        {
            Output.Note("There are no jobs.");
            return;
        }

        var table = withNamespace ? new TextTable("NAMESPACE", "JOB", "STATE", "AGE", "RAN", "RUNS") : new TextTable("JOB", "STATE", "AGE", "RAN", "RUNS");
        foreach (var job in jobs)
        {
            string[] cells = [job.Id.ToString(), Words.State(job), Words.Time(now - job.CreatedAt), Ran(job.StartedAt, job.EndedAt, now), Short(job.Entrypoint)];
            table.Add(withNamespace ? [job.Namespace.ToString(), .. cells] : cells);
        }

        table.Write();
    }

    public static void Show(JobStatus job, DateTimeOffset now)
    {
        Output.Pairs(
            ("job", job.Id.ToString()),
            ("namespace", job.Namespace.ToString()),
            ("state", Words.State(job)),
            ("why", job.Failure?.Message ?? (job.State == JobState.Pending ? job.PendingReason : null)),
            ("exit code", job.ExitCode?.ToString()),
            ("runs", job.Entrypoint),
            ("needs", job.Resources.ToString()),
            ("tasks", job.Replicas.ToString()),
            ("submitted", $"{job.CreatedAt:yyyy-MM-dd HH:mm:ss} UTC, {Words.Time(now - job.CreatedAt)} ago"),
            ("ran", job.StartedAt is null ? null : Ran(job.StartedAt, job.EndedAt, now)));
        if (job.Failure?.Exception is { } exception)
        {
            Output.Line("");
            Output.Line($"{exception.Type}: {exception.Message}");
            Output.Line(exception.Stack);
        }
        else if (job.Failure?.LastLines is { Count: > 0 } lines)
        {
            Output.Line("");
            Output.Line("Its last lines:");
            foreach (var line in lines)
            {
                Output.Line("  " + line);
            }
        }

        if (job.Tasks.Any(task => task.Attempts.Count > 0))
        {
            Output.Line("");
            var table = new TextTable("TASK", "ATTEMPT", "STATE", "WORKER", "RAN", "PORTS", "WHY");
            foreach (var (task, attempt) in job.Tasks.SelectMany(task => task.Attempts.Select(attempt => (task, attempt))))
            {
                table.Add(
                    task.Index.ToString(),
                    attempt.Fence.ToString(),
                    attempt.State.ToString(),
                    attempt.Worker.ToString(),
                    Ran(attempt.StartedAt, attempt.EndedAt, now),
                    string.Join(' ', attempt.Ports.OrderBy(port => port.Key, StringComparer.Ordinal).Select(port => $"{port.Key}:{port.Value}")),
                    attempt.Failure?.Message ?? "");
            }

            table.Write();
        }
    }

    /// <summary>How a job ended, in one line.</summary>
    public static string Ended(JobStatus job) => $"{job.Id} {FailureText.Short(job)}";

    private static string Ran(DateTimeOffset? started, DateTimeOffset? ended, DateTimeOffset now) => started is { } start ? Words.Time((ended ?? now) - start) : "-";

    private static string Short(string text) => text.Length <= LongestEntrypoint ? text : text[..(LongestEntrypoint - 1)] + "…";
}
