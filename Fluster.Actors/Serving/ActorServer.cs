using System.Net;
using Fluster.Cluster;
using Fluster.Rpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Actors;

/// <summary>
/// Serves the public methods of objects ("actors") to callers elsewhere. One call at a time enters an actor; actors do not wait for
/// each other. Methods run in the <see cref="FlusterContext"/> in which <see cref="StartAsync"/> was called.
/// </summary>
/// <remarks>
/// Not callable: what every object has, property accessors, Dispose, generic methods, methods with ref parameters. A parameter of type
/// <see cref="CancellationToken"/> is not sent: it is cancelled with the call. Source: seed 001, stage 1.
/// </remarks>
public sealed partial class ActorServer : IAsyncDisposable
{
    /// <summary>The name of the port that a job asks for when it serves actors.</summary>
    public const string PortName = "actor";

    private readonly ActorServerOptions _options;
    private readonly ActorTable _actors;
    private WebApplication? _application;
    private SessionHost? _sessions;
    private ActorTokens? _tokens;
    private Uri? _address;
    private bool _stopped;
    private bool _disposed;

    /// <summary>A server that does not listen yet.</summary>
    public ActorServer(ActorServerOptions? options = null)
    {
        _options = options ?? new ActorServerOptions();
        _actors = new ActorTable(_options.TimeProvider);
    }

    /// <summary>Where the server listens: <c>http://127.0.0.1:40123</c>.</summary>
    /// <exception cref="InvalidOperationException">It was not started.</exception>
    public Uri Address => _address ?? throw NotStarted();

    /// <summary>A token with which this server can be called. Secret.</summary>
    /// <exception cref="InvalidOperationException">It was not started.</exception>
    public string Token => _tokens?.Token ?? throw NotStarted();

    /// <summary>Makes the public methods of an object callable under a name; before or after the start. The object stays the caller's: it is not disposed.</summary>
    /// <param name="name">The name.</param>
    /// <param name="actor">The object.</param>
    /// <param name="options">How calls enter it.</param>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    public void Register(string name, object actor, ActorOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(actor);
        var hosted = _actors.Add(name, actor, options);
        _registration?.AddSoon(hosted);
    }

    /// <summary>
    /// Starts to listen. In a job: on the job's address and its port "actor", for callers with a token of the job's namespace. Elsewhere:
    /// on a free port of this machine only, for callers with <see cref="Token"/>, which is announced together with the address. What other
    /// machines can reach has TLS, with <see cref="ActorServerOptions.Certificate"/> or one that is made now and that clients know by their
    /// endpoint or token.
    /// </summary>
    /// <exception cref="InvalidOperationException">It was started before.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_application is not null || _local is not null)
        {
            throw new InvalidOperationException("The actor server was started before.");
        }

        var context = FlusterContext.CurrentOrNull;
        _actors.Enter(context);
        if (IsLocal(context))
        {
            _tokens = TokensFor(context, _options, certificateHash: null).Tokens;
            OpenLocal();
            await BecomeKnownAsync(context, cancellationToken).ConfigureAwait(false);
            return;
        }

        var host = HostOf(context);
        _certificate = CertificateOf(host);
        var (tokens, announce) = TokensFor(context, _options, CertificateHash);
        _tokens = tokens;
        _sessions = new SessionHost(_actors, tokens, _options, (_options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger<ActorServer>());
        var application = Build(context, host, tokens, _sessions);
        _application = application;

        // Connections must not believe, for ever, that they are part of whatever called StartAsync.
        await Detached.Run(() => application.StartAsync(cancellationToken)).ConfigureAwait(false);
        _address = Reachable(application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        if (announce)
        {
            var announcements = _options.Announcements ?? Console.Error;
            await announcements.WriteLineAsync($"Actor server at {_address}, token {tokens.Token}{(CertificateHash is { } hash ? $", certificate {hash}" : "")}").ConfigureAwait(false);
        }

        await BecomeKnownAsync(context, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Starts if need be, and serves until the current job is asked to stop or the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (_application is null && _local is null)
        {
            await StartAsync(cancellationToken).ConfigureAwait(false);
        }

        var jobStopping = FlusterContext.CurrentOrNull?.Stopping ?? CancellationToken.None;
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(jobStopping, cancellationToken);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stopping.Token.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), stopped).ConfigureAwait(false))
        {
            await stopped.Task.ConfigureAwait(false);
        }

        await StopAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Takes no more calls, lets those that run end (5 seconds by default) and stops listening.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_application is null && _local is null || _stopped)
        {
            return;
        }

        _stopped = true;
        AnnounceDrain();
        await BecomeUnknownAsync().ConfigureAwait(false);
        await _actors.DrainAsync(_options.DrainTime, cancellationToken).ConfigureAwait(false);
        CloseLocal();
        if (_application is { } application)
        {
            await _sessions!.StopAsync().ConfigureAwait(false);
            await application.StopAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes an actor away. Calls that run go on; callers who look it up again do not find it. False: there is none of that name.</summary>
    public bool Unregister(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (_actors.Remove(name) is not { } removed)
        {
            return false;
        }

        _registration?.RemoveSoon(removed);
        return true;
    }

    /// <summary>The names of the actors that are served now, in order.</summary>
    public IReadOnlyList<string> ActorNames => [.. _actors.All.Select(actor => actor.Name)];

    /// <summary>Which incarnation of an actor is served: what its endpoint's metadata "handle" says.</summary>
    internal string HandleOf(string name) => _actors.Find(name, out var problem)?.Handle ?? throw new ArgumentException(problem, nameof(name));

    /// <summary>The object that serves under a name.</summary>
    internal object InstanceOf(string name) => _actors.Find(name, out var problem)?.Instance ?? throw new ArgumentException(problem, nameof(name));

    /// <summary>Who is connected, and who was.</summary>
    internal SessionHost Sessions => _sessions ?? throw NotStarted();

    /// <summary>Tells the clients that the calls they have here are answered, whatever becomes of the endpoints.</summary>
    internal void AnnounceDrain()
    {
        if (_local is { } local)
        {
            local.IsDraining = true;
        }

        _sessions?.AnnounceDrain();
    }

    /// <summary>Hangs up at once, as the death of the process does.</summary>
    internal async Task AbortAsync()
    {
        _stopped = true;
        await _sessions!.DisposeAsync().ConfigureAwait(false);
        using var now = new CancellationTokenSource();
        await now.CancelAsync().ConfigureAwait(false);
        await _application!.StopAsync(now.Token).ConfigureAwait(false);
    }

    /// <summary>Stops the server.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        if (_application is { } application)
        {
            await _sessions!.DisposeAsync().ConfigureAwait(false);
            await application.DisposeAsync().ConfigureAwait(false);
        }

        _registration?.Dispose();
        _tokens?.Dispose();
        _ownCertificate?.Dispose();
        _actors.Dispose();
    }

    private static InvalidOperationException NotStarted() => new("The actor server was not started: call StartAsync first.");

    private static (ActorTokens Tokens, bool Announce) TokensFor(FlusterContext? context, ActorServerOptions options, string? certificateHash)
    {
        if (options is { Registration: { } registration, ClusterKey: { } key })
        {
            return (ActorTokens.OfJob(key, FlusterEnvironment.Get(FlusterEnvironment.Token) ?? "", registration.Namespace, options.TimeProvider), false);
        }

        return context is not null
            && FlusterEnvironment.Get(FlusterEnvironment.ClusterKey) is { } clusterKey
            && FlusterEnvironment.Get(FlusterEnvironment.Token) is { } token
            ? (ActorTokens.OfJob(clusterKey, token, context.Namespace, options.TimeProvider), false)
            : (ActorTokens.Own(options.TimeProvider, certificateHash), context is null);
    }

    private WebApplication Build(FlusterContext? context, IPAddress host, ActorTokens tokens, SessionHost sessions)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(ActorServer).Assembly.GetName().Name });
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = _options.MaxMessageSize;
            Listen(kestrel, host, context);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = _options.DrainTime);
        if (_options.LoggerFactory is { } loggers)
        {
            builder.Services.AddSingleton(loggers);
        }

        builder.Services.AddSingleton<IConnectionListenerFactory>(services => new SessionListener(sessions, _certificate is null ? null : new TlsDoor(_certificate), services.GetRequiredService<ILoggerFactory>()));
        builder.Services.AddSingleton<IHostLifetime, GuestLifetime>();
        builder.Services.AddSingleton(_actors);
        builder.Services.AddGrpc();
        builder.Services.AddGrpcReflection();
        builder.Services.AddRpcLimits(new RpcLimits { MaxMessageSize = _options.MaxMessageSize });

        var application = builder.Build();
        application.Use((call, next) => Admit(call, next, tokens));
        application.UseRouting();
        application.MapConnectService<ActorCallService>();
        application.MapGrpcReflectionService(); // behind the same token
        return application;
    }

    /// <summary>Everything on this port needs a token and the protocol's version; whatever is mapped later too.</summary>
    private static Task Admit(HttpContext call, RequestDelegate next, ActorTokens tokens)
    {
        const string Unauthenticated = "16"; // the numbers of gRPC
        const string FailedPrecondition = "9";
        var headers = call.Request.Headers;
        if (tokens.Problem(headers.Authorization) is { } stranger)
        {
            return Refuse(call, StatusCodes.Status401Unauthorized, Unauthenticated, "unauthenticated", stranger);
        }

        return ProtocolVersion.Problem(headers[ProtocolVersion.Metadata]) is { } mismatch
            ? Refuse(call, StatusCodes.Status400BadRequest, FailedPrecondition, "failed_precondition", mismatch)
            : next(call);
    }

    private static Task Refuse(HttpContext call, int httpStatus, string grpcStatus, string connectCode, string message)
    {
        if (call.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true)
        {
            call.Response.ContentType = "application/grpc";
            call.Response.Headers["grpc-status"] = grpcStatus;
            call.Response.Headers["grpc-message"] = Uri.EscapeDataString(message);
            return Task.CompletedTask;
        }

        call.Response.StatusCode = httpStatus;
        return call.Response.WriteAsJsonAsync(new Dictionary<string, string>(StringComparer.Ordinal) { ["code"] = connectCode, ["message"] = message }, call.RequestAborted);
    }

    /// <summary>The server is a guest in the user's process: signals and Ctrl+C are none of its business.</summary>
    private sealed class GuestLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
