using Fluster.Cluster;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Actors;

/// <summary>
/// Keeps the endpoints of one server's actors: those of the job that serves, or of a registration. Each carries the incarnation of its
/// actor, so that callers who resolved an earlier one notice.
/// </summary>
internal sealed partial class ActorRegistration : IDisposable
{
    /// <summary>Who stops does not wait for a controller that is away: the endpoints vanish with their owner.</summary>
    private static readonly TimeSpan s_longestFarewell = TimeSpan.FromSeconds(2);

    private readonly FlusterContext? _context;
    private readonly Func<HostedActor, CancellationToken, Task<RegisteredEndpoint>> _register;
    private readonly Func<EndpointId, CancellationToken, Task> _unregister;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly Dictionary<Guid, EndpointId> _registered = [];
    private bool _ended;

    private ActorRegistration(
        FlusterContext? context, Func<HostedActor, CancellationToken, Task<RegisteredEndpoint>> register, Func<EndpointId, CancellationToken, Task> unregister, ILogger logger)
    {
        _context = context;
        _register = register;
        _unregister = unregister;
        _logger = logger;
    }

    /// <summary>How a server makes its actors known; null when nobody is to be told, because it serves outside of all clusters.</summary>
    /// <param name="context">The job that serves; null outside of jobs.</param>
    /// <param name="outside">What was opened for a process that is no job; goes before the job.</param>
    /// <param name="address">Where callers reach the server.</param>
    /// <param name="certificateHash">The certificate that they see there; null without TLS.</param>
    /// <param name="loggers">Where failures are told that nobody waits for.</param>
    public static ActorRegistration? Of(FlusterContext? context, IEndpointRegistration? outside, string address, string? certificateHash, ILoggerFactory? loggers)
    {
        var logger = loggers?.CreateLogger<ActorRegistration>() ?? NullLogger<ActorRegistration>.Instance;
        if (outside is not null)
        {
            return new ActorRegistration(context, (actor, token) => outside.RegisterAsync(actor.Name, address, MetadataOf(actor, certificateHash), token), outside.UnregisterAsync, logger);
        }

        return context?.Controller is { EndpointRegistry: var registry }
            ? new ActorRegistration(context, (actor, token) => registry.RegisterAsync(actor.Name, address, MetadataOf(actor, certificateHash), token), registry.UnregisterAsync, logger)
            : null;
    }

    /// <summary>Returns when the cluster knows of the actor.</summary>
    public async Task AddAsync(HostedActor actor, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!_ended && !_registered.ContainsKey(actor.Incarnation))
            {
                using var scope = _context?.Enter(); // the endpoint is the job's, whoever adds the actor
                _registered[actor.Incarnation] = (await _register(actor, cancellationToken).ConfigureAwait(false)).Id;
            }
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>As <see cref="AddAsync"/>, for who cannot wait: a failure is logged, and the actor stays callable by those who know the address.</summary>
    public void AddSoon(HostedActor actor) => _ = LogAsync(() => AddAsync(actor, CancellationToken.None), exception => NotRegistered(_logger, actor.Name, exception));

    /// <summary>As <see cref="RemoveAsync"/>, for who cannot wait.</summary>
    public void RemoveSoon(HostedActor actor) => _ = LogAsync(() => RemoveAsync(actor, CancellationToken.None), exception => NotUnregistered(_logger, exception));

    /// <summary>The actor is found no more.</summary>
    public async Task RemoveAsync(HostedActor actor, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_registered.Remove(actor.Incarnation, out var endpoint))
            {
                using var scope = _context?.Enter();
                await _unregister(endpoint, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>None of the actors is found any more, and none is added.</summary>
    public async Task EndAsync()
    {
        using var limit = new CancellationTokenSource(s_longestFarewell);
        try
        {
            await _changing.WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _ended = true;
            return;
        }

        try
        {
            _ended = true;
            using var scope = _context?.Enter();
            await Task.WhenAll(_registered.Values.Select(endpoint => _unregister(endpoint, limit.Token))).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ClusterException or OperationCanceledException or ObjectDisposedException)
        {
            NotUnregistered(_logger, exception);
        }
        finally
        {
            _registered.Clear();
            _changing.Release();
        }
    }

    public void Dispose() => _changing.Dispose();

    private static Task LogAsync(Func<Task> work, Action<Exception> log) => Detached.Run(async () =>
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ClusterException or ObjectDisposedException)
        {
            log(exception);
        }
    });

    private static Dictionary<string, string> MetadataOf(HostedActor actor, string? certificateHash)
    {
        var metadata = new Dictionary<string, string>(actor.Metadata, StringComparer.Ordinal) { [ResolvedEndpoint.HandleKey] = actor.Handle };
        if (certificateHash is not null)
        {
            metadata[ResolvedEndpoint.CertificateKey] = certificateHash;
        }

        return metadata;
    }

    [LoggerMessage(EventId = 301, Level = LogLevel.Warning, Message = "Actor '{Actor}' could not be registered with the cluster")]
    private static partial void NotRegistered(ILogger logger, string actor, Exception exception);

    [LoggerMessage(EventId = 302, Level = LogLevel.Information, Message = "Endpoints of an actor server could not be unregistered; they vanish with their owner")]
    private static partial void NotUnregistered(ILogger logger, Exception exception);
}
