using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>
/// A cluster inside this process: .NET jobs run on threads of it, commands as its child processes. For tests, and for programs that run the same on a laptop and
/// on a cluster. What jobs capture and return travels as copies, as it would to a cluster, and each job has its own <see cref="FlusterContext"/>, console output,
/// namespace and ports; what is the process's own (memory, static fields, environment variables, the working directory) they share.
/// Source: seed 000.
/// </summary>
public sealed class LocalClient : IClusterController
{
    /// <summary>How long a wait for jobs is when it is not told (seed 000).</summary>
    private static readonly TimeSpan s_defaultWait = TimeSpan.FromSeconds(300);

    private readonly LocalClientOptions _options;
    private readonly TimeProvider _time;
    private readonly LocalJobs _jobs;

    /// <summary>A local cluster without jobs.</summary>
    public LocalClient(LocalClientOptions? options = null)
        : this(options ?? new LocalClientOptions(), TimeProvider.System)
    {
    }

    internal LocalClient(LocalClientOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        var endpoints = new LocalEndpoints(time);
        _jobs = new LocalJobs(options, endpoints, time) { Start = static _ => { } };
        _jobs.Start = new LocalRunner(this, _jobs, options, time).Start;
        EndpointRegistry = new LocalRegistry(endpoints, _jobs, options, Caller);
    }

    /// <summary>Always <c>local://localhost</c> (seed 000): nobody outside of this process can reach it.</summary>
    public string Address => "local://localhost";

    /// <summary>The namespace of jobs that are submitted outside a job.</summary>
    public Namespace Namespace => _options.Namespace;

    /// <summary>Tasks that run at a time.</summary>
    public int MaxTasks => _options.MaxTasks;

    /// <inheritdoc/>
    public IEndpointRegistry EndpointRegistry { get; }

    /// <summary>Submits a job. What it is given is copied now; it runs as soon as there is a place.</summary>
    /// <exception cref="JobRequestException">The request cannot be right, something in it cannot travel, or it asks for what there is not in one process; the message names it.</exception>
    /// <exception cref="ClusterException">The submitting job has ended, or has a live child of that name.</exception>
    /// <exception cref="ObjectDisposedException">The client was disposed.</exception>
    public Task<JobHandle> SubmitAsync(JobRequest request, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(new JobHandle(this, LocalSubmission.Submit(request, _options, _jobs, Caller(), _time)));
    }

    /// <inheritdoc/>
    public Task<JobStatus> GetStatusAsync(JobId job, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(_jobs.Status(job, Caller()));
    }

    /// <inheritdoc/>
    public async Task<JobStatus> WaitAsync(JobId job, TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default) =>
        (await WaitAsync([job], timeout, throwOnFailure, cancellationToken).ConfigureAwait(false))[0];

    /// <inheritdoc/>
    public async Task<IReadOnlyList<JobStatus>> WaitAsync(
        IReadOnlyList<JobId> jobs, TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        var caller = Caller();
        var meant = jobs.Select(id => _jobs.Read(id, caller, job => job)).ToList();
        using var lent = _jobs.Lend(caller, meant.Select(job => job.Id));
        var longest = timeout ?? s_defaultWait;
        using var late = new CancellationTokenSource(longest, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await foreach (var ended in Task.WhenEach(meant.Distinct().Select(job => EndAsync(job, stop.Token))).ConfigureAwait(false))
            {
                var status = await ended.ConfigureAwait(false);
                if (throwOnFailure && status.State != JobState.Succeeded)
                {
                    throw new JobFailedException(status, FailureText.Of(status));
                }
            }

            return [.. meant.Select(job => _jobs.StatusOf(job, withTasks: true))];
        }
        catch (OperationCanceledException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var left = meant.Where(job => !job.Ended.Task.IsCompleted).ToList();
            throw new TimeoutException(
                meant.Count == 1 ? $"{meant[0].Id} has not ended after {longest.TotalSeconds:0.###} s; it is {meant[0].State}."
                : $"{left.Count} of {meant.Count} jobs have not ended after {longest.TotalSeconds:0.###} s; the first is {(left.Count > 0 ? left : meant)[0].Id}.",
                exception);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false); // the waits that nobody needs any more
        }
    }

    /// <inheritdoc/>
    public Task<JobExplanation> ExplainAsync(JobId job, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(_jobs.Explain(job, Caller()));
    }

    /// <summary>
    /// Asks for the job and everything below it to stop: <see cref="FlusterContext.Stopping"/> is cancelled, and what has not ended after 5 seconds is Killed for
    /// everybody, though nothing can stop code in the same process that does not listen. A command's processes are killed.
    /// </summary>
    /// <returns>The job after the request was recorded.</returns>
    /// <exception cref="ClusterException">There is no such job (<see cref="ClusterError.NotFound"/>).</exception>
    public Task<JobStatus> TerminateAsync(JobId job, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(_jobs.Terminate(job, Caller()));
    }

    /// <summary>
    /// Takes a job's place away, as a cloud does with the machine that it runs on, so that you see what it does then: <see cref="FlusterContext.Stopping"/> is cancelled,
    /// <see cref="FlusterContext.Preemption"/> says how long it has, and it runs again, which counts as a preemption.
    /// </summary>
    /// <param name="job">Which one. What of it does not run is left alone.</param>
    /// <param name="notice">How long until it is given up. Default: 30 s, what spot machines of Compute Engine get.</param>
    /// <param name="cancellationToken">Gives up before anything was done.</param>
    /// <exception cref="ClusterException">There is no such job (<see cref="ClusterError.NotFound"/>).</exception>
    public Task PreemptAsync(JobId job, TimeSpan? notice = null, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _jobs.Preempt(job, notice ?? TimeSpan.FromSeconds(30), Caller());
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<int> TerminateWithinAsync(JobId prefix, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var only = Caller()?.Job.Namespace;
        return Task.FromResult(_jobs.TerminateWhere(job => job.Id.IsWithin(prefix) && (only is null || job.Namespace == only), KillCause.User));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<JobStatus> ListAsync(JobFilter? filter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        filter ??= new JobFilter();
        var @namespace = filter.Namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? _options.Namespace;
        if (Caller() is { Job: var asker } && (filter.AllNamespaces || @namespace != asker.Namespace))
        {
            throw new ClusterException(ClusterError.PermissionDenied, $"Job '{asker.Id}' sees the jobs of its own namespace, which is '{asker.Namespace}'.");
        }

        var jobs = _jobs.ReadAll(
            job => (filter.AllNamespaces || job.Namespace == @namespace) && (filter.States.Count == 0 || filter.States.Contains(job.State)) && (filter.Within is not { } within || job.Id.IsWithin(within)),
            job => _jobs.StatusOf(job, withTasks: false));
        foreach (var job in jobs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return job;
        }

        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<JobLogLine> StreamLogs(JobId job, LogOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        options ??= new LogOptions();
        var caller = Caller();
        var meant = _jobs.Read(job, caller, found => found);
        CheckTask(meant, options.TaskIndex ?? 0);
        using var lent = options.Follow ? _jobs.Lend(caller, [meant.Id]) : null;
        await foreach (var line in meant.Log.ReadAsync(options, cancellationToken).ConfigureAwait(false))
        {
            yield return line;
        }
    }

    /// <inheritdoc/>
    public Task<ReadOnlyMemory<byte>?> GetResultAsync(JobId job, int taskIndex, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(_jobs.Read(job, Caller(), found =>
        {
            CheckTask(found, taskIndex);
            var task = found.Tasks[taskIndex];
            return task.State == JobState.Succeeded ? task.Result is { } result ? result : (ReadOnlyMemory<byte>?)null : throw new ClusterException(
                ClusterError.FailedPrecondition,
                task.State.IsTerminal ? $"Task {taskIndex} of job '{found.Id}' has no result: it ended {task.State}." : $"Task {taskIndex} of job '{found.Id}' has no result yet: it is {task.State}.");
        }));
    }

    /// <summary>Stops the jobs and returns when they have ended: <c>DisposeAsync(wait: false)</c>.</summary>
    public ValueTask DisposeAsync() => DisposeAsync(wait: false);

    /// <summary>Takes no more jobs and returns when those that there are have ended.</summary>
    /// <param name="wait">Whether to wait for as long as they take. Else they are stopped, and have 5 seconds.</param>
    /// <remarks>Source: seed 000 (<c>shutdown(wait)</c>, which waits unless told otherwise; a job that serves for ever would keep it for ever).</remarks>
    public async ValueTask DisposeAsync(bool wait)
    {
        _jobs.Close();
        if (!wait)
        {
            _jobs.TerminateWhere(_ => true, KillCause.Shutdown);
        }

        await Task.WhenAll(_jobs.ReadAll(job => job.IsLive, job => job.Ended.Task)).ConfigureAwait(false);
    }

    /// <summary>The attempt of this client that the calling code belongs to; null: it is outside of all jobs, and may see everything.</summary>
    internal LocalAttempt? Caller() =>
        // Who runs it is asked first: the controller of a job's process is connected by looking at it.
        FlusterContext.CurrentOrNull is { WorkerId: { } worker } context && worker == LocalStatus.Worker && ReferenceEquals(context.Controller, this)
            ? _jobs.FindAttempt(context.Fence)
            : null;

    private async Task<JobStatus> EndAsync(LocalJob job, CancellationToken cancellationToken)
    {
        await job.Ended.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        return _jobs.StatusOf(job, withTasks: true);
    }

    private static void CheckTask(LocalJob job, int index)
    {
        if (index < 0 || index >= job.Tasks.Count)
        {
            throw new ClusterException(ClusterError.InvalidArgument, $"Job '{job.Id}' has no task {index}: its tasks are 0 to {job.Tasks.Count - 1}.");
        }
    }
}
