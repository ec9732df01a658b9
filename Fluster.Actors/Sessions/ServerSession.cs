using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// One client's calls at this server, over as many connections as it needs one after the other. A slot holds one call, and its result until the
/// client's next call in the slot says that it arrived: so a call that is sent again joins the one that runs or ran.
/// </summary>
internal sealed class ServerSession(Guid id, TokenClaims claims, SessionHost host)
{
    /// <summary>Results up to this are kept until they are acknowledged; larger ones until they are written.</summary>
    private const long MostKept = 1024 * 1024;

    private readonly Lock _lock = new();
    private Slot?[] _slots = new Slot?[16];
    private ServerConnection? _connection;
    private int _open;

    public Guid Id { get; } = id;

    public TokenClaims Claims { get; } = claims;

    /// <summary>Calls that have no answer yet.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Since when no connection carries the session; 0 while one does. A timestamp of the host's clock.</summary>
    public long LostAt { get; private set; }

    public ServerConnection? Connection => _connection;

    /// <summary>The calls that are made from now on come over this connection, and the answers go there. The one before is closed.</summary>
    public void Attach(ServerConnection connection)
    {
        ServerConnection? before;
        lock (_lock)
        {
            (before, _connection) = (_connection, connection);
            LostAt = 0;
        }

        before?.Close();
    }

    /// <summary>A connection has ended. Calls go on; streams do not, for nobody could read on where they were.</summary>
    public void Detach(ServerConnection connection)
    {
        List<SessionServerCall>? streams = null;
        lock (_lock)
        {
            if (_connection != connection)
            {
                return;
            }

            _connection = null;
            LostAt = host.Time.GetTimestamp();
            foreach (var slot in _slots)
            {
                if (slot is { Call.IsStream: true, IsDone: false })
                {
                    (streams ??= []).Add(slot.Call);
                }
            }
        }

        foreach (var stream in streams ?? [])
        {
            stream.Abandon();
        }
    }

    /// <summary>A call has arrived as a whole. Returns it when it is new and to be let in; null when it joined another, or cannot be known.</summary>
    public SessionServerCall? Receive(ServerConnection connection, int slotNumber, ulong sequence, CallHead head, Payload payload, long reserved)
    {
        lock (_lock)
        {
            var slot = SlotOf(slotNumber);
            if (sequence > slot.Sequence)
            {
                Release(slot);
                slot.Sequence = sequence;
                slot.IsDone = false;
                slot.Call = new SessionServerCall(this, connection, slotNumber, sequence)
                {
                    Payload = payload, Deadline = head.Deadline, Chain = head.Chain, Trace = head.Trace, Reserved = reserved,
                };
                _open++;
                return slot.Call;
            }

            host.Unreserve(reserved);
            PayloadPool.Return(payload);
            if (sequence < slot.Sequence)
            {
                connection.SendFailure(slotNumber, sequence, CallFailure.Of(ActorErrorKind.OutcomeUnknown, "a later call was made in its place."));
            }
            else if (slot.IsDone)
            {
                Answer(slot, slotNumber, connection);
            }

            return null;
        }
    }

    /// <summary>A call was refused before it was one.</summary>
    public void Refuse(ServerConnection connection, int slotNumber, ulong sequence, CallFailure failure)
    {
        lock (_lock)
        {
            var slot = SlotOf(slotNumber);
            if (sequence > slot.Sequence)
            {
                Release(slot);
                (slot.Sequence, slot.IsDone, slot.Call, slot.Failure) = (sequence, true, null, failure);
            }

            connection.SendFailure(slotNumber, sequence, failure);
        }
    }

    /// <summary>The client waits no longer.</summary>
    public void Cancel(int slotNumber, ulong sequence)
    {
        SessionServerCall? call;
        lock (_lock)
        {
            call = slotNumber < _slots.Length && _slots[slotNumber] is { IsDone: false } slot && slot.Sequence == sequence ? slot.Call : null;
        }

        call?.Abandon();
    }

    /// <summary>The reader of a stream has room.</summary>
    public void GiveCredit(int slotNumber, ulong sequence, int items, int bytes)
    {
        SessionServerCall? call;
        lock (_lock)
        {
            call = slotNumber < _slots.Length && _slots[slotNumber] is { } slot && slot.Sequence == sequence ? slot.Call : null;
        }

        call?.Credit?.Give(items, bytes);
    }

    /// <summary>A call has its answer.</summary>
    public void Complete(SessionServerCall call)
    {
        ServerConnection? connection;
        var open = Interlocked.Decrement(ref _open);
        lock (_lock)
        {
            var slot = SlotOf(call.Slot);
            if (slot.Call != call)
            {
                if (call.Result is { } unwanted)
                {
                    PayloadPool.Return(unwanted);
                }

                return; // The client gave it up, and made another call in the slot.
            }

            slot.IsDone = true;
            slot.Call = null;
            (slot.Result, slot.Failure) = (call.Result, call.Failure);
            connection = _connection;
            if (slot.Result is { } result && connection is not null && result.Size > connection.MostResult)
            {
                slot.Result = null;
                PayloadPool.Return(result);
                slot.Failure = CallFailure.Of(ActorErrorKind.Result, $"The result of {result.Size} bytes is larger than the {connection.MostResult} that the caller takes.");
            }

            Keep(slot);
            if (connection is not null)
            {
                Answer(slot, call.Slot, connection);
            }
        }

        connection?.Output.Send(now: open == 0);
    }

    /// <summary>Ends every call that has no answer.</summary>
    public void CancelAll()
    {
        List<SessionServerCall> calls;
        lock (_lock)
        {
            calls = [.. _slots.Where(slot => slot is { IsDone: false, Call: not null }).Select(slot => slot!.Call!)];
        }

        foreach (var call in calls)
        {
            call.Abandon();
        }
    }

    /// <summary>Forgets all results.</summary>
    public void Close()
    {
        lock (_lock)
        {
            foreach (var slot in _slots.OfType<Slot>())
            {
                Release(slot);
            }
        }
    }

    private Slot SlotOf(int number)
    {
        if (number >= _slots.Length)
        {
            Array.Resize(ref _slots, Math.Min(Math.Max(number + 1, _slots.Length * 2), SessionHost.MostSlots));
        }

        return _slots[number] ??= new Slot();
    }

    private void Keep(Slot slot)
    {
        if (slot.Result is not { } result)
        {
            return;
        }

        if (result.Size > MostKept || !host.TryKeep(result.Size))
        {
            slot.IsKept = false;
            return;
        }

        slot.IsKept = true;
        slot.Kept = result.Size;
    }

    // The answer may be sent several times, to one connection after the other.
    private void Answer(Slot slot, int number, ServerConnection connection)
    {
        if (slot.Failure is { } failure)
        {
            connection.SendFailure(number, slot.Sequence, failure);
            return;
        }

        if (slot.Result is not { } result)
        {
            connection.SendFailure(number, slot.Sequence, CallFailure.Of(ActorErrorKind.OutcomeUnknown, "its result was sent once, and was too large to be kept."));
            return;
        }

        var sequence = slot.Sequence;
        slot.Sending = connection.Output.Append(FrameType.Result, number, sequence, default, result, sent: slot.IsKept ? null : () => Forget(number, sequence));
        if (slot.Sending is null && !slot.IsKept)
        {
            slot.Result = null;
            PayloadPool.Return(result);
        }
    }

    private void Forget(int number, ulong sequence)
    {
        lock (_lock)
        {
            if (_slots[number] is { } slot && slot.Sequence == sequence && slot is { IsKept: false, Result: { } result })
            {
                slot.Result = null;
                slot.Sending = null;
                PayloadPool.Return(result);
            }
        }
    }

    private void Release(Slot slot)
    {
        if (slot.IsKept)
        {
            host.Forget(slot.Kept);
        }

        if (slot.Result is { } result)
        {
            // What is still being sent is left to the garbage collector.
            if (slot.Sending is null or { IsFinished: true })
            {
                PayloadPool.Return(result);
            }
            else
            {
                slot.Sending.GiveUp();
            }
        }

        (slot.Result, slot.Failure, slot.Sending, slot.IsKept, slot.Kept, slot.Call) = (null, null, null, false, 0, null);
    }

    private sealed class Slot
    {
        public ulong Sequence { get; set; }

        public SessionServerCall? Call { get; set; }

        public bool IsDone { get; set; }

        public PayloadWriter? Result { get; set; }

        public CallFailure? Failure { get; set; }

        public LargeMessage? Sending { get; set; }

        /// <summary>Whether the result stays until it is acknowledged.</summary>
        public bool IsKept { get; set; }

        public long Kept { get; set; }
    }
}
