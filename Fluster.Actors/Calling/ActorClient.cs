using Fluster.Actors.V1;
using Fluster.Cluster;
using Fluster.Rpc;
using Grpc.Net.Client;

namespace Fluster.Actors;

/// <summary>Calls the methods of an actor elsewhere through an interface.</summary>
/// <typeparam name="T">
/// An interface with the methods to call, by their names. They may return a value, a <see cref="Task"/> or a <see cref="ValueTask"/>;
/// one that returns a plain value blocks until the result is there. A <see cref="CancellationToken"/> parameter cancels the call.
/// </typeparam>
/// <remarks>
/// Safe for use by many threads. An exception of the method is thrown again here: as its own type when this side has it with a constructor
/// for a message, else as <see cref="RemoteActorException"/>; <see cref="RemoteActorException.OriginOf"/> tells what it was over there.
/// Calls are never repeated. Source: seed 001, stage 1.
/// </remarks>
public sealed class ActorClient<T> : IDisposable
    where T : class
{
    private readonly ActorCaller _caller;
    private readonly GrpcChannel? _owned;

    /// <summary>A client of one actor.</summary>
    /// <param name="address">The address of its server: <c>http://host:port</c>.</param>
    /// <param name="actor">Its name there. Default: empty, the server's only one.</param>
    /// <param name="token">A token that the server accepts. Default: the current job's.</param>
    /// <param name="options">How calls are made.</param>
    /// <exception cref="ArgumentException">The address is none.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is not an interface, or has members that cannot be called remotely.</exception>
    public ActorClient(string address, string actor = "", string? token = null, ActorCallOptions? options = null)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new ArgumentException($"'{address}' is not the address of an actor server: it looks like 'http://host:port'.", nameof(address));
        }

        options ??= new ActorCallOptions();
        var channel = RpcChannel.ForAddress(uri, new RpcLimits { MaxMessageSize = options.MaxMessageSize });
        _owned = channel;
        _caller = new ActorCaller(new ActorService.ActorServiceClient(channel), uri, actor, token ?? FlusterEnvironment.Get(FlusterEnvironment.Token), options);
        Actor = ActorProxy.Create<T>(_caller);
    }

    private ActorClient(ActorCaller caller)
    {
        _caller = caller;
        Actor = ActorProxy.Create<T>(caller);
    }

    /// <summary>The actor: what is called here runs there.</summary>
    public T Actor { get; }

    /// <summary>A client of the same actor, over the same connection, that makes its calls otherwise. It ends with this one.</summary>
    public ActorClient<T> With(ActorCallOptions options) => new(_caller with { Options = options });

    /// <summary>Whether the server answers.</summary>
    /// <exception cref="ClusterException">It does not, or refuses the token.</exception>
    /// <exception cref="TimeoutException">It takes longer than the timeout.</exception>
    public Task<bool> IsHealthyAsync(CancellationToken cancellationToken = default) => _caller.IsHealthyAsync(cancellationToken);

    /// <summary>Closes the connection. Calls that run end with an exception.</summary>
    public void Dispose() => _owned?.Dispose();
}
