using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>The calls about tokens, and about whose workers are this cluster's.</summary>
internal sealed partial class TrustCalls(ClusterLoop loop, TokenIssuer tokens, WorkerAdmission admission, LoginCodes codes, ServedAddresses addresses, ILogger<TrustCalls> logger)
{
    /// <summary>A new token for the attempt that calls. The gate has seen that the attempt is live.</summary>
    public V1.RenewTokenResponse Renew(Caller caller)
    {
        var state = loop.Current;
        if (state.Attempt(caller.Fence) is not { IsLive: true } attempt || state.Jobs.Find(attempt.JobUid) is not { } job)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, $"Attempt {caller.Fence} has ended."));
        }

        var (token, expiresAt) = tokens.ForAttempt(job, attempt, state);
        return new V1.RenewTokenResponse { Token = token, ExpiresAt = expiresAt.ToTimestamp() };
    }

    public async Task<V1.RevokeNamespaceResponse> RevokeAsync(V1.RevokeNamespaceRequest request, CancellationToken cancellationToken)
    {
        if (!Namespace.IsValid(request.Namespace))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{request.Namespace}' is not a namespace."));
        }

        await loop.ApplyAsync(new ClusterInput.RevokeTokens(Namespace.Parse(request.Namespace)), cancellationToken);
        var before = DateTimeOffset.FromUnixTimeSeconds(loop.Current.Meta.RevokedBefore[request.Namespace]);
        Log.Revoked(logger, request.Namespace, before);
        return new V1.RevokeNamespaceResponse { IssuedBefore = before.ToTimestamp() };
    }

    /// <summary>A way in for the browser of whoever shows this token.</summary>
    public V1.CreateLoginCodeResponse CreateLoginCode(string token) => new()
    {
        Code = codes.Make(token) ?? throw new RpcException(new Status(StatusCode.ResourceExhausted, "Too many logins were asked for in the last minute: try again in a moment.")),
        HttpAddress = addresses.Http,
        Lifetime = Duration.FromTimeSpan(LoginCodes.Lifetime),
    };

    public async Task<V1.AdoptWorkersResponse> AdoptAsync(V1.AdoptWorkersRequest request, CancellationToken cancellationToken)
    {
        var clusterId = request.ClusterId.Length > 0 ? request.ClusterId : loop.Current.Meta.ClusterId;
        if (!WorkerAdmission.IsClusterId(clusterId))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{clusterId}' is not a cluster's id: that has 32 hexadecimal digits."));
        }

        var refused = admission.Refused();
        var theirs = refused.Where(worker => worker.ClusterId == clusterId).ToList();
        var response = new V1.AdoptWorkersResponse();
        if (theirs.Count > 0)
        {
            var input = new ClusterInput.AdoptWorkers(clusterId, theirs.Max(worker => worker.Epoch), theirs.Max(worker => worker.Counter));
            await loop.ApplyAsync(input, cancellationToken);
            admission.Forget(clusterId);
            Log.Adopted(logger, theirs.Count, clusterId, loop.Current.Meta.Epoch);
        }

        response.Epoch = loop.Current.Meta.Epoch;
        response.Adopted.AddRange(theirs.Select(ToWire));
        response.Refused.AddRange(refused.Except(theirs).Select(ToWire));
        return response;
    }

    private static V1.RefusedWorker ToWire(RefusedWorker worker) =>
        new() { WorkerId = worker.Worker.ToString(), ClusterId = worker.ClusterId, Epoch = worker.Epoch };

    private static partial class Log
    {
        [LoggerMessage(140, LogLevel.Warning, "Tokens of namespace {Namespace} that were issued before {Before:u} no longer count")]
        public static partial void Revoked(ILogger logger, string @namespace, DateTimeOffset before);

        [LoggerMessage(141, LogLevel.Warning, "{Count} workers of cluster {ClusterId} are taken over; this cluster is at epoch {Epoch} now")]
        public static partial void Adopted(ILogger logger, int count, string clusterId, long epoch);
    }
}
