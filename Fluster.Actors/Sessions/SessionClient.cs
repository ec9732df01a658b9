using System.Diagnostics;
using Fluster.Actors.V1;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// The calls of this process to one server. Lives on when its connection breaks: it is made again, and calls that are sent again join those that
/// run. Only when the server does not know the session any more is it unknown what became of them.
/// </summary>
internal sealed class SessionClient : ActorConnection
{
    private static readonly TimeSpan s_pingInterval = TimeSpan.FromSeconds(5);

    /// <summary>How much longer than a call's deadline the server's own word on it is waited for: it knows who held the actor.</summary>
    private static readonly long s_grace = Stopwatch.Frequency / 10;

    private readonly Lock _lock = new();
    private readonly ServerAddress _address;
    private readonly Func<string?> _token;
    private readonly SessionConnector _connector;
    private readonly PendingTable _pending;
    private readonly Queue<PendingCall> _overflow = new();
    private readonly HashSet<ActorTarget> _gone = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Timer _pings;
    private ulong[] _sequences = new ulong[64];
    private ClientConnection? _connection;
    private string _incarnation = "";
    private long _serversLimit = long.MaxValue;
    private CallFailure? _end;
    private volatile bool _ended;
    private bool _pinging;
    private bool _draining;
    private bool _retired;

    public SessionClient(ServerAddress address, Func<string?> token, int maxMessageSize)
    {
        _address = address;
        _token = token;
        _connector = new SessionConnector(this, address, token);
        MaxMessageSize = maxMessageSize;
        _pending = new PendingTable(SessionHost.FewestSlots, Expire, s_grace);
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            _pings = new Timer(static session => ((SessionClient)session!).Ping(), this, Timeout.Infinite, Timeout.Infinite);
        }

        _ = Detached.Run(() => _connector.RunAsync(isFirst: true, _stop.Token));
    }

    public override bool IsUsable => !_ended;

    /// <summary>The server that the session was opened with; empty before.</summary>
    public string Incarnation => _incarnation;

    /// <summary>The largest result that is taken.</summary>
    public long MaxMessageSize { get; }

    public override ValueTask<CallEnd> SendAsync(PendingCall call)
    {
        var pending = call.Pend();
        ClientConnection? connection;
        int open;
        lock (_lock)
        {
            if (_ended)
            {
                call.TryEnd(CallEnd.NotSent, _end);
                return pending;
            }

            if (call.Arguments.Size > _serversLimit || call.Arguments.Raws.Count > PayloadFrames.MostRaws)
            {
                call.TryEnd(CallEnd.Failed, CallFailure.Of(ActorErrorKind.ResourceExhausted, $"A message of {call.Arguments.Size} bytes is larger than the {_serversLimit} that the server takes."));
                return pending;
            }

            if (!TryPlace(call))
            {
                _overflow.Enqueue(call);
                _pending.Watch(call);
                return pending;
            }

            connection = _connection;
            if (connection is not null)
            {
                Write(connection, call);
            }

            open = _pending.Count;
            if (!_pinging)
            {
                _pinging = true;
                _pings.Change(s_pingInterval, s_pingInterval);
            }
        }

        connection?.Output.Send(now: open == 1);
        return pending;
    }

    public override void Cancel(PendingCall call, CallEnd end) => End(call, end, failure: null, tell: true);

    public override void GiveCredit(PendingCall call, int items, int bytes)
    {
        ClientConnection? connection;
        lock (_lock)
        {
            connection = _connection;
        }

        connection?.Output.Append(FrameType.Credit, call.Slot, call.Sequence, items, bytes);
        connection?.Output.Send(now: false);
    }

    public override void FailTarget(ActorTarget target)
    {
        TimeSpan farewell;
        lock (_lock)
        {
            if (_ended || _draining)
            {
                return; // It said itself what becomes of its calls.
            }

            _gone.Add(target);
            farewell = _connection is null ? TimeSpan.Zero : Farewell; // It may still be answering.
        }

        _ = Detached.Run(() => FailAsync(target, farewell));
    }

    /// <summary>Asks the server whether it is there.</summary>
    public override async Task<bool> IsThereAsync(CancellationToken cancellationToken)
    {
        while (!_ended)
        {
            ClientConnection? connection;
            lock (_lock)
            {
                connection = _connection;
            }

            if (connection is not null && await connection.AnswersAsync(() => !_ended && connection == _connection, cancellationToken).ConfigureAwait(false))
            {
                return true;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }

        throw _end?.Kind == ActorErrorKind.PermissionDenied
            ? new ClusterException(ClusterError.Unauthenticated, $"The actor server at {_address} refused the session: {_end.Message}")
            : new ClusterException(ClusterError.Unavailable, $"The actor server at {_address} cannot be reached: {_end?.Message}");
    }

    /// <summary>The answer of a call has arrived. Returns the call, to be run, if it still waits.</summary>
    public PendingCall? End(int slot, ulong sequence, CallEnd end, Payload? value, CallFailure? failure)
    {
        PendingCall? next = null;
        PendingCall? call;
        ClientConnection? connection;
        lock (_lock)
        {
            call = _pending.Find(slot);
            if (call is null || call.Sequence != sequence || !call.TryClaim(end))
            {
                return null;
            }

            call.Value = value;
            call.Failure = failure;
            Free(call);
            connection = _connection;
            next = PlaceNext(connection);
        }

        if (next is not null)
        {
            connection?.Output.Send(now: false);
        }

        return call;
    }

    /// <summary>An item of a stream has arrived.</summary>
    public void Item(int slot, ulong sequence, Payload item, int size)
    {
        ItemReceiver? items;
        lock (_lock)
        {
            items = _pending.Find(slot) is { } call && call.Sequence == sequence ? call.Items : null;
        }

        items?.Add(item, size);
    }

    /// <summary>The server is about to stop, and answers the calls that it has.</summary>
    public void Draining(ClientConnection connection)
    {
        lock (_lock)
        {
            _draining = _connection == connection || _connection is null;
        }
    }

    /// <summary>The server stops: what it has not answered did not run.</summary>
    public void Goodbye(ClientConnection connection)
    {
        var failure = CallFailure.Of(ActorErrorKind.ShuttingDown, "the server has stopped.");
        PendingCall[] calls;
        lock (_lock)
        {
            if (_connection != connection)
            {
                return;
            }

            calls = Give(failure);
        }

        foreach (var call in calls)
        {
            End(call, CallEnd.NotSent, failure, tell: false);
        }

        connection.Close();
    }

    /// <summary>A connection has ended.</summary>
    public void Lost(ClientConnection connection, Exception? exception)
    {
        PendingCall[] streams;
        lock (_lock)
        {
            if (_connection != connection)
            {
                return;
            }

            _connection = null;
            streams = [.. _pending.All().Where(call => call.IsSent && (call.Items is not null || _gone.Contains(call.Target)))];
        }

        // Nobody could read on where they were.
        foreach (var stream in streams)
        {
            var what = stream.Items is null ? "its endpoint is gone, and the connection broke" : "the connection broke in the middle of the stream";
            End(stream, CallEnd.Unknown, CallFailure.Of(ActorErrorKind.OutcomeUnknown, $"{what}{(exception is null ? "" : $" ({exception.Message})")}."), tell: false);
        }

        if (!_stop.IsCancellationRequested)
        {
            _ = Detached.Run(() => _connector.RunAsync(isFirst: false, _stop.Token));
        }
    }

    public override void Retire()
    {
        lock (_lock)
        {
            _retired = true;
            if (_pending.Count > 0 || _overflow.Count > 0)
            {
                return;
            }
        }

        Dispose();
    }

    public override void Dispose()
    {
        var failure = CallFailure.Of(ActorErrorKind.OutcomeUnknown, "the client was disposed.");
        PendingCall[] calls;
        ClientConnection? connection;
        lock (_lock)
        {
            connection = _connection;
            _connection = null;
            calls = Give(failure);
        }

        _stop.Cancel();
        EndAll(calls, failure);
        _ = connection?.LeaveAsync();
        _pings.Dispose();
        _pending.Dispose();
    }

    /// <summary>From here on the connection carries the session: calls that it knows are sent again and join, others go on as if it were the first.</summary>
    public void Use(ClientConnection connection, SessionWelcome welcome)
    {
        List<PendingCall>? unknown = null;
        lock (_lock)
        {
            if (_ended)
            {
                connection.Close();
                return;
            }

            connection.SameMachine = welcome.SameMachine;
            _serversLimit = welcome.MaxMessageSize;
            _pending.Limit = Math.Clamp((int)Math.Min(welcome.Slots, SessionHost.MostSlots), SessionHost.FewestSlots, SessionHost.MostSlots);
            var isKnown = welcome.Resumed || _incarnation.Length == 0;
            _incarnation = welcome.Incarnation;
            foreach (var call in _pending.All())
            {
                if (call.IsSent && !isKnown)
                {
                    (unknown ??= []).Add(call);
                }
                else
                {
                    Write(connection, call);
                }
            }

            while (PlaceNext(connection) is not null) { } // as many as there are slots for
            _connection = connection;
        }

        foreach (var call in unknown ?? [])
        {
            End(call, CallEnd.Unknown, CallFailure.Of(ActorErrorKind.OutcomeUnknown, "its server was replaced while it ran."), tell: false);
        }

        connection.Output.Send(now: false);
        if (connection.IsClosed)
        {
            Lost(connection, exception: null); // It was closed between its welcome and now, when it was not ours yet.
        }
    }

    /// <summary>There is no way to the server, or it does not let the session in.</summary>
    public void Fail(CallFailure failure)
    {
        PendingCall[] calls;
        lock (_lock)
        {
            calls = Give(failure);
        }

        EndAll(calls, failure);
    }

    private void EndAll(IEnumerable<PendingCall> calls, CallFailure failure, bool tell = false)
    {
        foreach (var call in calls)
        {
            End(call, call.IsSent ? CallEnd.Unknown : CallEnd.NotSent, failure, tell);
        }
    }

    private async Task FailAsync(ActorTarget target, TimeSpan farewell)
    {
        await Task.Delay(farewell, TimeProvider.System, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        EndAll(_pending.All().Where(call => call.Target == target), CallFailure.Of(ActorErrorKind.OutcomeUnknown, "its endpoint is gone."), tell: true);
    }

    // Under the lock: takes no more calls. Returns those that have to end.
    private PendingCall[] Give(CallFailure failure)
    {
        _ended = true;
        _end ??= failure;
        PendingCall[] calls = [.. _pending.All(), .. _overflow];
        _overflow.Clear();
        return calls;
    }

    private bool TryPlace(PendingCall call)
    {
        if (_overflow.Count > 0 || _pending.Add(call) is var slot && slot < 0)
        {
            return false;
        }

        Number(call, slot);
        return true;
    }

    private void Number(PendingCall call, int slot)
    {
        if (slot >= _sequences.Length)
        {
            Array.Resize(ref _sequences, Math.Min(_sequences.Length * 2, SessionHost.MostSlots));
        }

        call.Slot = slot;
        call.Sequence = ++_sequences[slot];
        call.IsSent = false;
    }

    private PendingCall? PlaceNext(ClientConnection? connection)
    {
        while (_overflow.TryPeek(out var next))
        {
            if (!next.IsPending)
            {
                _overflow.Dequeue();
                continue;
            }

            if (_pending.Add(next) is var slot && slot < 0)
            {
                return null;
            }

            _overflow.Dequeue();
            Number(next, slot);
            if (connection is not null)
            {
                Write(connection, next);
            }

            return next;
        }

        return null;
    }

    private void Free(PendingCall call)
    {
        if (call.Slot >= 0)
        {
            _pending.Remove(call.Slot, call);
        }

        if (_retired && _pending.Count == 0)
        {
            _ = Detached.Run(() => Task.Run(Dispose));
        }

        if (call.Sending is { IsFinished: false } sending)
        {
            sending.GiveUp();
            call.IsWritten = false;
        }
        else
        {
            call.IsWritten = true;
        }
    }

    private void Write(ClientConnection connection, PendingCall call)
    {
        Span<byte> room = stackalloc byte[CallHead.Size];
        var head = CallHead.Write(room, connection.Define(call), call, connection.SameMachine);
        call.IsSent = true;
        call.Sending = connection.Output.Append(FrameType.Call, call.Slot, call.Sequence, head, call.Arguments);
    }

    private void End(PendingCall call, CallEnd end, CallFailure? failure, bool tell)
    {
        ClientConnection? connection;
        lock (_lock)
        {
            if (!call.TryClaim(end))
            {
                return;
            }

            call.Failure = failure;
            Free(call);
            connection = _connection;
            if (tell && call.IsSent)
            {
                connection?.Output.Append(FrameType.Cancel, call.Slot, call.Sequence);
            }

            PlaceNext(connection);
        }

        connection?.Output.Send(now: false);
        ThreadPool.UnsafeQueueUserWorkItem(call, preferLocal: false);
    }

    private void Expire(PendingCall call) => End(call, CallEnd.TimedOut, failure: null, tell: true);

    private void Ping()
    {
        ClientConnection? connection;
        lock (_lock)
        {
            connection = _connection;
            if (_pending.Count == 0)
            {
                _pinging = false;
                _pings.Change(Timeout.Infinite, Timeout.Infinite);
                return;
            }
        }

        connection?.Renew(_token());
        connection?.KeepAlive(longestSilence: 2 * s_pingInterval + TimeSpan.FromSeconds(1));
    }
}
