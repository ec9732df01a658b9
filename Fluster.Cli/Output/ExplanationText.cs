using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>What a job waits for, as text.</summary>
internal static class ExplanationText
{
    public static void Show(JobExplanation explanation)
    {
        Output.Pairs(
            ("job", explanation.Job.ToString()),
            ("state", explanation.State.ToString()),
            ("why", explanation.Reason),
            ("change", explanation.Change),
            ("could ask for", explanation.Suggested?.ToString()));
        if (explanation.Holders.Count > 0)
        {
            Output.Line("");
            var holders = new TextTable("HELD BY", "TASK", "WORKER", "HAS", "ENDS");
            foreach (var holder in explanation.Holders)
            {
                holders.Add(
                    holder.Job?.ToString() ?? "(another namespace)",
                    holder.TaskIndex.ToString(),
                    holder.Worker?.ToString() ?? "-",
                    holder.Worker is null ? $"waits for {holder.Resources}" : holder.Resources.ToString(),
                    holder.Stopping ? "is stopping" : "");
            }

            holders.Write();
        }

        if (explanation.Workers.Count > 0)
        {
            Output.Line("");
            var workers = new TextTable("WORKER", "AGAINST IT");
            foreach (var verdict in explanation.Workers)
            {
                workers.Add(verdict.Worker.ToString(), verdict.Reason.Length > 0 ? verdict.Reason : "nothing");
            }

            workers.Write();
        }
    }
}

internal sealed record ExplanationView
{
    public required string Job { get; init; }

    public required string State { get; init; }

    public required string Cause { get; init; }

    public int? Task { get; init; }

    public required string Reason { get; init; }

    public string? Change { get; init; }

    /// <summary>What it could ask for instead, as text.</summary>
    public string? Suggested { get; init; }

    public double? WaitSeconds { get; init; }

    public required IReadOnlyList<HolderView> Holders { get; init; }

    public required IReadOnlyList<VerdictView> Workers { get; init; }

    public static ExplanationView From(JobExplanation explanation) => new()
    {
        Job = explanation.Job.ToString(),
        State = explanation.State.ToString(),
        Cause = explanation.Cause.ToString(),
        Task = explanation.TaskIndex,
        Reason = explanation.Reason,
        Change = explanation.Change,
        Suggested = explanation.Suggested?.ToString(),
        WaitSeconds = explanation.Wait?.TotalSeconds,
        Holders = [.. explanation.Holders.Select(holder => new HolderView(holder.Job?.ToString(), holder.TaskIndex, holder.Worker?.ToString(), holder.Resources.ToString(), holder.Stopping))],
        Workers = [.. explanation.Workers.Select(verdict => new VerdictView(verdict.Worker.ToString(), verdict.Reason))],
    };
}

internal sealed record HolderView(string? Job, int Task, string? Worker, string Resources, bool Stopping);

internal sealed record VerdictView(string Worker, string Reason);
