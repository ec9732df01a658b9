namespace Fluster.Cluster;

/// <summary>Waits for many jobs over few streams, through restarts of their controller.</summary>
internal sealed class JobWaits(ControllerCalls calls, TimeProvider time, bool throwOnFailure)
{
    /// <summary>The most that one stream waits for.</summary>
    private const int MostPerStream = 10_000;

    /// <returns>The jobs as they ended, in the order of <paramref name="jobs"/>.</returns>
    /// <exception cref="TimeoutException">Some have not ended within the time.</exception>
    /// <exception cref="JobFailedException">One did not succeed, and that was to be an exception.</exception>
    public async Task<IReadOnlyList<JobStatus>> WaitAsync(IReadOnlyList<JobId> jobs, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var ended = new JobStatus?[jobs.Count];
        try
        {
            // One after the other: whoever waits for all does not mind in which order they are told.
            for (var from = 0; from < jobs.Count; from += MostPerStream)
            {
                await WaitAsync(jobs, ended, from, Math.Min(jobs.Count, from + MostPerStream), stop.Token).ConfigureAwait(false);
            }

            return ended!;
        }
        catch (OperationCanceledException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var left = ended.Count(status => status is null);
            throw new TimeoutException($"{left} of {jobs.Count} jobs have not ended after {timeout.TotalSeconds:0.###} s; the first is {jobs[Array.IndexOf(ended, null)]}.", exception);
        }
    }

    private async Task WaitAsync(IReadOnlyList<JobId> jobs, JobStatus?[] ended, int from, int to, CancellationToken cancellationToken)
    {
        while (true)
        {
            var open = Enumerable.Range(from, to - from).Where(index => ended[index] is null).ToArray();
            if (open.Length == 0)
            {
                return;
            }

            var request = new V1.WaitJobsRequest();
            request.JobIds.AddRange(open.Select(index => jobs[index].ToString()));
            await foreach (var message in calls.StreamAsync((service, options) => service.WaitJobs(request, options), cancellationToken).ConfigureAwait(false))
            {
                var status = message.Job.ToDomain();
                foreach (var index in message.Indices)
                {
                    ended[open[index]] = status;
                }

                if (throwOnFailure && status.State != JobState.Succeeded)
                {
                    throw new JobFailedException(status, FailureText.Of(status));
                }
            }

            // Ended well before the jobs did: the controller goes away; the next call meets the one that comes back.
            if (open.Any(index => ended[index] is null))
            {
                await new BackOff(time).WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
