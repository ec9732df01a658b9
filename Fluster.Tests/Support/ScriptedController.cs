using System.Collections.Concurrent;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// A controller's service over a real connection whose jobs do what the test says: for clients and what they print, where a real
/// controller would do the unusual only by luck.
/// </summary>
internal sealed class ScriptedController : V1.ControllerService.ControllerServiceBase, IAsyncDisposable
{
    public const string Token = "right";

    private readonly ConcurrentDictionary<string, ScriptedJob> _jobs = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<ScriptedJob> _newest = new();
    private GrpcTestServer? _server;

    public string Address => _server!.Address;

    /// <summary>What the jobs launched from now on do.</summary>
    public Func<ScriptedJob, Task> Play { get; set; } = job =>
    {
        job.End();
        return Task.CompletedTask;
    };

    /// <summary>What the answer to a launch waits for; the job is there before.</summary>
    public Task AnswerLaunch { get; set; } = Task.CompletedTask;

    public IReadOnlyList<ScriptedJob> Jobs => [.. _newest];

    public static async Task<ScriptedController> StartAsync()
    {
        var controller = new ScriptedController();
        controller._server = await GrpcTestServer.StartAsync(builder => builder.Services.AddSingleton(controller), app => app.MapGrpcService<ScriptedController>());
        return controller;
    }

    /// <summary>A job that is there already.</summary>
    public ScriptedJob Add(string id, string name)
    {
        var job = new ScriptedJob(id, new V1.JobSpec { Name = name });
        _jobs[id] = job;
        _newest.Enqueue(job);
        return job;
    }

    public override async Task<V1.LaunchJobResponse> LaunchJob(V1.LaunchJobRequest request, ServerCallContext context)
    {
        Check(context);
        var job = new ScriptedJob(request.JobId, request.Spec);
        _jobs[request.JobId] = job;
        _newest.Enqueue(job);
        _ = Play(job);
        await AnswerLaunch.WaitAsync(context.CancellationToken);
        return new V1.LaunchJobResponse { Job = job.Info };
    }

    public override Task<V1.GetJobStatusResponse> GetJobStatus(V1.GetJobStatusRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.GetJobStatusResponse { Job = Find(request.JobId, context).Info });

    public override async Task WatchJob(V1.WatchJobRequest request, IServerStreamWriter<V1.WatchJobResponse> responses, ServerCallContext context)
    {
        var job = Find(request.JobId, context);
        while (true)
        {
            var changed = job.Changed;
            await responses.WriteAsync(new V1.WatchJobResponse { Job = job.Info });
            if (job.HasEnded)
            {
                return;
            }

            await changed.WaitAsync(context.CancellationToken);
        }
    }

    public override async Task WaitJobs(V1.WaitJobsRequest request, IServerStreamWriter<V1.WaitJobsResponse> responses, ServerCallContext context)
    {
        foreach (var (index, id) in request.JobIds.Index())
        {
            var job = Find(id, context);
            for (var changed = job.Changed; !job.HasEnded; changed = job.Changed)
            {
                await changed.WaitAsync(context.CancellationToken);
            }

            await responses.WriteAsync(new V1.WaitJobsResponse { Job = job.Info, Indices = { index } });
        }
    }

    public override async Task StreamLogs(V1.StreamLogsRequest request, IServerStreamWriter<V1.StreamLogsResponse> responses, ServerCallContext context)
    {
        var job = Find(request.JobId, context);
        var sent = request.Cursor.Length == 0 ? 0 : int.Parse(request.Cursor);
        while (true)
        {
            var changed = job.Changed;
            var hasEnded = job.HasEnded;
            foreach (var chunk in job.Log.Skip(sent))
            {
                sent++;
                await responses.WriteAsync(new V1.StreamLogsResponse { Chunks = { chunk }, Cursor = $"{sent}" });
            }

            if (hasEnded || !request.Follow)
            {
                return;
            }

            await changed.WaitAsync(context.CancellationToken);
        }
    }

    public override Task<V1.TerminateJobResponse> TerminateJob(V1.TerminateJobRequest request, ServerCallContext context)
    {
        var job = Find(request.JobId, context);
        job.Stop();
        return Task.FromResult(new V1.TerminateJobResponse { Job = job.Info });
    }

    public override Task<V1.ListJobsResponse> ListJobs(V1.ListJobsRequest request, ServerCallContext context)
    {
        Check(context);
        return Task.FromResult(new V1.ListJobsResponse { Jobs = { _newest.Reverse().Select(job => job.Info) } });
    }

    /// <summary>What it answers about the trace of any job.</summary>
    public V1.GetJobTraceResponse Trace { get; set; } = new();

    public override Task<V1.GetJobTraceResponse> GetJobTrace(V1.GetJobTraceRequest request, ServerCallContext context) => Task.FromResult(Trace);

    public override Task<V1.ListWorkersResponse> ListWorkers(V1.ListWorkersRequest request, ServerCallContext context)
    {
        Check(context);
        var worker = new V1.WorkerInfo
        {
            WorkerId = "worker-1",
            State = "Alive",
            RunningAttempts = 1,
            Used = new V1.ResourceSpec { CpuMillis = 500, MemoryBytes = 256 << 20 },
            Capabilities = new V1.WorkerCapabilities { Capacity = new V1.ResourceSpec { CpuMillis = 2000, MemoryBytes = 4L << 30 }, MaxConcurrentJobs = 10, Isolation = "cgroup2" },
            Health = new V1.WorkerHealth { AcceptsWork = true },
        };
        return Task.FromResult(new V1.ListWorkersResponse { Workers = { worker } });
    }

    public override Task<V1.ListVmsResponse> ListVms(V1.ListVmsRequest request, ServerCallContext context)
    {
        Check(context);
        var booting = new V1.VmInfo
        {
            VmId = "fluster-0000000a",
            Backend = "gce",
            Shape = "n2-standard-4",
            Zone = "us-central1-a",
            State = "Booting",
            WorkerCount = 1,
            JobId = "train-00000001",
            RequestedAt = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow()),
        };
        var slice = new V1.VmInfo
        {
            VmId = "fluster-tpu-0000000b",
            Backend = "tpu",
            Shape = "v5litepod-16",
            Zone = "us-west4-a",
            State = "Releasing",
            WorkerCount = 4,
            WorkerIds = { Enumerable.Range(0, 4).Select(index => $"fluster-tpu-0000000b-{index}") },
            Detail = "its worker fluster-tpu-0000000b-2 is lost",
            RequestedAt = booting.RequestedAt,
        };
        var block = new V1.VmBlock
        {
            Backend = "gce",
            Scope = "us-central1-b",
            Kind = "Stockout",
            Failures = 2,
            Message = "none left there",
            Until = Timestamp.FromDateTimeOffset(new DateTimeOffset(2026, 1, 1, 12, 0, 5, TimeSpan.Zero)),
        };
        return Task.FromResult(new V1.ListVmsResponse { Vms = { booting, slice }, Blocks = { block } });
    }

    public override Task<V1.GetClusterStatusResponse> GetClusterStatus(V1.GetClusterStatusRequest request, ServerCallContext context)
    {
        Check(context);
        return Task.FromResult(new V1.GetClusterStatusResponse
        {
            ClusterId = "c-1",
            Epoch = 3,
            Version = "0.1.0",
            Registry = "memory",
            Workers = 1,
            Uptime = Duration.FromTimeSpan(TimeSpan.FromSeconds(75)),
            JobsByState = { ["Running"] = 2, ["Succeeded"] = 5 },
        });
    }

    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    private static void Check(ServerCallContext context)
    {
        if (context.RequestHeaders.GetValue("authorization") != "Bearer " + Token)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, "The token is not one of this cluster."));
        }
    }

    private ScriptedJob Find(string id, ServerCallContext context)
    {
        Check(context);
        return _jobs.GetValueOrDefault(id) ?? throw new RpcException(new Status(StatusCode.NotFound, $"There is no job {id}."));
    }
}

/// <summary>A job whose life the test tells.</summary>
internal sealed class ScriptedJob(string id, V1.JobSpec spec)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<V1.LogChunk> _log = [];
    private readonly V1.JobInfo _info = new()
    {
        JobId = id,
        Name = spec.Name,
        Namespace = spec.Namespace.Length == 0 ? "default" : spec.Namespace,
        State = V1.JobState.Running,
        Replicas = Math.Max(1, spec.Replicas),
        Entrypoint = string.Join(' ', spec.Entrypoint?.Command?.Argv ?? []),
        Resources = spec.Resources ?? new V1.ResourceSpec(),
        CreatedAt = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow()),
        StartedAt = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow()),
    };

    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public V1.JobSpec Spec => spec;

    /// <summary>Completes when somebody asks for the job to stop.</summary>
    public Task StopRequested => _stopRequested.Task;

    public Task Changed
    {
        get
        {
            lock (_gate)
            {
                return _changed.Task;
            }
        }
    }

    public V1.JobInfo Info
    {
        get
        {
            lock (_gate)
            {
                return _info.Clone();
            }
        }
    }

    public IReadOnlyList<V1.LogChunk> Log
    {
        get
        {
            lock (_gate)
            {
                return [.. _log];
            }
        }
    }

    public bool HasEnded => Info.State >= V1.JobState.Succeeded;

    public void Write(string text, V1.LogStream stream = V1.LogStream.Stdout, int task = 0) => Write(Encoding.UTF8.GetBytes(text), stream, task);

    public void Write(byte[] data, V1.LogStream stream = V1.LogStream.Stdout, int task = 0) =>
        Change(() => _log.Add(new V1.LogChunk { JobId = id, TaskIndex = task, Fence = 1, Sequence = _log.Count, Stream = stream, Data = ByteString.CopyFrom(data) }));

    public void Wait(string reason) => Change(() => (_info.State, _info.PendingReason) = (V1.JobState.Pending, reason));

    public void End(V1.JobState state = V1.JobState.Succeeded, V1.Failure? failure = null) => Change(() => (_info.State, _info.Failure) = (state, failure));

    public void Stop()
    {
        Change(() => _info.Stopping = !HasEnded);
        _stopRequested.TrySetResult();
    }

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            change();
            changed = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.TrySetResult();
    }
}
