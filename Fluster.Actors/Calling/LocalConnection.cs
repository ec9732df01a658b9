using System.Collections.Concurrent;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Calls a server of this process: the arguments and the result are written and read as everywhere, and no socket is between them.</summary>
internal sealed class LocalConnection : ActorConnection
{
    private readonly LocalServer _server;
    private readonly PendingTable _pending;
    private readonly ConcurrentDictionary<Key, (HostedActor Actor, int Method)> _resolved = new();

    public LocalConnection(LocalServer server)
    {
        _server = server;
        _pending = new PendingTable(int.MaxValue, call => Cancel(call, CallEnd.TimedOut));
    }

    public override bool IsUsable => !_server.IsStopped;

    public override ValueTask<CallEnd> SendAsync(PendingCall call)
    {
        var pending = call.Pend();
        call.IsWritten = true;
        if (_server.IsStopped)
        {
            call.TryEnd(CallEnd.NotSent, CallFailure.Of(ActorErrorKind.ShuttingDown, "its server in this process has stopped."));
            return pending;
        }

        var key = new Key(call.Target, call.Method);
        if (!_resolved.TryGetValue(key, out var found) || found.Actor.Mailbox.IsClosed)
        {
            if (_server.Actors.Resolve(call.Target, call.Method.Name, call.Method.Parameters.Count, out var failure) is not { } resolved)
            {
                call.TryEnd(CallEnd.Failed, failure);
                return pending;
            }

            found = resolved;
            _resolved[key] = found;
        }

        call.Slot = _pending.Add(call);
        var payload = PayloadPool.RentPayload();
        payload.CopyFrom(call.Arguments);
        var served = new LocalServerCall(this, call) { Payload = payload, Deadline = call.Deadline, Chain = call.Chain, Trace = call.Trace };
        call.Ticket = served;
        served.Bind(found.Actor, found.Method, call.Method.Parameters.Count);
        if (found.Actor.Mailbox.Enter(served) is { } ready)
        {
            // Never here: making a call returns at once, whatever the method does, and the locks that the caller holds are not the actor's. It is the
            // first thing that this thread does next if it is one of the pool and the caller waits; if he does not, another thread takes it.
            ThreadPool.UnsafeQueueUserWorkItem(ready, preferLocal: true);
        }

        return pending;
    }

    public override Task<bool> IsThereAsync(CancellationToken cancellationToken) => IsUsable
        ? Task.FromResult(true)
        : throw new Fluster.Cluster.ClusterException(Fluster.Cluster.ClusterError.Unavailable, $"The actor server {_server.Address} of this process has stopped.");

    public override void Cancel(PendingCall call, CallEnd end)
    {
        var served = call.Ticket as LocalServerCall;
        if (End(call, end))
        {
            served?.Abandon(end == CallEnd.TimedOut ? ActorErrorKind.DeadlineExceeded : ActorErrorKind.Cancelled);
        }
    }

    public override void GiveCredit(PendingCall call, int items, int bytes) => (call.Ticket as LocalServerCall)?.Credit?.Give(items, bytes);

    public override void FailTarget(ActorTarget target)
    {
        if (!_server.IsDraining)
        {
            _ = Detached.Run(() => FailAsync(target)); // who drains says himself what becomes of his calls
        }
    }

    public override void Retire()
    {
        // Nothing is open but the calls, whose deadlines still count.
    }

    public override void Dispose() => _pending.Dispose();

    private async Task FailAsync(ActorTarget target)
    {
        await Task.Delay(Farewell, TimeProvider.System).ConfigureAwait(false); // it may still be answering
        foreach (var call in _pending.All().Where(call => call.Target == target))
        {
            var served = call.Ticket as LocalServerCall;
            if (End(call, CallEnd.Unknown, CallFailure.Of(ActorErrorKind.OutcomeUnknown, "its endpoint is gone.")))
            {
                served?.Abandon(ActorErrorKind.Cancelled);
            }
        }
    }

    private bool End(PendingCall call, CallEnd end, CallFailure? failure = null)
    {
        if (!call.TryClaim(end))
        {
            return false;
        }

        _pending.Remove(call.Slot, call);
        call.Failure = failure;
        ThreadPool.UnsafeQueueUserWorkItem(call, preferLocal: true);
        return true;
    }

    /// <summary>The same method of the same actor: told apart quickly, for every call asks.</summary>
    private readonly record struct Key(ActorTarget Target, ActorMethodShape Method)
    {
        public bool Equals(Key other) => ReferenceEquals(Method, other.Method) && Target == other.Target;

        public override int GetHashCode() => HashCode.Combine(Method.Number, Target.Handle);
    }

    private sealed class LocalServerCall(LocalConnection connection, PendingCall call) : ActorServerCall
    {
        private PendingCall? _waiter;

        /// <summary>How far the items of a stream may be ahead; null for other calls.</summary>
        public CreditWindow? Credit { get; } = call.Items is null ? null : new CreditWindow();

        /// <summary>Nobody waits for it any more.</summary>
        public void Abandon(ActorErrorKind kind)
        {
            Credit?.Close();
            if (!TryRefuse(CallFailure.Of(kind, "Nobody waits for it any more.")))
            {
                Cancel();
            }
        }

        private protected override void Complete()
        {
            if (Result is { } written)
            {
                if (call.TryClaim(CallEnd.Value))
                {
                    var value = PayloadPool.RentPayload();
                    value.CopyFrom(written);
                    call.Value = value;
                    connection._pending.Remove(call.Slot, call);
                    Volatile.Write(ref _waiter, call);
                }

                PayloadPool.Return(written);
            }
            else
            {
                connection.End(call, CallEnd.Failed, Failure);
            }
        }

        // The caller goes on once the actor is free again for others: on this thread if it has nothing else to run, which saves a hand-over.
        private protected override void Left(bool isLast)
        {
            if (Interlocked.Exchange(ref _waiter, null) is not { } waiter)
            {
                return;
            }

            if (isLast)
            {
                ((IThreadPoolWorkItem)waiter).Execute();
            }
            else
            {
                ThreadPool.UnsafeQueueUserWorkItem(waiter, preferLocal: true);
            }
        }

        private protected override bool TrySendItem(PayloadWriter item)
        {
            if (!Credit!.TryTake((int)Math.Min(item.Size, int.MaxValue)))
            {
                return false;
            }

            Deliver(item);
            return true;
        }

        private protected override async ValueTask SendItemAsync(PayloadWriter item)
        {
            await Credit!.TakeAsync((int)Math.Min(item.Size, int.MaxValue), CancellationToken).ConfigureAwait(false);
            Deliver(item);
        }

        private void Deliver(PayloadWriter item)
        {
            var payload = new Payload();
            payload.CopyFrom(item);
            call.Items?.Add(payload, (int)Math.Min(item.Size, int.MaxValue));
            PayloadPool.Return(item);
        }
    }
}
