using Google.Protobuf.WellKnownTypes;

namespace Fluster.Cluster;

/// <summary>Explanations to and from their messages.</summary>
internal static class ExplanationWire
{
    public static V1.JobExplanation ToWire(this JobExplanation explanation)
    {
        var message = new V1.JobExplanation
        {
            JobId = explanation.Job.ToString(),
            State = explanation.State.ToWire(),
            Cause = (V1.PendingCause)explanation.Cause,
            Reason = explanation.Reason,
            Change = explanation.Change ?? "",
            Suggested = explanation.Suggested?.ToWire(),
            Wait = explanation.Wait is { } wait ? Duration.FromTimeSpan(wait) : null,
        };
        if (explanation.TaskIndex is { } index)
        {
            message.TaskIndex = index;
        }

        message.Holders.AddRange(explanation.Holders.Select(holder => new V1.ResourceHolder
        {
            JobId = holder.Job?.ToString() ?? "",
            TaskIndex = holder.TaskIndex,
            WorkerId = holder.Worker?.ToString() ?? "",
            Resources = holder.Resources.ToWire(),
            Stopping = holder.Stopping,
        }));
        message.Workers.AddRange(explanation.Workers.Select(verdict => new V1.WorkerVerdict { WorkerId = verdict.Worker.ToString(), Reason = verdict.Reason }));
        return message;
    }

    /// <exception cref="FormatException">An id or a state in it cannot be read.</exception>
    public static JobExplanation ToDomain(this V1.JobExplanation message) => new()
    {
        Job = JobId.Parse(message.JobId),
        State = message.State.ToDomain(),
        Cause = (PendingCause)message.Cause,
        TaskIndex = message.HasTaskIndex ? message.TaskIndex : null,
        Reason = message.Reason,
        Change = message.Change.Length > 0 ? message.Change : null,
        Suggested = message.Suggested is { } suggested ? suggested.ToDomain() : null,
        Wait = message.Wait?.ToTimeSpan(),
        Holders =
        [
            .. message.Holders.Select(holder => new ResourceHolder(
                holder.JobId.Length > 0 ? JobId.Parse(holder.JobId) : null,
                holder.TaskIndex,
                holder.WorkerId.Length > 0 ? WorkerId.Parse(holder.WorkerId) : null,
                holder.Resources.ToDomain(),
                holder.Stopping)),
        ],
        Workers = [.. message.Workers.Select(verdict => new WorkerVerdict(WorkerId.Parse(verdict.WorkerId), verdict.Reason))],
    };
}
