namespace Fluster.Cluster;

/// <summary>Turns a request into a job of a <see cref="LocalClient"/>: what travels is written down now, and what there cannot be in one process is refused.</summary>
internal static class LocalSubmission
{
    /// <exception cref="JobRequestException">The request cannot be right, something in it cannot travel, or there is no such thing here.</exception>
    /// <exception cref="ClusterException">The submitting job cannot have this child.</exception>
    public static JobId Submit(JobRequest request, LocalClientOptions options, LocalJobs jobs, LocalAttempt? parent, TimeProvider time)
    {
        JobRequestRules.Check(request);
        using var activity = ClientTrace.Start("submit");
        if (Problem(request, options) is { } problem)
        {
            throw new JobRequestException(problem);
        }

        // Also that of a job of another cluster: whoever submits, the job is part of their work (seed 000).
        var @namespace = request.Namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? options.Namespace;
        var invocation = request.Entrypoint is JobEntrypoint.Method method ? InvocationWriter.Write(method.Target, method.Arguments) : null;
        var files = LocalFiles.CopyOf(request.Environment.WorkingFiles);
        var trace = ClientTrace.Capture();
        try
        {
            var job = jobs.Submit(parent?.Fence ?? default, request.Name, @namespace, (number, id, plain, owner) => Make(number, id, plain, owner));
            activity?.SetTag("fluster.job_id", job.Id.ToString());
            return job.Id;
        }
        catch
        {
            LocalFiles.Remove(files);
            throw;
        }

        LocalJob Make(long number, JobId id, JobId plain, LocalAttempt? owner)
        {
            var job = new LocalJob
            {
                Number = number,
                Id = id,
                PlainId = plain,
                Request = request,
                Namespace = @namespace,
                Priority = request.Priority ?? owner?.Job.Priority ?? JobPriority.Interactive,
                Invocation = invocation,
                Files = files,
                Trace = trace,
                Parent = owner,
                CreatedAt = time.GetUtcNow(),
                Log = new LocalLog(time),
                Tasks = [],
            };
            job.Tasks = [.. Enumerable.Range(0, request.Replicas).Select(index => new LocalTask(job, index))];
            return job;
        }
    }

    private static string? Problem(JobRequest request, LocalClientOptions options)
    {
        if (request.Replicas > options.MaxTasks)
        {
            return $"{request.Name} asks for {request.Replicas} tasks, and this LocalClient runs {options.MaxTasks} at a time: ask for fewer, or give it a larger MaxTasks.";
        }

        if (request.Environment.Image is { } image)
        {
            return $"{request.Name} names the image '{image}', and a LocalClient runs no containers: use a cluster whose worker has a container engine.";
        }

        var own = request.Entrypoint is not JobEntrypoint.Method ? null
            : request.Environment.Variables.Count > 0 ? $"environment variables ({string.Join(", ", request.Environment.Variables.Keys.Order(StringComparer.Ordinal))})"
            : request.Environment.WorkingFiles is not null ? "working files"
            : request.Environment.SetupCommands.Count > 0 ? "set-up commands"
            : null;
        return own is null ? null : $"{request.Name} has {own}, and a .NET job in a LocalClient has no process of its own for them: use a LocalCluster, or pass what it needs as arguments.";
    }
}
