using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// Calls the actors that share a name: one of them at a time, or all of them. Follows who they are; calls of one that vanishes fail at once.
/// </summary>
/// <typeparam name="T">An interface with the methods to call, as for <see cref="ActorClient{T}"/>.</typeparam>
/// <remarks>
/// Safe for use by many threads. A call goes to one member and nowhere else: nothing is tried again by itself, except a method that is
/// <see cref="IdempotentAttribute"/>. Source: seed 001, stage 5.
/// </remarks>
public sealed class ActorPool<T> : IDisposable
    where T : class
{
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(60);

    private readonly PoolRoute _route;
    private readonly ActorPoolOptions _options;
    private readonly ConditionalWeakTable<PoolMember, T> _proxies = [];
    private readonly T _anyone;

    /// <summary>A pool of whoever serves a name.</summary>
    /// <param name="resolver">Finds them, and tells when they change.</param>
    /// <param name="actor">Their name.</param>
    /// <param name="namespace">Where the name counts. Default: the resolver's.</param>
    /// <param name="options">How calls are made.</param>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is not an interface, or has members that cannot be called remotely.</exception>
    public ActorPool(IActorResolver resolver, string actor, Namespace? @namespace = null, ActorPoolOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(resolver);
        ArgumentException.ThrowIfNullOrEmpty(actor);
        _options = options ?? new ActorPoolOptions();
        _route = new PoolRoute(actor, resolver, @namespace, _options.Balancing, ActorConnections.Shared, TimeProvider.System);
        try
        {
            _anyone = ActorProxy.Create<T>(new ActorInvoker(_route, _options.Calls));
        }
        catch
        {
            _route.Dispose();
            throw;
        }
    }

    /// <summary>How many members are known now; 0 until the resolver has answered.</summary>
    public int Size => _route.Members.Count;

    /// <summary>The members that are known now, in the order in which they came.</summary>
    public IReadOnlyList<ResolvedEndpoint> Endpoints => [.. _route.Members.Select(member => member.Endpoint)];

    /// <summary>Returns when the pool has at least so many members.</summary>
    /// <param name="size">How many.</param>
    /// <param name="timeout">The longest wait. Default: 60 seconds (seed 003); <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    /// <exception cref="TimeoutException">There are fewer; the message says how many, and what went wrong when asking.</exception>
    public Task WaitForSizeAsync(int size, TimeSpan? timeout = null, CancellationToken cancellationToken = default) =>
        _route.WaitForSizeAsync(size, timeout ?? s_longestWait, cancellationToken);

    /// <summary>
    /// One of the members: which one is chosen anew for each method that is called on what this returns. An empty pool throws
    /// <see cref="ClusterException"/> (<see cref="ClusterError.Unavailable"/>) at that call; before the resolver has first answered, the call waits for it.
    /// </summary>
    public T Call() => _anyone;

    /// <summary>Calls all members that are known now, at the same time.</summary>
    /// <param name="call">The call of one member: <c>actor =&gt; actor.LoadAsync(weights)</c>.</param>
    [OverloadResolutionPriority(2)]
    public Broadcast<TResult> Broadcast<TResult>(Func<T, Task<TResult>> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Start(call);
    }

    /// <inheritdoc cref="Broadcast{TResult}(Func{T, Task{TResult}})"/>
    [OverloadResolutionPriority(2)]
    public Broadcast<TResult> Broadcast<TResult>(Func<T, ValueTask<TResult>> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Start(actor => call(actor).AsTask());
    }

    /// <summary>Calls all members that are known now, at the same time; there are no values, only that it was done.</summary>
    /// <param name="call">The call of one member.</param>
    [OverloadResolutionPriority(1)]
    public Broadcast<object?> Broadcast(Func<T, Task> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Start<object?>(async actor =>
        {
            await call(actor).ConfigureAwait(false);
            return null;
        });
    }

    /// <inheritdoc cref="Broadcast(Func{T, Task})"/>
    [OverloadResolutionPriority(1)]
    public Broadcast<object?> Broadcast(Func<T, ValueTask> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Broadcast(actor => call(actor).AsTask());
    }

    /// <summary>Calls a method that returns a plain value on all members that are known now, at the same time, each on a thread that it blocks.</summary>
    /// <param name="call">The call of one member.</param>
    public Broadcast<TResult> Broadcast<TResult>(Func<T, TResult> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Start(actor => Task.Run(() => call(actor)));
    }

    /// <summary>Lets go of the connections. Calls that run end with an exception.</summary>
    public void Dispose() => _route.Dispose();

    private Broadcast<TResult> Start<TResult>(Func<T, Task<TResult>> call) =>
        new([.. _route.Members.Select(member => (member.Endpoint, CallAsync(member, call)))]);

    private async Task<TResult> CallAsync<TResult>(PoolMember member, Func<T, Task<TResult>> call) =>
        await call(_proxies.GetValue(member, key => ActorProxy.Create<T>(new ActorInvoker(key.Route, _options.Calls)))).ConfigureAwait(false);
}
