using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>The place of one worker in a pool: submits its job, and another one when that has ended.</summary>
internal sealed class PoolSlot(IClusterController client, JobRequest request, string name, TimeProvider time)
{
    /// <summary>Jobs in a row that ended before their worker was ever there; then the place is given up.</summary>
    private const int MostFailures = 5;

    /// <summary>A worker that lived for so long is replaced as if it were the first.</summary>
    private static readonly TimeSpan s_longLife = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_firstBackOff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestBackOff = TimeSpan.FromSeconds(60);

    private volatile JobHandle? _job;
    private volatile string? _problem;
    private volatile bool _wasThere;

    /// <summary>The name under which the worker is found.</summary>
    public string Name => name;

    /// <summary>The worker's job; null while there is none.</summary>
    public JobHandle? Job => _job;

    /// <summary>What went wrong last.</summary>
    public string? Problem => _problem;

    /// <summary>The worker has been connected to.</summary>
    public void WasThere() => _wasThere = true;

    /// <summary>Keeps the worker alive. Returns when it is given up, with the reason; throws when it was told to stop.</summary>
    public async Task<Exception> RunAsync(CancellationToken cancellationToken)
    {
        var backOff = s_firstBackOff;
        for (var failures = 0; ;)
        {
            var start = time.GetTimestamp();
            _wasThere = false;
            Exception reason;
            try
            {
                // Not to be cancelled: a job that is made must be known, or nobody ends it.
                _job = await client.SubmitAsync(request, CancellationToken.None).ConfigureAwait(false);
                var status = await client.WaitAsync(_job.Id, Timeout.InfiniteTimeSpan, cancellationToken: cancellationToken).ConfigureAwait(false);
                reason = new JobFailedException(status, $"The job {_job.Id} of worker '{name}' ended {status.State}{(status.Failure is { } failure ? $": {failure.Message}" : ".")}");
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                if (!MayHelpToTryAgain(exception))
                {
                    _problem = exception.Message;
                    return exception;
                }

                reason = exception;
            }

            _problem = reason.Message;
            failures = _wasThere ? 0 : failures + 1;
            if (failures >= MostFailures)
            {
                return reason;
            }

            if (_wasThere && time.GetElapsedTime(start) > s_longLife)
            {
                backOff = s_firstBackOff;
            }

            await Task.Delay(backOff, time, cancellationToken).ConfigureAwait(false);
            backOff = backOff * 2 < s_longestBackOff ? backOff * 2 : s_longestBackOff;
        }
    }

    /// <summary>Ends the worker's job.</summary>
    /// <param name="wait">Whether to return only when it has ended.</param>
    public async Task TerminateAsync(bool wait)
    {
        if (_job is not { } job)
        {
            return;
        }

        try
        {
            await client.TerminateAsync(job.Id).ConfigureAwait(false);
            if (wait)
            {
                await client.WaitAsync(job.Id).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is ClusterException or ObjectDisposedException)
        {
            // It has ended, or nobody can be asked: a worker's job ends with the job that made the pool.
        }
    }

    private static bool MayHelpToTryAgain(Exception exception) => exception switch
    {
        ClusterException { Error: ClusterError.Unavailable or ClusterError.ResourceExhausted or ClusterError.Internal or ClusterError.AlreadyExists } => true,
        ClusterException or JobRequestException or InvalidOperationException => false, // also a client that was disposed
        _ => true,
    };
}
