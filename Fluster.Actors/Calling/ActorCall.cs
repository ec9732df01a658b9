using System.ComponentModel;
using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Fluster.Actors;

/// <summary>One call as its caller makes it, to which the arguments are added in their order. For generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class ActorCall
{
    private protected ActorCall(ActorMethodShape method)
    {
        Method = method;
        Arguments = PayloadPool.RentWriter();
        Arguments.Begin(array: true);
    }

    internal ActorMethodShape Method { get; }

    internal PayloadWriter Arguments { get; }

    /// <summary>Adds the next argument.</summary>
    public void Write<T>(T value, ActorCodec<T> codec)
    {
        ArgumentNullException.ThrowIfNull(codec);
        codec.Write(Arguments, value, copy: false);
    }
}

/// <summary>A call that waits for what becomes of it.</summary>
internal sealed class PendingCall(ActorMethodShape method) : ActorCall(method), IValueTaskSource<CallEnd>, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<CallEnd> _source;
    private CallEnd _end;
    private int _pending;

    /// <summary>Which actor is called, and which incarnation of it.</summary>
    public ActorTarget Target { get; set; } = null!;

    /// <summary>When it is over for the caller; 0 for never. In ticks of <see cref="Stopwatch"/>.</summary>
    public long Deadline { get; set; }

    public ChainEntry[] Chain { get; set; } = [];

    public ActivityContext Trace { get; set; }

    /// <summary>The value that came back.</summary>
    public Payload? Value { get; set; }

    /// <summary>Why there is none.</summary>
    public CallFailure? Failure { get; set; }

    /// <summary>Receives the items of a stream; null for any other call.</summary>
    public ItemReceiver? Items { get; set; }

    /// <summary>What a connection keeps with the call.</summary>
    public object? Ticket { get; set; }

    public int Slot { get; set; } = -1;

    public ulong Sequence { get; set; }

    /// <summary>Whether the server may have it.</summary>
    public bool IsSent { get; set; }

    /// <summary>The arguments while they are sent in several frames.</summary>
    public LargeMessage? Sending { get; set; }

    /// <summary>Whether nothing reads the arguments any more.</summary>
    public bool IsWritten { get; set; }

    public bool IsPending => Volatile.Read(ref _pending) == 1;

    /// <summary>Becomes pending; the answer will be the task's result.</summary>
    public ValueTask<CallEnd> Pend()
    {
        _source.Reset();
        Failure = null;
        IsWritten = false;
        IsSent = false;
        Sending = null;
        Slot = -1;
        Volatile.Write(ref _pending, 1);
        return new ValueTask<CallEnd>(this, _source.Version);
    }

    /// <summary>Claims the right to end the call: only one does. The caller goes on when the call is executed as a work item.</summary>
    public bool TryClaim(CallEnd end)
    {
        if (Interlocked.CompareExchange(ref _pending, 0, 1) != 1)
        {
            return false;
        }

        _end = end;
        return true;
    }

    /// <summary>Ends the call, if nobody else did.</summary>
    public void TryEnd(CallEnd end, CallFailure? failure = null)
    {
        if (TryClaim(end))
        {
            Failure = failure;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <summary>Gives back what the call rented, when it is over.</summary>
    public void Release()
    {
        if (Value is { } value)
        {
            Value = null;
            PayloadPool.Return(value);
        }

        // What a connection may still be sending is left to the garbage collector.
        if (IsWritten)
        {
            PayloadPool.Return(Arguments);
        }
    }

    void IThreadPoolWorkItem.Execute() => _source.SetResult(_end);

    CallEnd IValueTaskSource<CallEnd>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<CallEnd>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<CallEnd>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}

/// <summary>What became of one attempt to make a call.</summary>
internal enum CallEnd
{
    /// <summary>There is a value.</summary>
    Value,

    /// <summary>The server answered with a reason why there is none.</summary>
    Failed,

    /// <summary>It never reached the server: it can be sent elsewhere.</summary>
    NotSent,

    /// <summary>It may have reached the server, which cannot be asked any more.</summary>
    Unknown,

    /// <summary>The time was over.</summary>
    TimedOut,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}

/// <summary>An actor as it is called at one place: its name there, and the incarnation that was resolved.</summary>
internal sealed record ActorTarget(string Actor, Guid Handle);
