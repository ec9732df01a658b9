using Grpc.Core;

namespace Fluster.Controller;

/// <summary>The controller's RPCs: who calls, then the calls of one subject.</summary>
internal sealed class ControllerService(
    JobCalls jobs, JobListing listing, LogCalls logs, BlobCalls blobs, WorkerCalls workers, EndpointCalls endpoints, RegistrationCalls registrations, EndpointWatchCalls endpointWatches, ActionCalls actions,
    ClusterCalls cluster, TrustCalls trust, VmCalls vms, TraceCalls traces, ShutdownSignal shutdown) : V1.ControllerService.ControllerServiceBase
{
    public override Task<V1.LaunchJobResponse> LaunchJob(V1.LaunchJobRequest request, ServerCallContext context) =>
        jobs.LaunchAsync(CallerOf(context), request, context.CancellationToken);

    public override Task<V1.GetJobStatusResponse> GetJobStatus(V1.GetJobStatusRequest request, ServerCallContext context) =>
        Task.FromResult(jobs.Get(CallerOf(context), request));

    public override Task WatchJob(V1.WatchJobRequest request, IServerStreamWriter<V1.WatchJobResponse> responseStream, ServerCallContext context) =>
        UntilShutdownAsync(context, token => jobs.WatchAsync(CallerOf(context), request, responseStream, token));

    public override Task WaitJobs(V1.WaitJobsRequest request, IServerStreamWriter<V1.WaitJobsResponse> responseStream, ServerCallContext context) =>
        UntilShutdownAsync(context, token => jobs.WaitAsync(CallerOf(context), request, responseStream, token));

    public override Task<V1.TerminateJobResponse> TerminateJob(V1.TerminateJobRequest request, ServerCallContext context) =>
        jobs.TerminateAsync(CallerOf(context), request, context.CancellationToken);

    public override Task<V1.ListJobsResponse> ListJobs(V1.ListJobsRequest request, ServerCallContext context) =>
        Task.FromResult(listing.List(CallerOf(context), request));

    public override Task<V1.GetResultResponse> GetResult(V1.GetResultRequest request, ServerCallContext context) =>
        Task.FromResult(jobs.Result(CallerOf(context), request));

    public override Task StreamLogs(V1.StreamLogsRequest request, IServerStreamWriter<V1.StreamLogsResponse> responseStream, ServerCallContext context) =>
        UntilShutdownAsync(context, token => logs.StreamAsync(CallerOf(context), request, responseStream, token));

    public override Task<V1.ExplainJobResponse> ExplainJob(V1.ExplainJobRequest request, ServerCallContext context) =>
        Task.FromResult(jobs.Explain(CallerOf(context), request));

    public override Task<V1.GetJobTraceResponse> GetJobTrace(V1.GetJobTraceRequest request, ServerCallContext context) =>
        traces.GetAsync(CallerOf(context), request, context.CancellationToken);

    public override Task<V1.HasBlobsResponse> HasBlobs(V1.HasBlobsRequest request, ServerCallContext context) =>
        Task.FromResult(blobs.Has(request));

    public override Task<V1.UploadBlobsResponse> UploadBlobs(IAsyncStreamReader<V1.UploadBlobsRequest> requestStream, ServerCallContext context) =>
        blobs.UploadAsync(requestStream, context.CancellationToken);

    public override Task GetBlob(V1.GetBlobRequest request, IServerStreamWriter<V1.GetBlobResponse> responseStream, ServerCallContext context) =>
        blobs.GetAsync(request, responseStream, context.CancellationToken);

    public override Task WorkerLink(
        IAsyncStreamReader<V1.WorkerLinkRequest> requestStream, IServerStreamWriter<V1.WorkerLinkResponse> responseStream, ServerCallContext context) =>
        UntilShutdownAsync(context, token => workers.LinkAsync(CallerOf(context), requestStream, responseStream, token));

    public override Task WorkerLogs(
        IAsyncStreamReader<V1.WorkerLogsRequest> requestStream, IServerStreamWriter<V1.WorkerLogsResponse> responseStream, ServerCallContext context) =>
        UntilShutdownAsync(context, token => logs.ReceiveAsync(CallerOf(context), requestStream, responseStream, token));

    public override Task<V1.ReportSpansResponse> ReportSpans(V1.ReportSpansRequest request, ServerCallContext context) =>
        Task.FromResult(traces.Report(CallerOf(context), request));

    public override Task<V1.ListWorkersResponse> ListWorkers(V1.ListWorkersRequest request, ServerCallContext context) =>
        Task.FromResult(workers.List());

    public override Task<V1.DrainWorkerResponse> DrainWorker(V1.DrainWorkerRequest request, ServerCallContext context) =>
        workers.DrainAsync(request, context.CancellationToken);

    public override Task<V1.ListVmsResponse> ListVms(V1.ListVmsRequest request, ServerCallContext context) =>
        Task.FromResult(vms.List());

    public override Task<V1.RegisterEndpointResponse> RegisterEndpoint(V1.RegisterEndpointRequest request, ServerCallContext context) =>
        endpoints.RegisterAsync(CallerOf(context), request, context.CancellationToken);

    public override Task<V1.UnregisterEndpointResponse> UnregisterEndpoint(V1.UnregisterEndpointRequest request, ServerCallContext context) =>
        endpoints.UnregisterAsync(CallerOf(context), request, context.CancellationToken);

    public override Task<V1.LookupEndpointsResponse> LookupEndpoints(V1.LookupEndpointsRequest request, ServerCallContext context) =>
        Task.FromResult(endpoints.Lookup(CallerOf(context), request));

    public override Task<V1.ListEndpointsResponse> ListEndpoints(V1.ListEndpointsRequest request, ServerCallContext context) =>
        Task.FromResult(endpoints.List(CallerOf(context), request));

    public override Task OpenRegistration(
        IAsyncStreamReader<V1.OpenRegistrationRequest> requestStream, IServerStreamWriter<V1.OpenRegistrationResponse> responseStream, ServerCallContext context) =>
        UntilShutdownAsync(context, token => registrations.OpenAsync(CallerOf(context), requestStream, responseStream, token));

    public override Task WatchEndpoints(V1.WatchEndpointsRequest request, IServerStreamWriter<V1.WatchEndpointsResponse> responseStream, ServerCallContext context) =>
        UntilShutdownAsync(context, token => endpointWatches.WatchAsync(CallerOf(context), request, responseStream, token));

    public override Task<V1.GetClusterStatusResponse> GetClusterStatus(V1.GetClusterStatusRequest request, ServerCallContext context) =>
        Task.FromResult(cluster.Status());

    public override Task<V1.ListActionsResponse> ListActions(V1.ListActionsRequest request, ServerCallContext context) =>
        Task.FromResult(actions.List(CallerOf(context), request));

    public override Task<V1.RenewTokenResponse> RenewToken(V1.RenewTokenRequest request, ServerCallContext context) =>
        Task.FromResult(trust.Renew(CallerOf(context)));

    public override Task<V1.RevokeNamespaceResponse> RevokeNamespace(V1.RevokeNamespaceRequest request, ServerCallContext context) =>
        trust.RevokeAsync(request, context.CancellationToken);

    public override Task<V1.CreateLoginCodeResponse> CreateLoginCode(V1.CreateLoginCodeRequest request, ServerCallContext context) =>
        Task.FromResult(trust.CreateLoginCode(TokenGate.BearerOf(context.GetHttpContext()) ?? ""));

    public override Task<V1.AdoptWorkersResponse> AdoptWorkers(V1.AdoptWorkersRequest request, ServerCallContext context) =>
        trust.AdoptAsync(request, context.CancellationToken);

    /// <summary>Runs a call that lasts for as long as its client likes, but ends it when the controller stops.</summary>
    private async Task UntilShutdownAsync(ServerCallContext context, Func<CancellationToken, Task> call)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, shutdown.StreamsEnd);
        try
        {
            await call(either.Token);
        }
        catch (OperationCanceledException) when (shutdown.StreamsEnd.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "The controller is shutting down."));
        }
    }

    private static Caller CallerOf(ServerCallContext context) => context.GetHttpContext().Features.Get<Caller>()
        ?? throw new RpcException(new Status(StatusCode.Unauthenticated, "The call came past the gate."));
}
