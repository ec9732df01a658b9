using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>Follows a job through restarts of its controller: its status, its log, its results.</summary>
internal sealed class JobFollower(ControllerCalls calls, TimeProvider time)
{
    private const int MaxReads = 5;

    /// <summary>The job when it has ended.</summary>
    /// <exception cref="TimeoutException">It has not ended within the time.</exception>
    public async Task<JobStatus> WaitAsync(JobId job, TimeSpan timeout, Action<JobStatus>? observe, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var request = new V1.WatchJobRequest { JobId = job.ToString() };
        JobStatus? last = null;
        try
        {
            while (true)
            {
                await foreach (var message in calls.StreamAsync((service, options) => service.WatchJob(request, options), stop.Token).ConfigureAwait(false))
                {
                    last = message.Job.ToDomain();
                    observe?.Invoke(last);
                    if (last.State.IsTerminal)
                    {
                        return last;
                    }
                }

                // Ended well before the job did: the controller goes away; the next call meets the one that comes back.
                await new BackOff(time).WaitAsync(stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new TimeoutException($"{job} has not ended after {timeout.TotalSeconds:0.###} s; it is {(last is null ? "not answered for" : last.State)}.", exception);
        }
    }

    public async IAsyncEnumerable<JobLogLine> StreamLogs(JobId job, LogOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = new LogLineReader();
        await foreach (var message in StreamPieces(job, options, cancellationToken).ConfigureAwait(false))
        {
            JobLogLine? held = null;
            foreach (var line in message.Chunks.SelectMany(reader.Read))
            {
                if (held is not null)
                {
                    yield return held;
                }

                held = line;
            }

            if (held is not null)
            {
                yield return held with { Cursor = message.Cursor };
            }
        }
    }

    /// <summary>The log as it travels: chunks of bytes, with the cursor after them.</summary>
    public async IAsyncEnumerable<V1.StreamLogsResponse> StreamPieces(JobId job, LogOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new V1.StreamLogsRequest { JobId = job.ToString(), Cursor = options.Cursor ?? "", Follow = options.Follow, TailLines = options.Tail ?? 0 };
        if (options.TaskIndex is { } index)
        {
            request.TaskIndex = index;
        }

        if (options.Tail == 0)
        {
            yield break; // on the wire 0 means all
        }

        // The cursor of what was received last goes into the next request, so that a broken stream goes on exactly there.
        await foreach (var message in calls.StreamAsync((service, call) => service.StreamLogs(request.Clone(), call), cancellationToken).ConfigureAwait(false))
        {
            if (message.Cursor.Length > 0)
            {
                request.Cursor = message.Cursor;
                request.TailLines = 0;
            }

            yield return message;
        }
    }

    /// <summary>The result of one task as bytes; null when there is none.</summary>
    public async Task<ReadOnlyMemory<byte>?> GetResultAsync(JobId job, int taskIndex, CancellationToken cancellationToken)
    {
        var request = new V1.GetResultRequest { JobId = job.ToString(), TaskIndex = taskIndex };
        var response = await calls.CallAsync((service, options) => service.GetResultAsync(request, options), cancellationToken).ConfigureAwait(false);
        return response.Result?.SourceCase switch
        {
            V1.Payload.SourceOneofCase.Inline => response.Result.Inline.Memory,
            V1.Payload.SourceOneofCase.Blob => await ReadBlobAsync(response.Result.Blob, cancellationToken).ConfigureAwait(false),
            _ => null,
        };
    }

    private async Task<ReadOnlyMemory<byte>> ReadBlobAsync(V1.BlobRef blob, CancellationToken cancellationToken)
    {
        var backOff = new BackOff(time);
        for (var attempt = 1; attempt <= MaxReads; attempt++)
        {
            var bytes = new MemoryStream();
            await foreach (var piece in calls.StreamAsync((service, options) => service.GetBlob(new V1.GetBlobRequest { Hash = blob.Hash }, options), cancellationToken).ConfigureAwait(false))
            {
                bytes.Write(piece.Data.Span);
            }

            var content = bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
            if (BlobSource.HashOf(content.Span) == blob.Hash)
            {
                return content;
            }

            // The stream broke and was begun anew in the middle of it; from the beginning again.
            await backOff.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        throw new ClusterException(ClusterError.Internal, $"The blob {blob.Hash} arrived {MaxReads} times other than its hash says.");
    }
}
