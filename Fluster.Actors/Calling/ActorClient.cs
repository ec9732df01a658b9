using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Calls the methods of an actor elsewhere through an interface.</summary>
/// <typeparam name="T">
/// An interface with the methods to call, by their names. They may return a value, a <see cref="Task"/>, a <see cref="ValueTask"/> or an
/// <see cref="IAsyncEnumerable{T}"/>; one that returns a plain value blocks until the result is there. A <see cref="CancellationToken"/>
/// parameter cancels the call.
/// </typeparam>
/// <remarks>
/// Safe for use by many threads. An exception of the method is thrown again here: as its own type when this side has it with a constructor
/// for a message, else as <see cref="RemoteActorException"/>; <see cref="RemoteActorException.OriginOf"/> tells what it was over there.
/// Arguments travel as JSON; arrays of numbers and <see cref="Memory{T}"/> of bytes as their memory: one of more than 64 KiB must not be
/// changed until the call has ended. A connection that breaks is made again and joins the calls that run: that is no repetition. A call of
/// which it is not known whether it ran ends with <see cref="OutcomeUnknownException"/>. Source: seed 001, stage 1.
/// </remarks>
public sealed class ActorClient<T> : IDisposable
    where T : class
{
    private static readonly ActorMethodShape s_health = new("HealthCheck");

    private readonly ActorRoute _route;
    private readonly bool _owned;

    /// <summary>A client of one actor at a known address.</summary>
    /// <param name="address">The address of its server: <c>http://host:port</c>, <c>https://host:port</c> or <c>unix:///path</c>.</param>
    /// <param name="actor">Its name there. Default: empty, the server's only one.</param>
    /// <param name="token">A token that the server accepts. Default: the current job's.</param>
    /// <param name="options">How calls are made.</param>
    /// <exception cref="ArgumentException">The address is none.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is not an interface, or has members that cannot be called remotely.</exception>
    public ActorClient(string address, string actor = "", string? token = null, ActorCallOptions? options = null)
        : this(new FixedRoute(actor, new ResolvedEndpoint("", Checked(address)), CallerToken.Of(token), ActorConnections.Shared), options, owned: true)
    {
    }

    /// <summary>A client of an actor that is found by its name, and found again when it has moved.</summary>
    /// <param name="resolver">Finds it.</param>
    /// <param name="actor">Its name.</param>
    /// <param name="namespace">Where the name counts. Default: the resolver's.</param>
    /// <param name="options">How calls are made. A call waits within its timeout until somebody serves the name.</param>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is not an interface, or has members that cannot be called remotely.</exception>
    public ActorClient(IActorResolver resolver, string actor, Namespace? @namespace = null, ActorCallOptions? options = null)
        : this(new ResolvedRoute(NonEmpty(actor), resolver ?? throw new ArgumentNullException(nameof(resolver)), @namespace, ActorConnections.Shared, TimeProvider.System), options, owned: true)
    {
    }

    internal ActorClient(ActorRoute route, ActorCallOptions? options, bool owned)
    {
        _route = route;
        _owned = owned;
        Options = options ?? new ActorCallOptions();
        Actor = ActorProxy.Create<T>(new ActorInvoker(route, Options));
    }

    /// <summary>The actor: what is called here runs there.</summary>
    public T Actor { get; }

    /// <summary>How its calls are made.</summary>
    public ActorCallOptions Options { get; }

    /// <summary>A client of the same actor, over the same connection, that makes its calls otherwise. It ends with this one.</summary>
    public ActorClient<T> With(ActorCallOptions options) => new(_route, options, owned: false);

    /// <summary>Whether the server answers.</summary>
    /// <exception cref="ClusterException">It does not, or refuses the token.</exception>
    /// <exception cref="TimeoutException">It takes longer than the timeout.</exception>
    public async Task<bool> IsHealthyAsync(CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Options.Timeout);
        var probe = new PendingCall(s_health);
        try
        {
            if (!_route.TryBegin(probe, Options, limit.Token, out var connection))
            {
                connection = await _route.ConnectAsync(probe, limit.Token).ConfigureAwait(false);
            }

            return await connection.IsThereAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{_route.Display} did not answer within {Options.Timeout.TotalSeconds} s.", exception);
        }
    }

    /// <summary>Lets go of the connection, which is closed when no other client uses it. Calls that run then end with an exception.</summary>
    public void Dispose()
    {
        if (_owned)
        {
            _route.Dispose();
        }
    }

    private static string NonEmpty(string actor)
    {
        ArgumentException.ThrowIfNullOrEmpty(actor);
        return actor;
    }

    private static string Checked(string address)
    {
        if (!ActorAddress.IsValid(address))
        {
            throw new ArgumentException($"'{address}' is not the address of an actor server: it looks like 'http://host:port'.", nameof(address));
        }

        return address;
    }
}
