using Google.Protobuf;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>The calls about jobs: each reads the request, applies one input or reads the state, and answers.</summary>
internal sealed class JobCalls(ClusterLoop loop, JobInfos infos, JobWatches watches, BlobChecks blobs, DiskSpace disk, ShutdownSignal shutdown)
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1_000;

    /// <summary>A watcher is sent the tasks with every change up to so many; of larger jobs, only with the last message.</summary>
    private const int MostTasksWatched = 100;

    public async Task<V1.LaunchJobResponse> LaunchAsync(Caller caller, V1.LaunchJobRequest request, CancellationToken cancellationToken)
    {
        if (LaunchRules.Problem(request) is { } problem)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, problem));
        }

        if (shutdown.RefusesSubmits)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "The controller is shutting down."));
        }

        var id = JobId.Parse(request.JobId);
        var spec = request.Spec;
        LaunchRules.Complete(spec);
        var (@namespace, fence) = OriginOf(caller, id, spec);
        spec.Namespace = @namespace.ToString();
        if (blobs.Problem(spec, out var missing) is { } lacking)
        {
            throw new RpcException(new Status(missing ? StatusCode.FailedPrecondition : StatusCode.InvalidArgument, lacking));
        }

        if (disk.IsShort)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, "The controller's disk is almost full: it takes no new jobs until there is room."));
        }

        var input = new ClusterInput.SubmitJob(
            id, request.RequestId, @namespace, LaunchRules.TermsOf(spec), spec.ToByteArray(), LaunchRules.Serialize(request.Trace), fence);
        var result = await loop.SubmitAsync(input, cancellationToken);
        var state = loop.Current;
        return new V1.LaunchJobResponse { Job = infos.Of(state, state.Jobs.Find(result.Subject)!, withTasks: false), Existed = result.Existed };
    }

    public V1.GetJobStatusResponse Get(Caller caller, V1.GetJobStatusRequest request)
    {
        var state = loop.Current;
        return new V1.GetJobStatusResponse { Job = infos.Of(state, JobLookup.Find(state, loop.Directory, caller, request.JobId), withTasks: true) };
    }

    public async Task WatchAsync(Caller caller, V1.WatchJobRequest request, IServerStreamWriter<V1.WatchJobResponse> responses, CancellationToken cancellationToken)
    {
        var uid = JobLookup.Find(loop, caller, request.JobId).Uid;
        using var watch = watches.Open(uid);
        V1.JobInfo? sent = null;
        while (true)
        {
            // Taken before looking: a change after the look ends the wait.
            var changed = watch.Changed.Next;
            var state = loop.Current;
            if (state.Jobs.Find(uid) is not { } job)
            {
                return;
            }

            var info = infos.Of(state, job, withTasks: job.State.IsTerminal || job.Terms.Replicas <= MostTasksWatched);
            if (!info.Equals(sent))
            {
                await responses.WriteAsync(new V1.WatchJobResponse { Job = info }, cancellationToken);
                sent = info;
            }

            if (job.State.IsTerminal)
            {
                return;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    public async Task<V1.TerminateJobResponse> TerminateAsync(Caller caller, V1.TerminateJobRequest request, CancellationToken cancellationToken)
    {
        var job = JobLookup.Find(loop, caller, request.JobId);
        await loop.ApplyAsync(new ClusterInput.TerminateJob(job.Uid, KillCause.User), cancellationToken);
        var state = loop.Current;
        return new V1.TerminateJobResponse { Job = infos.Of(state, state.Jobs.Find(job.Uid) ?? job, withTasks: true) };
    }

    public V1.ListJobsResponse List(Caller caller, V1.ListJobsRequest request)
    {
        var all = request.Namespace == "*";
        if (all && !caller.IsAdmin)
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, "The jobs of all namespaces need a token of the role admin."));
        }

        var @namespace = all ? default : EndpointCalls.NamespaceOf(caller, request.Namespace);
        JobId? within = request.Prefix.Length == 0 ? null
            : JobId.TryParse(request.Prefix, out var prefix) ? prefix
            : throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{request.Prefix}' is not a job id."));
        var from = request.PageToken.Length == 0 ? long.MaxValue
            : long.TryParse(request.PageToken, out var token) && token > 0 ? token
            : throw new RpcException(new Status(StatusCode.InvalidArgument, "The page token is not one that this controller gave out."));
        var size = request.PageSize <= 0 ? DefaultPage : Math.Min(request.PageSize, LargestPage);

        var state = loop.Current;
        var states = request.States.Select(wanted => (JobState)wanted).ToHashSet();
        var response = new V1.ListJobsResponse();
        foreach (var job in state.Jobs.Descending(from))
        {
            if (!all && job.Namespace != @namespace || states.Count > 0 && !states.Contains(job.State) || within is { } ancestor && !job.Id.IsWithin(ancestor))
            {
                continue;
            }

            if (response.Jobs.Count == size)
            {
                response.NextPageToken = job.Uid.ToString();
                break;
            }

            response.Jobs.Add(infos.Of(state, job, withTasks: false));
        }

        return response;
    }

    public V1.GetResultResponse Result(Caller caller, V1.GetResultRequest request)
    {
        var state = loop.Current;
        var job = JobLookup.Find(state, loop.Directory, caller, request.JobId);
        if (request.TaskIndex < 0 || request.TaskIndex >= job.Terms.Replicas)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"Job '{job.Id}' has no task {request.TaskIndex}: its tasks are 0 to {job.Terms.Replicas - 1}."));
        }

        var task = state.TaskOf(job, request.TaskIndex);
        if (task is not { State: JobState.Succeeded })
        {
            var taskState = task?.State ?? JobState.Pending;
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition,
                taskState.IsTerminal || job.State.IsTerminal
                    ? $"Task {request.TaskIndex} of job '{job.Id}' has no result: it ended {(taskState.IsTerminal ? taskState : job.State)}."
                    : $"Task {request.TaskIndex} of job '{job.Id}' has no result yet: it is {taskState}."));
        }

        return new V1.GetResultResponse { Result = task.Result?.ToWire() };
    }

    /// <summary>In which namespace a job is submitted, and by which attempt.</summary>
    private (Namespace Namespace, Fence Fence) OriginOf(Caller caller, JobId id, V1.JobSpec spec)
    {
        var wanted = spec.Namespace.Length > 0 ? Namespace.Parse(spec.Namespace)
            : id.Parent is { } parent && loop.Directory.Find(parent, loop.Current) is { } record ? record.Namespace
            : caller.Namespace;
        return caller.MayUse(wanted)
            ? (wanted, caller.IsJob ? caller.Fence : default)
            : throw new RpcException(new Status(StatusCode.PermissionDenied, $"The token is for namespace '{caller.Namespace}'; namespace '{wanted}' needs the role admin."));
    }
}
