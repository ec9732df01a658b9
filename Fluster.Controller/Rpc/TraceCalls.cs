using Grpc.Core;

namespace Fluster.Controller;

/// <summary>Traces, for those who may see the jobs in them.</summary>
internal sealed class TraceCalls(ClusterLoop loop, SpanStore spans, JobTracer tracer, WorkerAdmission admission, TimeProvider time)
{
    private const int MostReported = 2_000;

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

    /// <summary>Takes in what a worker knows of attempts that were placed on it.</summary>
    public V1.ReportSpansResponse Report(Caller caller, V1.ReportSpansRequest request)
    {
        if (request.Spans.Count > MostReported)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"A worker sends at most {MostReported} spans at a time."));
        }

        var worker = admission.Admit(caller, request.WorkerId, request.ClusterId, request.Epoch, counter: 0);
        var state = loop.Current;
        foreach (var reported in request.Spans)
        {
            // Of an attempt that is forgotten, or of another's: there is nobody left to show it to.
            if (reported.Span is { } span && SpanLimits.IsValid(span) && state.Attempt(new Fence(reported.Fence)) is { } attempt && attempt.Worker == worker && state.Jobs.Find(attempt.JobUid) is { } job)
            {
                span.JobId = "";
                var own = JobTrace.Of(job) is { } trace && trace.TraceId == span.TraceId;
                tracer.Heard(job.Uid);
                spans.Add(new StoredSpan(job.Uid, own, span.End is null ? SpanRank.Open : SpanRank.Ended, SpanLimits.Cut(span)));
            }
        }

        return new V1.ReportSpansResponse();
    }
}
