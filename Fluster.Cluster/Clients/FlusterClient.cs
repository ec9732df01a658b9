using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>A cluster through its controller's RPCs. Safe for use by many threads; make one and keep it.</summary>
public sealed class FlusterClient : IClusterController
{
    /// <summary>How long a wait for jobs is when it is not told (seed 000).</summary>
    private static readonly TimeSpan s_defaultWait = TimeSpan.FromSeconds(300);

    private readonly FlusterClientOptions _options;
    private readonly ControllerChannel _channel;
    private readonly ControllerCalls _calls;
    private readonly JobTokenRenewal _renewal;
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly JobSubmission _submission;
    private readonly JobFollower _follower;

    /// <summary>A client that connects with its first call.</summary>
    public FlusterClient(FlusterClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _channel = new ControllerChannel(options);
        _calls = new ControllerCalls(options, _channel, _time);
        Uploader = new BlobUploader(_calls, _time);
        _submission = new JobSubmission(options, _calls, Uploader);
        _follower = new JobFollower(_calls, _time);
        EndpointRegistry = new ControllerEndpoints(_calls, options, _time);
        _renewal = new JobTokenRenewal(_channel, _calls, _time);
        _renewal.Start();
    }

    /// <inheritdoc/>
    public string Address => _options.Address;

    /// <summary>The namespace of root jobs and of look-ups outside a job.</summary>
    public Namespace Namespace => _options.Namespace;

    /// <inheritdoc/>
    public IEndpointRegistry EndpointRegistry { get; }

    /// <summary>The token that its calls carry now.</summary>
    internal string? Token => _channel.Token;

    /// <summary>The cluster's public key; null when the client was not told.</summary>
    internal string? ClusterKey => _options.ClusterKey;

    /// <summary>What this client sent as blobs.</summary>
    internal BlobUploader Uploader { get; }

    /// <summary>Ends what ends with the client.</summary>
    internal Func<ValueTask>? Disposed { get; set; }

    /// <summary>For calls that are not part of <see cref="IClusterController"/>.</summary>
    internal ControllerCalls Calls => _calls;

    /// <summary>A client whose controller has answered.</summary>
    /// <exception cref="ClusterException">The controller cannot be reached, or refuses the token or the version of the protocol.</exception>
    public static async Task<FlusterClient> ConnectAsync(FlusterClientOptions options, CancellationToken cancellationToken = default)
    {
        var client = new FlusterClient(options);
        try
        {
            // Any call that needs a valid token and does nothing.
            await client._calls.CallAsync((service, call) => service.HasBlobsAsync(new V1.HasBlobsRequest(), call), cancellationToken).ConfigureAwait(false);
            return client;
        }
        catch
        {
            await client.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// A client of the cluster that the environment names (as it is set in every job), else of the current cluster in
    /// <c>~/.fluster/context.json</c>, which starting a cluster writes.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is none; the message says what to start.</exception>
    public static FlusterClient FromEnvironment() => new(ClientEnvironment.Find());

    /// <inheritdoc/>
    public async Task<JobHandle> SubmitAsync(JobRequest request, CancellationToken cancellationToken = default)
    {
        var (id, trace) = await _submission.SubmitAsync(request, cancellationToken).ConfigureAwait(false);
        return new JobHandle(this, id) { Trace = trace };
    }

    /// <inheritdoc/>
    public async Task<JobStatus> GetStatusAsync(JobId job, CancellationToken cancellationToken = default)
    {
        var request = new V1.GetJobStatusRequest { JobId = job.ToString() };
        var response = await _calls.CallAsync((service, options) => service.GetJobStatusAsync(request, options), cancellationToken).ConfigureAwait(false);
        return response.Job.ToDomain();
    }

    /// <inheritdoc/>
    public async Task<JobStatus> WaitAsync(JobId job, TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default)
    {
        var status = await _follower.WaitAsync(job, timeout ?? s_defaultWait, observe: null, cancellationToken).ConfigureAwait(false);
        return status.State == JobState.Succeeded || !throwOnFailure ? status : throw new JobFailedException(status, FailureText.Of(status));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<JobStatus>> WaitAsync(
        IReadOnlyList<JobId> jobs, TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        if (jobs.Count == 1)
        {
            return [await WaitAsync(jobs[0], timeout, throwOnFailure, cancellationToken).ConfigureAwait(false)];
        }

        var waits = new JobWaits(_calls, _time, throwOnFailure);
        return await waits.WaitAsync(jobs, timeout ?? s_defaultWait, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<int> TerminateWithinAsync(JobId prefix, CancellationToken cancellationToken = default)
    {
        var request = new V1.TerminateJobRequest { JobId = prefix.ToString(), Within = true };
        var response = await _calls.CallAsync((service, options) => service.TerminateJobAsync(request, options), cancellationToken).ConfigureAwait(false);
        return response.Stopped;
    }

    /// <inheritdoc/>
    public async Task<JobExplanation> ExplainAsync(JobId job, CancellationToken cancellationToken = default)
    {
        var request = new V1.ExplainJobRequest { JobId = job.ToString() };
        var response = await _calls.CallAsync((service, options) => service.ExplainJobAsync(request, options), cancellationToken).ConfigureAwait(false);
        return response.Explanation.ToDomain();
    }

    /// <inheritdoc/>
    public async Task<JobStatus> TerminateAsync(JobId job, CancellationToken cancellationToken = default)
    {
        var request = new V1.TerminateJobRequest { JobId = job.ToString() };
        var response = await _calls.CallAsync((service, options) => service.TerminateJobAsync(request, options), cancellationToken).ConfigureAwait(false);
        return response.Job.ToDomain();
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<JobStatus> ListAsync(JobFilter? filter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        filter ??= new JobFilter();
        var request = new V1.ListJobsRequest
        {
            Namespace = filter.AllNamespaces ? "*" : (filter.Namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? _options.Namespace).ToString(),
            Prefix = filter.Within?.ToString() ?? "",
            PageSize = 1000,
            IncludeArchived = filter.IncludeArchived,
        };
        request.States.AddRange(filter.States.Select(JobWire.ToWire));
        do
        {
            var response = await _calls.CallAsync((service, options) => service.ListJobsAsync(request, options), cancellationToken).ConfigureAwait(false);
            foreach (var job in response.Jobs)
            {
                yield return job.ToDomain();
            }

            request.PageToken = response.NextPageToken;
        }
        while (request.PageToken.Length > 0);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<JobLogLine> StreamLogs(JobId job, LogOptions? options = null, CancellationToken cancellationToken = default) =>
        _follower.StreamLogs(job, options ?? new LogOptions(), cancellationToken);

    /// <inheritdoc/>
    public Task<ReadOnlyMemory<byte>?> GetResultAsync(JobId job, int taskIndex, CancellationToken cancellationToken = default) =>
        _follower.GetResultAsync(job, taskIndex, cancellationToken);

    /// <summary>The trace that the job is part of.</summary>
    internal Task<V1.GetJobTraceResponse> GetTraceAsync(JobId job, CancellationToken cancellationToken)
    {
        var request = new V1.GetJobTraceRequest { JobId = job.ToString() };
        return _calls.CallAsync((service, options) => service.GetJobTraceAsync(request, options), cancellationToken);
    }

    /// <summary>The job when it has ended; on the way every change is observed.</summary>
    internal Task<JobStatus> WatchAsync(JobId job, Action<JobStatus> observe, CancellationToken cancellationToken) =>
        _follower.WaitAsync(job, Timeout.InfiniteTimeSpan, observe, cancellationToken);

    /// <summary>The log byte for byte.</summary>
    internal async IAsyncEnumerable<V1.LogChunk> StreamLogChunks(JobId job, LogOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var piece in _follower.StreamPieces(job, options, cancellationToken).ConfigureAwait(false))
        {
            foreach (var chunk in piece.Chunks)
            {
                yield return chunk;
            }
        }
    }

    /// <summary>Closes the connection. Jobs go on, unless the cluster is one that was started for this client and ends with it.</summary>
    public ValueTask DisposeAsync()
    {
        _renewal.Dispose();
        _channel.Dispose();
        return Disposed?.Invoke() ?? ValueTask.CompletedTask;
    }
}
