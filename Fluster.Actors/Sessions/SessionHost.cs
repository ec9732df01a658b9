using System.Diagnostics;
using Fluster.Actors.V1;
using Fluster.Cluster;
using Microsoft.Extensions.Logging;

namespace Fluster.Actors;

/// <summary>The sessions of one server: lets clients in, finds the session that a connection goes on with, and forgets those that nobody uses.</summary>
internal sealed partial class SessionHost : IAsyncDisposable
{
    /// <summary>What the client sends first, so that the port can tell sessions from HTTP.</summary>
    public static readonly byte[] Preface = "FLUSTER\n"u8.ToArray();

    public const uint Version = 1;

    /// <summary>Calls of one session that may be open at a time, while there are few sessions.</summary>
    public const int MostSlots = 4096;

    /// <summary>Calls of one session that may always be open at a time.</summary>
    public const int FewestSlots = 256;

    /// <summary>Sessions up to which each may have the most: a slot costs memory as long as its session lives.</summary>
    private const int MostRoomySessions = 256;

    /// <summary>Bytes of results that are kept for clients that have not said that they have them.</summary>
    private const long MostKept = 64L * 1024 * 1024;

    private static readonly TimeSpan s_tick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_greeting = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_reconnect = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_idle = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(20);

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, ServerSession> _sessions = [];
    private readonly HashSet<ServerConnection> _connections = [];
    private readonly Dictionary<(string Job, int Task), ulong> _fences = [];
    private readonly ActorTokens _tokens;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private readonly long _mostReserved;
    private long _reserved;
    private long _kept;
    private bool _stopped;

    public SessionHost(ActorTable actors, ActorTokens tokens, ActorServerOptions options, ILogger logger)
    {
        Actors = actors;
        MaxMessageSize = options.MaxMessageSize;
        _mostReserved = Math.Max(256L * 1024 * 1024, 4L * options.MaxMessageSize);
        _tokens = tokens;
        Time = options.TimeProvider;
        _logger = logger;
        _timer = Time.CreateTimer(static host => ((SessionHost)host!).Tick(), this, s_tick, s_tick);
    }

    public ActorTable Actors { get; }

    /// <summary>The clock of tokens, silence and absence.</summary>
    public TimeProvider Time { get; }

    public long MaxMessageSize { get; }

    /// <summary>The sessions that are known, the connections that there are, and when the first of them ends with its token.</summary>
    public (int Sessions, int Connections, DateTimeOffset FirstEnd) State
    {
        get
        {
            lock (_lock)
            {
                return (_sessions.Count, _connections.Count, _connections.Select(connection => connection.ExpiresAt).DefaultIfEmpty(DateTimeOffset.MaxValue).Min());
            }
        }
    }

    /// <summary>Of this server: another one after every start.</summary>
    public string Incarnation { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Serves a connection whose preface was read.</summary>
    public void Serve(SessionTransport transport, ReadOnlySpan<byte> already = default)
    {
        var connection = new ServerConnection(this, transport);
        lock (_lock)
        {
            if (_stopped)
            {
                transport.Dispose();
                return;
            }

            _connections.Add(connection);
        }

        connection.Start(already);
    }

    /// <summary>Lets a client in, or says why not.</summary>
    public Greeting? Greet(SessionHello hello, ServerConnection connection, out CallFailure refusal)
    {
        refusal = null!;
        if (hello.Version != Version)
        {
            refusal = CallFailure.Of(ActorErrorKind.InvalidArgument, $"The client speaks version {hello.Version} of sessions, and this server version {Version}.");
            return null;
        }

        if (_tokens.Check($"Bearer {hello.Token}", out var problem) is not { } claims)
        {
            refusal = CallFailure.Of(ActorErrorKind.PermissionDenied, hello.Token.Length == 0 ? "The session carries no token." : problem);
            return null;
        }

        var id = CallHead.GuidOf(hello.SessionId);
        List<ServerSession>? superseded = null;
        ServerSession? session;
        bool resumed;
        lock (_lock)
        {
            if (IsSuperseded(claims, ref superseded))
            {
                refusal = CallFailure.Of(ActorErrorKind.PermissionDenied, $"The caller is an attempt at {claims.Job} task {claims.Task} that was superseded.");
                return null;
            }

            resumed = _sessions.TryGetValue(id, out session) && hello.Incarnation == Incarnation && IsSame(session.Claims, claims);
            if (!resumed)
            {
                session = new ServerSession(id, claims, this);
                _sessions[id] = session;
            }
        }

        foreach (var old in superseded ?? [])
        {
            old.CancelAll();
            old.Connection?.Close();
        }

        return new Greeting(session!, EndOf(claims), new SessionWelcome
        {
            Incarnation = Incarnation,
            Resumed = resumed,
            Slots = (uint)Slots(),
            MaxMessageSize = MaxMessageSize,
            SameMachine = hello.Machine.Length > 0 && hello.Machine == MachineClock.Id,
        });
    }

    private int Slots()
    {
        lock (_lock)
        {
            return _sessions.Count <= MostRoomySessions ? MostSlots : FewestSlots;
        }
    }

    /// <summary>A session's client has another token. Gives the time when that ends; null when it is not one of the same caller, and the old one goes on counting.</summary>
    public DateTimeOffset? Renewed(ServerSession session, string token) =>
        _tokens.Check($"Bearer {token}", out _) is { } claims && IsSame(session.Claims, claims) ? EndOf(claims) : null;

    /// <summary>Takes so many bytes of what messages that have arrived may occupy.</summary>
    public bool TryReserve(long bytes)
    {
        if (Interlocked.Add(ref _reserved, bytes) <= _mostReserved)
        {
            return true;
        }

        Interlocked.Add(ref _reserved, -bytes);
        return false;
    }

    public void Unreserve(long bytes) => Interlocked.Add(ref _reserved, -bytes);

    /// <summary>Takes so many bytes of what results may occupy until they are acknowledged.</summary>
    public bool TryKeep(long bytes)
    {
        if (Interlocked.Add(ref _kept, bytes) <= MostKept)
        {
            return true;
        }

        Interlocked.Add(ref _kept, -bytes);
        return false;
    }

    public void Forget(long bytes) => Interlocked.Add(ref _kept, -bytes);

    /// <summary>The client is done with a session.</summary>
    public void Leave(ServerSession session)
    {
        lock (_lock)
        {
            if (_sessions.TryGetValue(session.Id, out var known) && known == session)
            {
                _sessions.Remove(session.Id);
            }
        }

        session.CancelAll();
        session.Close();
    }

    public void Remove(ServerConnection connection)
    {
        lock (_lock)
        {
            _connections.Remove(connection);
        }
    }

    public void Report(Exception exception) => Log.Broken(_logger, exception.Message);

    /// <summary>Tells every client that the server is about to stop, before its endpoints vanish: the calls that it has are still answered.</summary>
    public void AnnounceDrain()
    {
        lock (_lock)
        {
            foreach (var connection in _connections)
            {
                connection.Output.Append(FrameType.Drain);
                connection.Output.Send(now: false);
            }
        }
    }

    /// <summary>Tells every client that nothing more runs, after the last answers, and hangs up when they did, or after a second.</summary>
    public async Task StopAsync()
    {
        ServerConnection[] connections;
        lock (_lock)
        {
            _stopped = true;
            connections = [.. _connections];
        }

        var patience = TimeSpan.FromSeconds(1);
        await Task.WhenAll(connections.Select(connection => connection.StopAsync())).WaitAsync(patience, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var since = Stopwatch.GetTimestamp();
        while (Count() > 0 && Stopwatch.GetElapsedTime(since) < patience)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync().ConfigureAwait(false);
        ServerConnection[] connections;
        ServerSession[] sessions;
        lock (_lock)
        {
            _stopped = true;
            connections = [.. _connections];
            sessions = [.. _sessions.Values];
            _sessions.Clear();
        }

        foreach (var connection in connections)
        {
            connection.Close();
        }

        foreach (var session in sessions)
        {
            session.CancelAll();
            session.Close();
        }
    }

    private static DateTimeOffset EndOf(TokenClaims claims) =>
        DateTimeOffset.FromUnixTimeSeconds(Math.Min(claims.ExpiresAt, DateTimeOffset.MaxValue.ToUnixTimeSeconds()));

    private static bool IsSame(TokenClaims before, TokenClaims now) =>
        (before.Role, before.Namespace, before.Job, before.Task, before.Fence) == (now.Role, now.Namespace, now.Job, now.Task, now.Fence);

    private int Count()
    {
        lock (_lock)
        {
            return _connections.Count;
        }
    }

    // Of one task's attempts only the newest that was seen may call; sessions of older ones end when it is.
    private bool IsSuperseded(TokenClaims claims, ref List<ServerSession>? superseded)
    {
        if (claims is not { Job: { } job, Fence: { } fence })
        {
            return false;
        }

        var key = (job, claims.Task ?? 0);
        if (_fences.TryGetValue(key, out var highest) && fence <= highest)
        {
            return fence < highest;
        }

        _fences[key] = fence;
        foreach (var session in _sessions.Values.Where(session => session.Claims.Job == job && (session.Claims.Task ?? 0) == key.Item2 && session.Claims.Fence < fence).ToList())
        {
            _sessions.Remove(session.Id);
            (superseded ??= []).Add(session);
        }

        return false;
    }

    private void Tick()
    {
        var now = Time.GetTimestamp();
        var wall = Time.GetUtcNow();
        List<ServerConnection>? close = null;
        List<ServerSession>? cancel = null;
        List<ServerSession>? forget = null;
        lock (_lock)
        {
            foreach (var connection in _connections)
            {
                var silent = Time.GetElapsedTime(connection.LastHeard, now);
                if ((!connection.IsGreeted && silent > s_greeting) || (silent > s_silence && connection.HasOpenCalls) || connection.ExpiresAt < wall)
                {
                    (close ??= []).Add(connection);
                }
            }

            foreach (var session in _sessions.Values.Where(session => session.LostAt != 0))
            {
                var lost = Time.GetElapsedTime(session.LostAt, now);
                if (lost > s_reconnect && session.Open > 0)
                {
                    (cancel ??= []).Add(session);
                }

                if (lost > s_idle && session.Open == 0)
                {
                    (forget ??= []).Add(session);
                }
            }

            foreach (var session in forget ?? [])
            {
                _sessions.Remove(session.Id);
            }
        }

        close?.ForEach(connection => connection.Close());
        cancel?.ForEach(session => session.CancelAll());
        forget?.ForEach(session => session.Close());
    }

    private static partial class Log
    {
        [LoggerMessage(310, LogLevel.Warning, "A session's connection was closed: {Problem}")]
        public static partial void Broken(ILogger logger, string problem);
    }
}

/// <summary>A client that was let in.</summary>
internal sealed record Greeting(ServerSession Session, DateTimeOffset ExpiresAt, SessionWelcome Welcome);
