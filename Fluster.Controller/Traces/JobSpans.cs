using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>The spans of jobs, made of what the state has of them.</summary>
internal static class JobSpans
{
    public const string Controller = "Fluster.Controller";

    public const string Worker = "Fluster.Worker";

    /// <summary>Attempts that are told of a job that failed in a trace that is not sampled.</summary>
    private const int MostAfterwards = 100;

    /// <summary>From the submit to the end of its last attempt. Open.</summary>
    public static V1.Span Job(string clusterId, JobTrace trace, JobRecord job)
    {
        var span = New(trace, JobTrace.JobSpan(clusterId, job.Uid), trace.ParentId, $"job {job.Terms.Name}", ReceivedAt(trace, job));
        span.Attributes["fluster.job_id"] = job.Id.ToString();
        span.Attributes["fluster.namespace"] = job.Namespace.ToString();
        return span;
    }

    /// <summary>Until it was on the disk.</summary>
    public static V1.Span Submit(string clusterId, JobTrace trace, JobRecord job, DateTimeOffset committed)
    {
        var span = New(trace, JobTrace.SubmitSpan(clusterId, job.Uid), JobTrace.JobSpan(clusterId, job.Uid), "submit", ReceivedAt(trace, job));
        span.End = Later(span.Start, committed);
        span.Kind = V1.SpanKind.Server;
        return span;
    }

    /// <summary>From when a task could be placed until the scheduler looked and had a place.</summary>
    public static V1.Span Queue(string clusterId, JobTrace trace, AttemptRecord attempt, DateTimeOffset since, DateTimeOffset decided)
    {
        var span = New(trace, JobTrace.QueueSpan(clusterId, attempt.Fence), JobTrace.JobSpan(clusterId, attempt.JobUid), "queue", since.ToTimestamp());
        span.End = Later(span.Start, decided);
        return Named(span, attempt);
    }

    /// <summary>From then until the worker was sent what it needs.</summary>
    public static V1.Span Placement(string clusterId, JobTrace trace, AttemptRecord attempt, DateTimeOffset decided, DateTimeOffset sent)
    {
        var span = New(trace, JobTrace.PlacementSpan(clusterId, attempt.Fence), JobTrace.JobSpan(clusterId, attempt.JobUid), "placement", decided.ToTimestamp());
        span.End = Later(span.Start, sent);
        span.Attributes["fluster.worker_id"] = attempt.Worker.ToString();
        return Named(span, attempt);
    }

    /// <summary>The attempt itself, until its worker has told of it. Open.</summary>
    public static V1.Span Attempt(ClusterState state, JobTrace trace, AttemptRecord attempt, DateTimeOffset start)
    {
        var clusterId = state.Meta.ClusterId;
        var span = New(trace, JobTrace.AttemptSpan(clusterId, attempt.Fence), JobTrace.JobSpan(clusterId, attempt.JobUid), $"attempt {attempt.Number}", start.ToTimestamp());
        span.Source = Worker;
        span.Attributes["fluster.worker_id"] = attempt.Worker.ToString();
        span.Attributes["fluster.fence"] = attempt.Fence.ToString();
        if (Before(state, attempt) is { IsNone: false } previous)
        {
            span.Links.Add(new V1.SpanLink { TraceId = trace.TraceId, SpanId = JobTrace.AttemptSpan(clusterId, previous) });
        }

        return Named(span, attempt);
    }

    /// <summary>The attempt of the same task before this one.</summary>
    public static Fence Before(ClusterState state, AttemptRecord attempt)
    {
        var attempts = state.Jobs.Find(attempt.JobUid) is { } job ? state.TaskOf(job, attempt.TaskIndex)?.Attempts ?? [] : [];
        var index = attempts.IndexOf(attempt.Fence);
        return index > 0 ? attempts[index - 1] : default;
    }

    public static V1.Span Ended(V1.Span span, JobState state, JobFailure? failure, DateTimeOffset now)
    {
        span.End = Later(span.Start, now);
        span.Attributes["fluster.state"] = state.ToString();
        span.StatusMessage = failure?.Message ?? "";
        span.Status = state switch
        {
            JobState.Succeeded => V1.SpanStatus.Ok,
            JobState.Killed => V1.SpanStatus.Unspecified, // somebody wanted it
            _ => V1.SpanStatus.Error,
        };
        return SpanLimits.Cut(span);
    }

    /// <summary>What the state still knows of a job that failed and was not followed.</summary>
    public static IEnumerable<V1.Span> Afterwards(ClusterState state, JobTrace trace, JobRecord job, DateTimeOffset now)
    {
        var clusterId = state.Meta.ClusterId;
        yield return Ended(Job(clusterId, trace, job), job.State, job.Failure, now);
        yield return Submit(clusterId, trace, job, Wall(job.CreatedAt));
        var attempts = Enumerable.Range(0, job.Terms.Replicas).SelectMany(index => state.TaskOf(job, index)?.Attempts ?? []).Select(state.Attempt).OfType<AttemptRecord>();
        foreach (var attempt in attempts.Take(MostAfterwards))
        {
            yield return Placement(clusterId, trace, attempt, Wall(attempt.PlacedAt), Wall(attempt.PlacedAt));
            yield return Ended(Attempt(state, trace, attempt, Wall(attempt.PlacedAt)), attempt.State, attempt.Failure, attempt.EndedAt > 0 ? Wall(attempt.EndedAt) : now);
        }
    }

    private static V1.Span New(JobTrace trace, string id, string parentId, string name, Timestamp start) => new()
    {
        TraceId = trace.TraceId,
        SpanId = id,
        ParentId = parentId,
        Source = Controller,
        Name = name,
        Kind = V1.SpanKind.Internal,
        Start = start,
    };

    private static V1.Span Named(V1.Span span, AttemptRecord attempt)
    {
        span.Attributes["fluster.task"] = attempt.TaskIndex.ToString(CultureInfo.InvariantCulture);
        span.Attributes["fluster.attempt"] = attempt.Number.ToString(CultureInfo.InvariantCulture);
        return span;
    }

    private static Timestamp ReceivedAt(JobTrace trace, JobRecord job) => trace.Context.ReceivedAt ?? Wall(job.CreatedAt).ToTimestamp();

    private static Timestamp Later(Timestamp start, DateTimeOffset end) => end < start.ToDateTimeOffset() ? start : end.ToTimestamp();

    private static DateTimeOffset Wall(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
