using Fluster.Actors.V1;
using Fluster.Cluster;
using Fluster.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fluster.Actors;

/// <summary>The RPCs of one actor server, for whoever has no interface of its actors: the command line.</summary>
internal sealed class ActorDoor : IDisposable
{
    private readonly GrpcChannel _channel;
    private readonly ActorService.ActorServiceClient _service;
    private readonly Metadata _headers;
    private readonly string _address;

    public ActorDoor(ResolvedEndpoint endpoint, string? token)
    {
        _address = endpoint.Address;
        _channel = RpcChannel.ForAddress(new Uri(endpoint.Address), new RpcLimits { MaxMessageSize = 64 << 20 }, channel => CertificatePin.Apply(channel, endpoint.CertificateHash));
        _service = new ActorService.ActorServiceClient(_channel);
        _headers = new Metadata { { ProtocolVersion.Metadata, ProtocolVersion.Current } };
        if (token is not null)
        {
            _headers.Add("authorization", "Bearer " + token);
        }
    }

    /// <summary>Calls a method with arguments as JSON, and gives its result as JSON.</summary>
    /// <exception cref="RemoteActorException">The method threw, or the call does not fit.</exception>
    /// <exception cref="ClusterException">The server cannot be reached or refuses the call.</exception>
    public async Task<string> CallAsync(string actor, string method, string arguments, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var response = await AskAsync(options => _service.CallAsync(new CallRequest { Actor = actor, Method = method, Arguments = arguments }, options), timeout, cancellationToken).ConfigureAwait(false);
        return response.ResultCase == CallResponse.ResultOneofCase.Value
            ? response.Value
            : throw new RemoteActorException((ActorErrorKind)response.Error.Kind, new RemoteExceptionInfo(response.Error.Type, response.Error.Message, response.Error.Stack));
    }

    /// <summary>The methods of an actor, as people write them, with what their documentation says.</summary>
    /// <exception cref="ClusterException">There is no such actor, or the server cannot be reached.</exception>
    public async Task<IReadOnlyList<(string Signature, string Documentation)>> MethodsAsync(string actor, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var response = await AskAsync(options => _service.ListMethodsAsync(new ListMethodsRequest { Actor = actor }, options), timeout, cancellationToken).ConfigureAwait(false);
        return [.. response.Methods.Select(method => (method.Signature, method.Documentation))];
    }

    public void Dispose() => _channel.Dispose();

    private async Task<TResponse> AskAsync<TResponse>(Func<CallOptions, AsyncUnaryCall<TResponse>> ask, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            using var call = ask(new CallOptions(_headers, TimeProvider.System.GetUtcNow().UtcDateTime + timeout, cancellationToken));
            return await call.ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException exception)
        {
            throw exception.StatusCode switch
            {
                StatusCode.Cancelled when cancellationToken.IsCancellationRequested => new OperationCanceledException(exception.Message, exception, cancellationToken),
                StatusCode.DeadlineExceeded => new TimeoutException($"The actor server at {_address} took longer than {timeout.TotalSeconds} s. {exception.Status.Detail}".TrimEnd(), exception),
                StatusCode.NotFound => new ClusterException(ClusterError.NotFound, exception.Status.Detail, exception),
                StatusCode.Unauthenticated or StatusCode.PermissionDenied => new ClusterException(ClusterError.PermissionDenied, $"The actor server at {_address} refuses the call: {exception.Status.Detail}", exception),
                StatusCode.ResourceExhausted => new ClusterException(ClusterError.ResourceExhausted, exception.Status.Detail, exception),
                _ => new ClusterException(ClusterError.Unavailable, $"The actor server at {_address} cannot be reached: {exception.Status.Detail}", exception),
            };
        }
    }
}
