using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>Jobs as readers see them. Secrets of their environments are not here.</summary>
internal sealed class JobInfos(ClusterLoop loop, WorkerLinks links, LastLines lastLines, SchedulerService scheduler, VmSources machines)
{
    private const int MostDisplayed = 200;

    /// <summary>Last lines are for whoever looks at one job: up to so many tasks, each attempt has its own.</summary>
    private const int MostTasksWithLines = 16;

    /// <param name="state">Where the job is from.</param>
    /// <param name="job">The job.</param>
    /// <param name="withTasks">Its tasks and attempts as well.</param>
    public V1.JobInfo Of(ClusterState state, JobRecord job, bool withTasks)
    {
        var request = V1.JobSpec.Parser.ParseFrom(job.Request.Span);
        var info = new V1.JobInfo
        {
            JobId = job.Id.ToString(),
            Name = job.Terms.Name,
            Namespace = job.Namespace.ToString(),
            ParentId = job.Id.Parent?.ToString() ?? "",
            State = job.State.ToWire(),
            Stopping = job.Stopping,
            Failure = job.State.IsTerminal ? Reason(job.Failure, withTasks ? Failed(state, job) : default, withTasks) : null,
            PendingReason = job.State == JobState.Pending ? Explainer(state).ReasonOf(job) : "",
            Replicas = job.Terms.Replicas,
            Entrypoint = Display(request.Entrypoint),
            Resources = request.Resources,
            CreatedAt = Time(job.CreatedAt),
            StartedAt = Time(job.StartedAt),
            EndedAt = Time(job.EndedAt),
            Priority = (V1.Priority)(job.Terms.Priority ?? JobPriority.Interactive),
            RequestId = job.RequestId,
        };
        if (withTasks)
        {
            for (var index = 0; index < job.Terms.Replicas; index++)
            {
                info.Tasks.Add(TaskOf(state, job, index, withLines: job.Terms.Replicas <= MostTasksWithLines));
            }
        }

        return info;
    }

    /// <summary>Says what jobs wait for.</summary>
    public Explainer Explainer(ClusterState state)
    {
        var now = loop.Now().Time;
        return new Explainer(state, now, links.Obstacle, scheduler.ReservedFor) { MachinesFor = job => new VmNotes(new VmOffers(machines.All)).Of(state, job, now) };
    }

    /// <summary>The last attempt of the task that ended its job; none: no task did.</summary>
    private static Fence Failed(ClusterState state, JobRecord job)
    {
        for (var index = 0; index < job.Terms.Replicas && job.State is JobState.Failed or JobState.WorkerFailed; index++)
        {
            if (state.TaskOf(job, index) is { Attempts.IsEmpty: false } task && task.State == job.State)
            {
                return task.Attempts[^1];
            }
        }

        return default;
    }

    private V1.TaskInfo TaskOf(ClusterState state, JobRecord job, int index, bool withLines)
    {
        var task = state.TaskOf(job, index);
        var taskState = task?.State ?? JobState.Pending;
        var info = new V1.TaskInfo
        {
            Index = index,

            // What never ran, or waited for another attempt, ended with its job.
            State = (job.State.IsTerminal && !taskState.IsTerminal ? job.State == JobState.Unschedulable ? job.State : JobState.Killed : taskState).ToWire(),
            Failures = task?.Failures ?? 0,
            Preemptions = task?.Losses ?? 0,
        };
        foreach (var fence in task?.Attempts ?? [])
        {
            if (state.Attempt(fence) is { } attempt)
            {
                info.Attempts.Add(AttemptOf(state, attempt, withLines, isLast: fence == task!.Attempts[^1]));
            }
        }

        return info;
    }

    private V1.AttemptInfo AttemptOf(ClusterState state, AttemptRecord attempt, bool withLines, bool isLast)
    {
        var info = new V1.AttemptInfo
        {
            Fence = attempt.Fence.Value,
            WorkerId = attempt.Worker.ToString(),
            State = attempt.State.ToWire(),
            PlacedAt = Time(attempt.PlacedAt),
            StartedAt = Time(attempt.StartedAt),
            EndedAt = Time(attempt.EndedAt),
            Failure = Reason(attempt.Failure, isLast ? attempt.Fence : default, withLines),
        };
        info.GpuIndices.AddRange(attempt.Gpus.Indices);
        foreach (var port in attempt.Ports)
        {
            info.Ports[port.Name] = port.Port;
        }

        return info;
    }

    private V1.Failure? Reason(JobFailure? failure, Fence fence, bool withLines) => failure is null ? null
        : !withLines ? (failure with { LastLines = [] }).ToWire()
        : (fence.IsNone ? failure : lastLines.Complete(failure, fence)).ToWire();

    private static string Display(V1.Entrypoint entrypoint)
    {
        var text = entrypoint.KindCase == V1.Entrypoint.KindOneofCase.Command
            ? string.Join(' ', entrypoint.Command.Argv.Take(MostDisplayed))
            : entrypoint.Dotnet.Display.Length > 0 ? entrypoint.Dotnet.Display : entrypoint.Dotnet.App;
        return text.Length <= MostDisplayed ? text : text[..MostDisplayed] + "…";
    }

    private static Timestamp? Time(long wall) => wall == 0 ? null : Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(wall));
}
