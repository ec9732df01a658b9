using Grpc.Core;

namespace Fluster.Controller;

/// <summary>Logs on their way in from workers, and out to readers.</summary>
internal sealed class LogCalls(ClusterLoop loop, LogStore logs, JobWatches watches, WorkerAdmission admission, TimeProvider time)
{
    /// <summary>A chunk has 64 KiB of data; a little more is no reason to lose it.</summary>
    private const int MostData = 80 << 10;

    public async Task ReceiveAsync(
        Caller caller, IAsyncStreamReader<V1.WorkerLogsRequest> requests, IServerStreamWriter<V1.WorkerLogsResponse> responses, CancellationToken cancellationToken)
    {
        if (!await requests.MoveNext(cancellationToken) || requests.Current.Hello is not { } hello)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "A worker begins with Hello."));
        }

        var worker = admission.Admit(caller, hello.WorkerId, hello.ClusterId, hello.Epoch, counter: 0);
        using var receiver = new LogReceiver(logs);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var acknowledging = AcknowledgeAsync(receiver, responses, ended.Token);
        try
        {
            while (await requests.MoveNext(cancellationToken))
            {
                Take(worker, requests.Current.Chunk, receiver);
            }

            receiver.End();
            await acknowledging;
        }
        catch (IOException)
        {
            // The worker is gone; what was not acknowledged comes again.
        }
        finally
        {
            await ended.CancelAsync();
            await acknowledging.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public async Task StreamAsync(Caller caller, V1.StreamLogsRequest request, IServerStreamWriter<V1.StreamLogsResponse> responses, CancellationToken cancellationToken)
    {
        var job = JobLookup.Find(loop, caller, request.JobId);
        if (!LogCursor.TryParse(request.Cursor, out var cursor))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "The cursor is not one that this controller gave out."));
        }

        if (request.HasTaskIndex && (request.TaskIndex < 0 || request.TaskIndex >= job.Terms.Replicas))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"Job '{job.Id}' has no task {request.TaskIndex}: its tasks are 0 to {job.Terms.Replicas - 1}."));
        }

        using var watch = watches.Open(job.Uid);
        using var reader = new JobLogReader(logs, () => ViewOf(job.Uid, request.HasTaskIndex ? request.TaskIndex : null), watch.Changed, time);
        await foreach (var chunks in reader.ReadAsync(cursor, request.Follow, request.TailLines, cancellationToken))
        {
            var response = new V1.StreamLogsResponse { Cursor = cursor.ToString() };
            response.Chunks.AddRange(chunks);
            await responses.WriteAsync(response, cancellationToken);
        }
    }

    private static async Task AcknowledgeAsync(LogReceiver receiver, IServerStreamWriter<V1.WorkerLogsResponse> responses, CancellationToken cancellationToken)
    {
        // Flushing blocks: not on the thread that reads the worker's stream.
        await Task.Yield();
        await foreach (var (fence, sequence) in receiver.AcknowledgeAsync(cancellationToken))
        {
            await responses.WriteAsync(new V1.WorkerLogsResponse { Fence = fence.Value, Sequence = sequence }, cancellationToken);
        }
    }

    private void Take(WorkerId worker, V1.LogChunk? chunk, LogReceiver receiver)
    {
        if (chunk is null || chunk.Data.Length > MostData || chunk.LineCount < 0 || chunk.Sequence < 0)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "After its Hello a worker sends chunks of logs, each with at most 64 KiB."));
        }

        var state = loop.Current;
        var attempt = state.Attempt(new Fence(chunk.Fence));
        if (attempt is null || attempt.Worker != worker)
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, $"Attempt {chunk.Fence} was not placed on worker '{worker}'."));
        }

        chunk.JobId = state.Jobs.Find(attempt.JobUid)!.Id.ToString();
        chunk.TaskIndex = attempt.TaskIndex;
        if (!receiver.Receive(chunk))
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"Chunks before number {chunk.Sequence} of attempt {chunk.Fence} are missing: send again what was not acknowledged."));
        }
    }

    /// <summary>What a reader of a job's log needs to know of the job; null: it is not known any more.</summary>
    public JobLogView? ViewOf(long jobUid, int? onlyTask)
    {
        var state = loop.Current;
        if (state.Jobs.Find(jobUid) is not { } job)
        {
            return null;
        }

        var attempts = new List<AttemptLogView>();
        for (var index = onlyTask ?? 0; index <= (onlyTask ?? job.Terms.Replicas - 1); index++)
        {
            foreach (var fence in state.TaskOf(job, index)?.Attempts ?? [])
            {
                attempts.Add(new AttemptLogView(index, fence, state.Attempt(fence)?.Logs));
            }
        }

        return new JobLogView(job.State.IsTerminal, attempts);
    }
}
