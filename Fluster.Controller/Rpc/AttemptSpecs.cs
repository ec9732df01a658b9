using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>What a worker is told to run, made from the job's request.</summary>
internal sealed class AttemptSpecs(TokenIssuer tokens)
{
    public V1.AttemptSpec Of(JobRecord job, AttemptRecord attempt, ClusterState state)
    {
        var request = V1.JobSpec.Parser.ParseFrom(job.Request.Span);
        var (trace, clusterId) = (JobTrace.Of(job), state.Meta.ClusterId);
        var spec = new V1.AttemptSpec
        {
            JobId = job.Id.ToString(),
            Namespace = job.Namespace.ToString(),
            TaskIndex = attempt.TaskIndex,
            TaskCount = job.Terms.Replicas,
            Entrypoint = request.Entrypoint,
            Environment = request.Environment,
            Resources = request.Resources,
            ExecutionTimeout = job.Terms.ExecutionTimeout > 0 ? Duration.FromTimeSpan(TimeSpan.FromMilliseconds(job.Terms.ExecutionTimeout)) : null,
            Token = tokens.ForAttempt(job, attempt, state).Token,
            Trace = trace?.For(clusterId, attempt.Fence),
            AttemptNumber = attempt.Number,
            Exclusive = job.Terms.Exclusive,
            ParentSpanId = JobTrace.JobSpan(clusterId, job.Uid),
            PreviousSpanId = JobSpans.Before(state, attempt) is { IsNone: false } previous ? JobTrace.AttemptSpan(clusterId, previous) : "",
        };
        spec.Ports.AddRange(request.Ports);
        spec.GpuIndices.AddRange(attempt.Gpus.Indices);
        return spec;
    }
}
