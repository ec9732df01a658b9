using Google.Protobuf;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>The calls about jobs: each reads the request, applies one input or reads the state, and answers.</summary>
internal sealed class JobCalls(ClusterLoop loop, JobInfos infos, JobWatches watches, BlobChecks blobs, DiskSpace disk, RootRate traces, TimeProvider time, ShutdownSignal shutdown)
{
    /// <summary>A watcher is sent the tasks with every change up to so many; of larger jobs, only with the last message.</summary>
    private const int MostTasksWatched = 100;

    private const int MostAwaited = 10_000;

    public async Task<V1.LaunchJobResponse> LaunchAsync(Caller caller, V1.LaunchJobRequest request, CancellationToken cancellationToken)
    {
        var receivedAt = time.GetUtcNow();
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
            id, request.RequestId, @namespace, LaunchRules.TermsOf(spec), spec.ToByteArray(), JobTrace.Begin(request.Trace, receivedAt, traces), fence);
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

    /// <summary>Names each job once, when it has ended.</summary>
    public async Task WaitAsync(Caller caller, V1.WaitJobsRequest request, IServerStreamWriter<V1.WaitJobsResponse> responses, CancellationToken cancellationToken)
    {
        if (request.JobIds.Count is 0 or > MostAwaited)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"{request.JobIds.Count} jobs cannot be waited for at once; 1 to {MostAwaited} can."));
        }

        var indices = new Dictionary<long, List<int>>();
        foreach (var (index, id) in request.JobIds.Index())
        {
            var uid = JobLookup.Find(loop, caller, id).Uid;
            if (!indices.TryGetValue(uid, out var same))
            {
                indices[uid] = same = [];
            }

            same.Add(index);
        }

        using var watch = watches.Open([.. indices.Keys]);
        IReadOnlyCollection<long> look = [.. indices.Keys];
        while (true)
        {
            // Taken before looking: a change after the look ends the wait.
            var changed = watch.Changed.Next;
            var state = loop.Current;
            foreach (var uid in look)
            {
                if (state.Jobs.Find(uid) is { State.IsTerminal: true } job && indices.Remove(uid, out var same))
                {
                    var response = new V1.WaitJobsResponse { Job = infos.Of(state, job, withTasks: job.Terms.Replicas <= MostTasksWatched) };
                    response.Indices.AddRange(same);
                    await responses.WriteAsync(response, cancellationToken);
                }
            }

            if (indices.Count == 0)
            {
                return;
            }

            await changed.WaitAsync(cancellationToken);
            look = watch.TakeChanged();
        }
    }

    public async Task<V1.TerminateJobResponse> TerminateAsync(Caller caller, V1.TerminateJobRequest request, CancellationToken cancellationToken)
    {
        if (request.Within)
        {
            return await TerminateWithinAsync(caller, request, cancellationToken);
        }

        if (JobLookup.FindOrNull(loop.Current, loop.Directory, caller, request.JobId) is not { } job)
        {
            return await TerminateUnknownAsync(caller, request, cancellationToken);
        }

        await loop.ApplyAsync(new ClusterInput.TerminateJob(job.Uid, KillCause.User), cancellationToken);
        return Terminated(job.Uid, job);
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

    private V1.TerminateJobResponse Terminated(long uid, JobRecord? before)
    {
        var state = loop.Current;
        return new V1.TerminateJobResponse { Job = (state.Jobs.Find(uid) ?? before) is { } job ? infos.Of(state, job, withTasks: true) : null };
    }

    /// <summary>A client stops what it may have submitted: the submit may still be on the way.</summary>
    private async Task<V1.TerminateJobResponse> TerminateUnknownAsync(Caller caller, V1.TerminateJobRequest request, CancellationToken cancellationToken)
    {
        if (JobId.TryParse(request.JobId, out var id) && LaunchRules.IsMadeByClient(id))
        {
            var result = await loop.ApplyAsync(new ClusterInput.TerminateUnknown(id, caller.IsAdmin ? null : caller.Namespace), cancellationToken);
            if (result.Subject != 0)
            {
                return Terminated(result.Subject, null);
            }
        }

        throw JobLookup.NotFound(loop.Current, caller, request.JobId);
    }

    private async Task<V1.TerminateJobResponse> TerminateWithinAsync(Caller caller, V1.TerminateJobRequest request, CancellationToken cancellationToken)
    {
        if (!JobId.TryParse(request.JobId, out var prefix))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{request.JobId}' is not a job id."));
        }

        var state = loop.Current;
        var live = state.Jobs.Ascending().Count(job => job is { IsLive: true, Stopping: false } && job.Id.IsWithin(prefix) && caller.MayUse(job.Namespace));
        await loop.ApplyAsync(new ClusterInput.StopWithin(prefix, caller.IsAdmin ? null : caller.Namespace, KillCause.User), cancellationToken);
        var response = loop.Directory.Find(prefix, state) is { } job && caller.MayUse(job.Namespace) ? Terminated(job.Uid, job) : new V1.TerminateJobResponse();
        response.Stopped = live;
        return response;
    }

    public V1.ExplainJobResponse Explain(Caller caller, V1.ExplainJobRequest request)
    {
        var state = loop.Current;
        var job = JobLookup.Find(state, loop.Directory, caller, request.JobId);
        return new V1.ExplainJobResponse { Explanation = infos.Explainer(state).Of(job, seen => caller.MayUse(seen.Namespace)).ToWire() };
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
