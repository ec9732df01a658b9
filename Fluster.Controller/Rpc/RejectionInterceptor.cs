using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Fluster.Controller;

/// <summary>Turns refusals into statuses, in one place.</summary>
internal sealed class RejectionInterceptor : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (ClusterRejectedException rejected)
        {
            throw Status(rejected);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(requestStream, context);
        }
        catch (ClusterRejectedException rejected)
        {
            throw Status(rejected);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (ClusterRejectedException rejected)
        {
            throw Status(rejected);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (ClusterRejectedException rejected)
        {
            throw Status(rejected);
        }
    }

    private static RpcException Status(ClusterRejectedException rejected) => new(StatusOf(rejected));

    /// <summary>What a refusal of the rules is called on the wire.</summary>
    public static Status StatusOf(ClusterRejectedException rejected) => new(rejected.Rejection.Kind switch
    {
        RejectionKind.InvalidArgument => StatusCode.InvalidArgument,
        RejectionKind.NotFound => StatusCode.NotFound,
        RejectionKind.AlreadyExists => StatusCode.AlreadyExists,
        RejectionKind.FailedPrecondition => StatusCode.FailedPrecondition,
        RejectionKind.PermissionDenied => StatusCode.PermissionDenied,
        RejectionKind.ResourceExhausted => StatusCode.ResourceExhausted,
        _ => StatusCode.Unavailable,
    }, rejected.Rejection.Message);
}
