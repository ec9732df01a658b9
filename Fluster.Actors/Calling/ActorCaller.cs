using Fluster.Actors.V1;
using Fluster.Cluster;
using Grpc.Core;

namespace Fluster.Actors;

/// <summary>Makes the calls of one client: sends the arguments, waits, and turns whatever comes back into a value or an exception.</summary>
internal sealed record ActorCaller(ActorService.ActorServiceClient Client, Uri Address, string Actor, string? Token, ActorCallOptions Options)
{
    public async Task<string> CallAsync(string method, string arguments, CancellationToken cancellationToken)
    {
        var response = await SendAsync(
            options => Client.CallAsync(new CallRequest { Actor = Actor, Method = method, Arguments = arguments }, options),
            method,
            cancellationToken).ConfigureAwait(false);
        return response.ResultCase switch
        {
            CallResponse.ResultOneofCase.Value => response.Value,
            CallResponse.ResultOneofCase.Error => throw RemoteErrors.ToException(response.Error),
            _ => throw new ClusterException(ClusterError.Internal, $"The actor server at {Address} answered {method} with neither a value nor an error."),
        };
    }

    public async Task<bool> IsHealthyAsync(CancellationToken cancellationToken)
    {
        var response = await SendAsync(options => Client.HealthCheckAsync(new HealthCheckRequest(), options), "HealthCheck", cancellationToken).ConfigureAwait(false);
        return response.Healthy;
    }

    private async Task<TResponse> SendAsync<TResponse>(Func<CallOptions, AsyncUnaryCall<TResponse>> send, string method, CancellationToken cancellationToken)
    {
        var headers = new Metadata { { ProtocolVersion.Metadata, ProtocolVersion.Current } };
        if (Token is not null)
        {
            headers.Add("authorization", "Bearer " + Token);
        }

        // gRPC takes a point in time, and makes it a time left again before it sends it.
        DateTime? deadline = Options.Timeout == Timeout.InfiniteTimeSpan ? null : TimeProvider.System.GetUtcNow().UtcDateTime + Options.Timeout;
        try
        {
            using var call = send(new CallOptions(headers, deadline, cancellationToken));
            return await call.ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException exception)
        {
            throw Translate(exception, method, cancellationToken);
        }
    }

    private Exception Translate(RpcException exception, string method, CancellationToken cancellationToken)
    {
        var what = $"{method} of {(Actor.Length == 0 ? "the actor" : $"actor '{Actor}'")} at {Address}";
        return exception.StatusCode switch
        {
            StatusCode.Cancelled when cancellationToken.IsCancellationRequested => new OperationCanceledException($"{what} was cancelled.", exception, cancellationToken),
            StatusCode.DeadlineExceeded => new TimeoutException($"{what} took longer than {Options.Timeout.TotalSeconds} s.", exception),
            StatusCode.Unauthenticated => new ClusterException(ClusterError.Unauthenticated, $"{what} was refused: {exception.Status.Detail}", exception),
            StatusCode.PermissionDenied => new ClusterException(ClusterError.PermissionDenied, $"{what} was refused: {exception.Status.Detail}", exception),
            StatusCode.FailedPrecondition => new ClusterException(ClusterError.FailedPrecondition, $"{what} was refused: {exception.Status.Detail}", exception),
            StatusCode.ResourceExhausted => new ClusterException(ClusterError.ResourceExhausted, $"{what} was refused: {exception.Status.Detail}", exception),
            StatusCode.Unimplemented => new ClusterException(ClusterError.Unimplemented, $"What listens at {Address} is not an actor server.", exception),
            StatusCode.Unavailable => new ClusterException(ClusterError.Unavailable, $"{what} could not be called: {exception.Status.Detail}", exception),
            _ => new ClusterException(ClusterError.Internal, $"{what} failed: {exception.Status.Detail}", exception),
        };
    }
}
