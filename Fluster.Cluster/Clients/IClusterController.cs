namespace Fluster.Cluster;

/// <summary>
/// A cluster as a program sees it: submit jobs, follow them, find endpoints. <see cref="FlusterClient"/> speaks to a controller;
/// the local client runs jobs inside the calling process.
/// </summary>
public interface IClusterController : IAsyncDisposable
{
    /// <summary>Where the controller is, for people and for jobs: <c>http://127.0.0.1:7070</c>.</summary>
    string Address { get; }

    /// <summary>The endpoints of the cluster.</summary>
    IEndpointRegistry EndpointRegistry { get; }

    /// <summary>
    /// Submits a job and returns when it is on the controller's disk. Files that the cluster lacks are uploaded first. The submitter's
    /// context gives namespace, parent and trace.
    /// </summary>
    /// <param name="request">The job.</param>
    /// <param name="cancellationToken">Gives up. A root job that the cluster has got by then is stopped; a child may be there, and ends with its parent.</param>
    /// <exception cref="JobRequestException">The request cannot be right: a bad name, an empty command, a variable that cannot travel, more than a limit allows.</exception>
    /// <exception cref="InvalidOperationException">The program that a .NET entrypoint belongs to cannot be sent: no deps.json, another operating system, too large.</exception>
    /// <exception cref="ClusterException">The controller refused it or cannot be reached.</exception>
    Task<JobHandle> SubmitAsync(JobRequest request, CancellationToken cancellationToken = default);

    /// <summary>The job as it is now, with its tasks.</summary>
    /// <exception cref="ClusterException">There is no such job (<see cref="ClusterError.NotFound"/>), or the controller cannot be reached.</exception>
    Task<JobStatus> GetStatusAsync(JobId job, CancellationToken cancellationToken = default);

    /// <summary>The job as soon as it has ended. Cancelling stops the wait, not the job.</summary>
    /// <param name="job">The job.</param>
    /// <param name="timeout">The longest wait. Default: 300 seconds (seed 000); <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="throwOnFailure">Throws <see cref="JobFailedException"/> when the job ended other than Succeeded. Default: false.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    /// <exception cref="TimeoutException">The job has not ended within the time.</exception>
    /// <exception cref="JobFailedException">The job did not succeed, and <paramref name="throwOnFailure"/> was asked for.</exception>
    Task<JobStatus> WaitAsync(JobId job, TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default);

    /// <summary>The jobs as soon as all of them have ended, in the order in which they were asked for. Cancelling stops the wait, not the jobs.</summary>
    /// <param name="jobs">The jobs; one may be there twice.</param>
    /// <param name="timeout">The longest wait for all of them. Default: 300 seconds; <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="throwOnFailure">Throws <see cref="JobFailedException"/> as soon as one of them ended other than Succeeded. Default: false.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    /// <exception cref="TimeoutException">Some have not ended within the time; the message names the first of them.</exception>
    /// <exception cref="JobFailedException">One did not succeed, and <paramref name="throwOnFailure"/> was asked for.</exception>
    Task<IReadOnlyList<JobStatus>> WaitAsync(
        IReadOnlyList<JobId> jobs, TimeSpan? timeout = null, bool throwOnFailure = false, CancellationToken cancellationToken = default);

    /// <summary>Why the job is where it is: what it waits for, who has that, and the smallest change that would let it run.</summary>
    /// <exception cref="ClusterException">There is no such job (<see cref="ClusterError.NotFound"/>), or the controller cannot be reached.</exception>
    Task<JobExplanation> ExplainAsync(JobId job, CancellationToken cancellationToken = default);

    /// <summary>Asks for the job and everything below it to stop. A job that has ended keeps its state.</summary>
    /// <returns>The job after the request was recorded.</returns>
    /// <exception cref="ClusterException">
    /// There is no such job (<see cref="ClusterError.NotFound"/>); a create of that id that is still on the way is refused for 10 minutes.
    /// </exception>
    Task<JobStatus> TerminateAsync(JobId job, CancellationToken cancellationToken = default);

    /// <summary>
    /// Asks for every live job of this id and below it to stop, whether or not there is a job of the id itself: also for children that
    /// outlive their parent. Respects parts: <c>a/b</c> and <c>a/b/c</c> are within <c>a/b</c>, <c>a/bc</c> is not.
    /// </summary>
    /// <returns>The number of jobs that were live.</returns>
    Task<int> TerminateWithinAsync(JobId prefix, CancellationToken cancellationToken = default);

    /// <summary>The jobs that the filter lets through, newest first, without their tasks.</summary>
    IAsyncEnumerable<JobStatus> ListAsync(JobFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>What the job writes, in order. Ends after everything was sent: at the job's end when following, else at once.</summary>
    IAsyncEnumerable<JobLogLine> StreamLogs(JobId job, LogOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>The result of one task as the bytes that the entrypoint's result was written to (JSON); null when it returns nothing.</summary>
    Task<ReadOnlyMemory<byte>?> GetResultAsync(JobId job, int taskIndex, CancellationToken cancellationToken = default);
}
