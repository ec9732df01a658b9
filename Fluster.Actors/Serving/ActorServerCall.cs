using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Fluster.Actors;

/// <summary>One call as the server sees it: what came with it, and where its answer goes. For generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
#pragma warning disable CA1001 // The source of a token that the user may have kept is left to the garbage collector; its timer ends with the deadline.
public abstract class ActorServerCall : IThreadPoolWorkItem
#pragma warning restore CA1001
{
    private static long s_numbers;

    private CancellationTokenSource? _cancellation;
    private volatile bool _cancelled;
    private Activity? _activity;
    private int _stage;

    private protected ActorServerCall()
    {
    }

    private enum Stage
    {
        Waiting,
        Running,
        Ended,
    }

    /// <summary>The arguments, to be read in their order.</summary>
    /// <exception cref="Exception">They are no list.</exception>
    public ActorArguments Arguments => new(Payload, Method);

    /// <summary>Cancelled when the caller cancels, its deadline is past, or the server stops and waits no longer.</summary>
    public CancellationToken CancellationToken
    {
        get
        {
            if (_cancellation is { } known)
            {
                return known.Token;
            }

            var source = new CancellationTokenSource();
            if (Interlocked.CompareExchange(ref _cancellation, source, null) is { } other)
            {
                source.Dispose();
                return other.Token;
            }

            // Whoever cancels looks for a source after it has said so: one of the two sees the other.
            if (_cancelled)
            {
                source.Cancel();
            }
            else if (Deadline != 0)
            {
                source.CancelAfter(CallScope.Left(Deadline));
            }

            return source.Token;
        }
    }

    /// <summary>What was sent; given back to the pool once the method has its arguments.</summary>
    internal Payload Payload { get; set; } = null!;

    /// <summary>The value, once the method has returned one.</summary>
    internal PayloadWriter? Result { get; private set; }

    internal CallFailure? Failure { get; private set; }

    internal HostedActor Actor { get; private set; } = null!;

    internal ActorMethodShape Method { get; private set; } = null!;

    internal int MethodNumber { get; private set; }

    /// <summary>Names it among the calls of this process.</summary>
    internal long Number { get; } = Interlocked.Increment(ref s_numbers);

    /// <summary>The last moment at which the method may start; 0 when there is none. In ticks of <see cref="Stopwatch"/>.</summary>
    internal long Deadline { get; set; }

    /// <summary>The calls that led to this one.</summary>
    internal ChainEntry[] Chain { get; set; } = [];

    internal ActivityContext Trace { get; set; }

    internal long StartedAt { get; private set; }

    internal string Display => Actor.DisplayOf(MethodNumber);

    internal bool IsExpired => Deadline != 0 && Stopwatch.GetTimestamp() >= Deadline;

    internal bool IsWaiting => Volatile.Read(ref _stage) == (int)Stage.Waiting;

    /// <summary>Ends the call when its deadline is past and the method has not begun: to be called after the arguments were read.</summary>
    /// <exception cref="Exception">It is past.</exception>
    public void ThrowIfExpired()
    {
        if (IsExpired)
        {
            throw new CallExpiredException($"{Display} was not started: its deadline was past when its arguments had been read.");
        }
    }

    /// <summary>The method returned nothing.</summary>
    public ValueTask Return()
    {
        Result = PayloadPool.RentWriter();
        Result.Begin(array: false);
        Result.WriteJson("null"u8);
        Result.End();
        return default;
    }

    /// <summary>The method returned a value.</summary>
    public ValueTask Return<T>(T value, ActorCodec<T> codec)
    {
        Write(value, codec);
        return default;
    }

    /// <summary>The method returned a task.</summary>
    public ValueTask ReturnAsync(Task task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return task.IsCompletedSuccessfully ? Return() : AfterAsync(new ValueTask(task));
    }

    /// <summary>The method returned a task.</summary>
    public ValueTask ReturnAsync(ValueTask task) => task.IsCompletedSuccessfully ? Return() : AfterAsync(task);

    /// <summary>The method returned a task with a value.</summary>
    public ValueTask ReturnAsync<T>(Task<T> task, ActorCodec<T> codec)
    {
        ArgumentNullException.ThrowIfNull(task);
        return task.IsCompletedSuccessfully ? Return(task.Result, codec) : AfterAsync(new ValueTask<T>(task), codec);
    }

    /// <summary>The method returned a task with a value.</summary>
    public ValueTask ReturnAsync<T>(ValueTask<T> task, ActorCodec<T> codec) =>
        task.IsCompletedSuccessfully ? Return(task.Result, codec) : AfterAsync(task, codec);

    /// <summary>The method returned a stream of items, which are sent as the caller reads them.</summary>
    public async ValueTask ReturnStreamAsync<T>(IAsyncEnumerable<T> items, ActorCodec<T> codec)
    {
        ArgumentNullException.ThrowIfNull(items);
        var enumerator = items.GetAsyncEnumerator(CancellationToken);
        await using (enumerator.ConfigureAwait(false))
        {
            while (await enumerator.MoveNextAsync().ConfigureAwait(false))
            {
                var writer = PayloadPool.RentWriter();
                Fill(writer, enumerator.Current, codec);
                if (TrySendItem(writer))
                {
                    continue;
                }

                // A reader who takes his time does not keep others out of the actor.
                Actor.Mailbox.Pause(this);
                await SendItemAsync(writer).ConfigureAwait(false);
                await Actor.Mailbox.ResumeAsync(this).ConfigureAwait(false);
            }
        }

        await Return().ConfigureAwait(false);
    }

    /// <summary>Runs the call, and those that wait behind it for as long as they end at once.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        for (var call = this; call is not null;)
        {
            if (!call.Run())
            {
                return;
            }

            var next = call.Actor.Mailbox.Leave(call);
            call.Left(isLast: next is null);
            call = next;
        }
    }

    /// <param name="actor">The actor.</param>
    /// <param name="method">The number of the method.</param>
    /// <param name="sent">How many arguments were sent; the parameters after them have default values.</param>
    internal void Bind(HostedActor actor, int method, int sent)
    {
        Actor = actor;
        MethodNumber = method;
        Method = actor.Dispatcher.Methods[method];
        for (var i = sent; i < Math.Min(Method.Parameters.Count, 64); i++)
        {
            Payload.Absent |= 1UL << i;
        }
    }

    /// <summary>Ends the call without its method having run, if it has not begun. False: it has.</summary>
    internal bool TryRefuse(CallFailure failure)
    {
        if (Interlocked.CompareExchange(ref _stage, (int)Stage.Ended, (int)Stage.Waiting) != (int)Stage.Waiting)
        {
            return false;
        }

        Failure = failure;
        Complete();
        Left(isLast: false);
        return true;
    }

    // Its timer counts whole milliseconds, and may be a little ahead of the deadline.
    private bool IsCancelledByTime => Deadline != 0 && !_cancelled && _cancellation is { IsCancellationRequested: true };

    /// <summary>Tells the method, if it runs and wants to know.</summary>
    internal void Cancel()
    {
        _cancelled = true;
        Interlocked.MemoryBarrier();

        // Never on the thread that reads the connection: what is registered there is the user's.
        _ = _cancellation?.CancelAsync();
    }

    /// <summary>Sends the answer: <see cref="Failure"/>, or <see cref="Result"/>.</summary>
    private protected abstract void Complete();

    /// <summary>The call has its answer and has left the actor.</summary>
    /// <param name="isLast">Whether this thread of the pool has nothing else to run: no call waits behind this one.</param>
    private protected virtual void Left(bool isLast)
    {
    }

    /// <summary>Sends one item of a stream if the caller has room for it, and then owns it.</summary>
    private protected virtual bool TrySendItem(PayloadWriter item)
    {
        PayloadPool.Return(item);
        throw new NotSupportedException($"{Display} returns a stream of items, which cannot be called in this way.");
    }

    /// <summary>Sends one item of a stream as soon as the caller has room for it, and owns it.</summary>
    private protected virtual ValueTask SendItemAsync(PayloadWriter item) => throw new NotSupportedException();

    /// <summary>Whether the caller takes arrays as their memory.</summary>
    private protected virtual bool AllowsRaw => true;

    private void Fill<T>(PayloadWriter writer, T value, ActorCodec<T> codec)
    {
        try
        {
            // Copied: when the next call changes what was returned, this caller does not see it.
            writer.Begin(array: false, AllowsRaw);
            codec.Write(writer, value, copy: true);
            writer.End();
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException or InvalidOperationException)
        {
            throw new UnwritableResultException($"The result, a {typeof(T).Name}, cannot be written: {exception.Message}", exception);
        }
    }

    private void Write<T>(T value, ActorCodec<T> codec)
    {
        var writer = PayloadPool.RentWriter();
        try
        {
            Fill(writer, value, codec);
        }
        catch
        {
            PayloadPool.Return(writer);
            throw;
        }

        Result = writer;
    }

    private async ValueTask AfterAsync(ValueTask task)
    {
        await task.ConfigureAwait(false);
        await Return().ConfigureAwait(false);
    }

    private async ValueTask AfterAsync<T>(ValueTask<T> task, ActorCodec<T> codec) => Write(await task.ConfigureAwait(false), codec);

    // True: it has ended. False: it ends later, and then lets the next one in.
    private bool Run()
    {
        if (Interlocked.CompareExchange(ref _stage, (int)Stage.Running, (int)Stage.Waiting) != (int)Stage.Waiting)
        {
            return true; // Refused while it waited: it has its answer.
        }

        StartedAt = Stopwatch.GetTimestamp();
        if (Deadline != 0 && StartedAt >= Deadline)
        {
            End(CallFailure.Of(ActorErrorKind.DeadlineExceeded, $"{Display} was not started: its deadline passed while it waited. {Actor.Mailbox.Holders()}".TrimEnd()));
            return true;
        }

        ValueTask running;
        try
        {
            running = Invoke();
        }
#pragma warning disable CA1031 // Whatever the method throws is its answer.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            End(CallFailure.Of(exception));
            return true;
        }

        if (running.IsCompletedSuccessfully)
        {
            End(failure: null);
            return true;
        }

        _ = EndAsync(running);
        return false;
    }

    // The pool's thread knows nothing of the job that serves: its context, the deadline and the chain are entered by hand, and left again.
    private ValueTask Invoke()
    {
        var before = ExecutionContext.Capture();
        ExecutionContext.Restore(Actor.Surroundings);
        CallScope.Current = new CallScope(Deadline, Chain, new ChainEntry(Actor.Incarnation, Number, Display));
        _activity = ActorTelemetry.StartServing(this);
        try
        {
            return Actor.Dispatcher.InvokeAsync(MethodNumber, Actor.Instance, this);
        }
        finally
        {
            ExecutionContext.Restore(before!); // never null: what the pool runs does not suppress the flow
            PayloadPool.Return(Payload); // the method has its arguments: nothing is read after its first await
            Payload = null!;
        }
    }

    private async Task EndAsync(ValueTask running)
    {
        CallFailure? failure = null;
        try
        {
            await running.ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever the method throws is its answer.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            failure = exception is OperationCanceledException && (IsExpired || IsCancelledByTime)
                ? CallFailure.Of(ActorErrorKind.DeadlineExceeded, $"{Display} was cancelled when its deadline passed.")
                : CallFailure.Of(exception);
        }

        End(failure);
        var next = Actor.Mailbox.Leave(this);
        Left(isLast: false);
        if (next is not null)
        {
            // Not here: this thread may be the user's.
            ThreadPool.UnsafeQueueUserWorkItem(next, preferLocal: false);
        }
    }

    private void End(CallFailure? failure)
    {
        Volatile.Write(ref _stage, (int)Stage.Ended);
        Failure = failure;
        if (failure is not null && Result is { } unused)
        {
            Result = null;
            PayloadPool.Return(unused);
        }

        ActorTelemetry.End(_activity, failure);
        Complete();
    }
}
