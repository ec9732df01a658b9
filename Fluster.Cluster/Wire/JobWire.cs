using Google.Protobuf.WellKnownTypes;

namespace Fluster.Cluster;

/// <summary>Jobs to and from their messages.</summary>
internal static class JobWire
{
    /// <summary>A request without its entrypoint and its working files, which have to be uploaded first.</summary>
    public static V1.JobSpec ToWire(this JobRequest request)
    {
        var message = new V1.JobSpec
        {
            Name = request.Name,
            Resources = request.Resources.ToWire(),
            Environment = new V1.JobEnvironment { Image = request.Environment.Image ?? "", MetadataServer = request.Environment.MetadataServer },
            Replicas = request.Replicas,
            Retries = new V1.RetryBudget { Failures = request.MaxFailureRetries, Preemptions = request.MaxPreemptionRetries },
            SchedulingTimeout = request.SchedulingTimeout is { } scheduling ? Duration.FromTimeSpan(scheduling) : null,
            ExecutionTimeout = request.ExecutionTimeout is { } execution ? Duration.FromTimeSpan(execution) : null,
            Namespace = request.Namespace?.ToString() ?? "",
            Priority = request.Priority is { } priority ? (V1.Priority)priority : V1.Priority.Unspecified,
            Coscheduled = request.Coscheduled,
            Exclusive = request.Exclusive,
            KeepChildren = request.KeepChildren,
        };
        message.Ports.AddRange(request.Ports);
        message.Environment.SetupCommands.AddRange(request.Environment.SetupCommands);
        foreach (var (name, value) in request.Environment.Variables)
        {
            message.Environment.Variables.Add(name, value);
        }

        return message;
    }

    public static V1.JobState ToWire(this JobState state) => (V1.JobState)state;

    /// <exception cref="FormatException">The number is no state that this version knows.</exception>
    public static JobState ToDomain(this V1.JobState state) => state is > V1.JobState.Unspecified and <= V1.JobState.Unschedulable
        ? (JobState)state
        : throw new FormatException($"{(int)state} is not a job state that this version knows.");

    public static V1.JobInfo ToWire(this JobStatus status)
    {
        var message = new V1.JobInfo
        {
            JobId = status.Id.ToString(),
            Name = status.Name,
            Namespace = status.Namespace.ToString(),
            ParentId = status.Id.Parent?.ToString() ?? "",
            State = status.State.ToWire(),
            Stopping = status.Stopping,
            Failure = status.Failure?.ToWire(),
            PendingReason = status.PendingReason ?? "",
            Replicas = status.Replicas,
            Entrypoint = status.Entrypoint,
            Resources = status.Resources.ToWire(),
            CreatedAt = status.CreatedAt.ToTimestamp(),
            StartedAt = status.StartedAt?.ToTimestamp(),
            EndedAt = status.EndedAt?.ToTimestamp(),
        };
        message.Tasks.AddRange(status.Tasks.Select(ToWire));
        return message;
    }

    /// <exception cref="FormatException">An id or a state in it cannot be read.</exception>
    public static JobStatus ToDomain(this V1.JobInfo message) => new()
    {
        Id = JobId.Parse(message.JobId),
        Name = message.Name,
        Namespace = Namespace.Parse(message.Namespace),
        State = message.State.ToDomain(),
        Stopping = message.Stopping,
        Failure = message.Failure?.ToDomain(),
        PendingReason = message.PendingReason.Length > 0 ? message.PendingReason : null,
        Replicas = message.Replicas,
        Entrypoint = message.Entrypoint,
        Resources = message.Resources.ToDomain(),
        CreatedAt = message.CreatedAt?.ToDateTimeOffset() ?? default,
        StartedAt = message.StartedAt?.ToDateTimeOffset(),
        EndedAt = message.EndedAt?.ToDateTimeOffset(),
        Tasks = [.. message.Tasks.Select(ToDomain)],
    };

    private static V1.TaskInfo ToWire(JobTaskStatus task)
    {
        var message = new V1.TaskInfo { Index = task.Index, State = task.State.ToWire() };
        foreach (var attempt in task.Attempts)
        {
            var info = new V1.AttemptInfo
            {
                Fence = attempt.Fence.Value,
                WorkerId = attempt.Worker.ToString(),
                State = attempt.State.ToWire(),
                StartedAt = attempt.StartedAt?.ToTimestamp(),
                EndedAt = attempt.EndedAt?.ToTimestamp(),
                Failure = attempt.Failure?.ToWire(),
            };
            info.Ports.Add(attempt.Ports.ToDictionary());
            message.Attempts.Add(info);
        }

        return message;
    }

    private static JobTaskStatus ToDomain(V1.TaskInfo task) => new(
        task.Index,
        task.State.ToDomain(),
        [
            .. task.Attempts.Select(attempt => new JobAttemptStatus(new Fence(attempt.Fence), WorkerId.Parse(attempt.WorkerId), attempt.State.ToDomain())
            {
                StartedAt = attempt.StartedAt?.ToDateTimeOffset(),
                EndedAt = attempt.EndedAt?.ToDateTimeOffset(),
                Failure = attempt.Failure?.ToDomain(),
                Ports = attempt.Ports.ToDictionary(),
            }),
        ]);
}
