using System.Diagnostics;

namespace Fluster.Cluster;

/// <summary>A job that was submitted. Letting go of the handle does nothing to the job.</summary>
public class JobHandle
{
    /// <summary>A handle of a job that is known by its id.</summary>
    public JobHandle(IClusterController controller, JobId id)
    {
        Controller = controller;
        Id = id;
    }

    /// <summary>The job's id.</summary>
    public JobId Id { get; }

    /// <summary>The cluster that has it.</summary>
    public IClusterController Controller { get; }

    /// <summary>The span that it was submitted in; default when nobody listens.</summary>
    internal ActivityContext Trace { get; init; }

    /// <inheritdoc cref="IClusterController.GetStatusAsync"/>
    public Task<JobStatus> GetStatusAsync(CancellationToken cancellationToken = default) => Controller.GetStatusAsync(Id, cancellationToken);

    /// <summary>The job as soon as it has ended. Cancelling stops the wait, not the job.</summary>
    /// <param name="timeout">The longest wait. Default: without limit.</param>
    /// <param name="throwOnFailure">Throws <see cref="JobFailedException"/> when the job ended other than Succeeded. Default: false.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    /// <exception cref="TimeoutException">The job has not ended within the time.</exception>
    /// <exception cref="JobFailedException">The job did not succeed, and <paramref name="throwOnFailure"/> was asked for.</exception>
    public async Task<JobStatus> WaitAsync(TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default)
    {
        using var activity = ClientTrace.StartWait(Id, Trace);
        return await Controller.WaitAsync(Id, timeout ?? Timeout.InfiniteTimeSpan, throwOnFailure, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Several jobs as soon as all of them have ended, in the order of the handles. Cancelling stops the wait, not the jobs.</summary>
    /// <param name="jobs">Jobs of one cluster.</param>
    /// <param name="timeout">The longest wait for all of them. Default: without limit.</param>
    /// <param name="throwOnFailure">Throws <see cref="JobFailedException"/> as soon as one of them ended other than Succeeded. Default: false.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    /// <exception cref="ArgumentException">The jobs are of several clusters.</exception>
    /// <exception cref="TimeoutException">Some have not ended within the time.</exception>
    /// <exception cref="JobFailedException">One did not succeed, and <paramref name="throwOnFailure"/> was asked for.</exception>
    public static async Task<IReadOnlyList<JobStatus>> WaitAllAsync(
        IEnumerable<JobHandle> jobs, TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default)
    {
        var handles = jobs.ToList();
        if (handles.Count == 0)
        {
            return [];
        }

        var controller = handles[0].Controller;
        return handles.TrueForAll(handle => ReferenceEquals(handle.Controller, controller))
            ? await controller.WaitAsync([.. handles.Select(handle => handle.Id)], timeout ?? Timeout.InfiniteTimeSpan, throwOnFailure, cancellationToken).ConfigureAwait(false)
            : throw new ArgumentException("The jobs are of several clusters: wait for each cluster's by themselves.", nameof(jobs));
    }

    /// <inheritdoc cref="IClusterController.TerminateAsync"/>
    public Task<JobStatus> TerminateAsync(CancellationToken cancellationToken = default) => Controller.TerminateAsync(Id, cancellationToken);

    /// <summary>What the job writes, in order, from the beginning and until it has ended and everything was sent.</summary>
    /// <param name="options">Another part of the log. Default: all of it, following.</param>
    /// <param name="cancellationToken">Stops the stream, not the job.</param>
    public IAsyncEnumerable<JobLogLine> StreamLogs(LogOptions? options = null, CancellationToken cancellationToken = default) =>
        Controller.StreamLogs(Id, options ?? new LogOptions { Follow = true }, cancellationToken);

    /// <inheritdoc/>
    public override string ToString() => Id.ToString();
}

/// <summary>A job whose tasks return a <typeparamref name="T"/>.</summary>
/// <typeparam name="T">What the submitted method returns.</typeparam>
public sealed class JobHandle<T> : JobHandle
{
    /// <summary>A handle of a job that is known by its id and whose entrypoint returns a <typeparamref name="T"/>.</summary>
    public JobHandle(IClusterController controller, JobId id) : base(controller, id)
    {
    }

    /// <summary>Waits for the job and returns what its only task returned.</summary>
    /// <param name="timeout">The longest wait. Default: without limit.</param>
    /// <param name="cancellationToken">Stops the wait, not the job.</param>
    /// <exception cref="JobFailedException">The job did not succeed.</exception>
    /// <exception cref="TimeoutException">The job has not ended within the time.</exception>
    /// <exception cref="InvalidOperationException">The job has several tasks: use <see cref="ResultsAsync"/>.</exception>
    public async Task<T> ResultAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var status = await WaitAsync(timeout, throwOnFailure: true, cancellationToken).ConfigureAwait(false);
        return status.Replicas == 1
            ? await ReadAsync(0, cancellationToken).ConfigureAwait(false)
            : throw new InvalidOperationException($"{Id} has {status.Replicas} tasks and so many results: use ResultsAsync.");
    }

    /// <summary>Waits for the job and returns what its tasks returned, by their index.</summary>
    /// <param name="timeout">The longest wait. Default: without limit.</param>
    /// <param name="cancellationToken">Stops the wait, not the job.</param>
    /// <exception cref="JobFailedException">The job did not succeed.</exception>
    /// <exception cref="TimeoutException">The job has not ended within the time.</exception>
    public async Task<IReadOnlyList<T>> ResultsAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var status = await WaitAsync(timeout, throwOnFailure: true, cancellationToken).ConfigureAwait(false);
        var results = new T[status.Replicas];
        for (var index = 0; index < results.Length; index++)
        {
            results[index] = await ReadAsync(index, cancellationToken).ConfigureAwait(false);
        }

        return results;
    }

    private async Task<T> ReadAsync(int taskIndex, CancellationToken cancellationToken)
    {
        var bytes = await Controller.GetResultAsync(Id, taskIndex, cancellationToken).ConfigureAwait(false);
        return bytes is null ? default! : PayloadJson.Read<T>(bytes.Value.Span);
    }
}
