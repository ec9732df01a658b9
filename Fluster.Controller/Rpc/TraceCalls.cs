namespace Fluster.Controller;

/// <summary>Traces, for those who may see the jobs in them.</summary>
internal sealed class TraceCalls(ClusterLoop loop, SpanStore spans, TimeProvider time)
{
    /// <summary>How long a reader waits for what was only just recorded.</summary>
    private static readonly TimeSpan s_longestFlush = TimeSpan.FromSeconds(2);

    public async Task<V1.GetJobTraceResponse> GetAsync(Caller caller, V1.GetJobTraceRequest request, CancellationToken cancellationToken)
    {
        var job = JobLookup.Find(loop, caller, request.JobId);
        if (JobTrace.Of(job) is not { } trace)
        {
            return new V1.GetJobTraceResponse();
        }

        try
        {
            await spans.FlushAsync(cancellationToken).WaitAsync(s_longestFlush, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // What is on the disk already is better than nothing.
        }

        var state = loop.Current;
        var response = new V1.GetJobTraceResponse { TraceId = trace.TraceId, Sampled = trace.IsSampled, Dropped = spans.DroppedOf(job.Uid) };
        foreach (var (uid, span) in spans.Read(trace.TraceId, uid => state.Jobs.Find(uid) is { } owner && caller.MayUse(owner.Namespace)))
        {
            span.JobId = state.Jobs.Find(uid)!.Id.ToString();
            response.Spans.Add(span);
        }

        return response;
    }
}
