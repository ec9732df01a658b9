using System.Diagnostics;

namespace Fluster.Actors;

/// <summary>
/// Lets calls into an actor: one at a time unless told otherwise, in the order of their arrival. Never runs them itself: whoever brings a
/// call, or ends one, is told which to run.
/// </summary>
internal sealed class ActorMailbox(Guid incarnation, ActorOptions options) : IDisposable
{
    /// <summary>Calls that may wait. Past it callers are refused at once: overload is felt, not stored.</summary>
    public const int Capacity = 1000;

    /// <summary>How often those that wait are looked through for deadlines that are past.</summary>
    private static readonly TimeSpan s_sweepInterval = TimeSpan.FromMilliseconds(10);

    private readonly Lock _lock = new();
    private readonly Queue<Waiter> _waiting = new();
    private readonly List<ActorServerCall> _running = [];
    private int _entered;
    private Timer? _sweep;
    private bool _sweeping;
    private volatile bool _closed;

    /// <summary>Whether it takes no more calls.</summary>
    public bool IsClosed => _closed;

    /// <summary>Calls that run or wait.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _running.Count + _waiting.Count;
            }
        }
    }

    /// <summary>Takes a call. Returns it when it is to be run now; null when it waits, or was refused.</summary>
    public ActorServerCall? Enter(ActorServerCall call)
    {
        CallFailure refusal;
        lock (_lock)
        {
            if (_closed)
            {
                refusal = CallFailure.Of(ActorErrorKind.ShuttingDown, "The server stops and takes no more calls.");
            }
            else if (call.Chain.Length > 0 && IsWithinItself(call, out var holder))
            {
                if (options.Reentrant)
                {
                    _entered++;
                    _running.Add(call);
                    return call;
                }

                refusal = CallFailure.Of(
                    ActorErrorKind.Deadlock,
                    $"{call.Display} would wait for itself: its caller runs within {holder.Display}, which holds the actor. The calls are: {CallScope.Describe(call.Chain)} -> {call.Display}.");
            }
            else if (_entered < options.MaxConcurrency)
            {
                _entered++;
                _running.Add(call);
                return call;
            }
            else if (_waiting.Count < Capacity)
            {
                _waiting.Enqueue(new Waiter(call, Resumed: null));
                StartSweeping(call);
                return null;
            }
            else
            {
                refusal = CallFailure.Of(ActorErrorKind.ResourceExhausted, $"{Capacity} calls wait for this actor already.");
            }
        }

        call.TryRefuse(refusal);
        return null;
    }

    /// <summary>A call has ended. Returns the next one, which is to be run now.</summary>
    public ActorServerCall? Leave(ActorServerCall call)
    {
        lock (_lock)
        {
            // Not List.Remove, which compares by a call of its own: this is done for every call.
            for (var i = 0; i < _running.Count; i++)
            {
                if (ReferenceEquals(_running[i], call))
                {
                    _running.RemoveAt(i);
                    break;
                }
            }

            return Next();
        }
    }

    /// <summary>A call that runs waits for something that has nothing to do with the actor: others may enter.</summary>
    public void Pause(ActorServerCall call)
    {
        if (Leave(call) is { } next)
        {
            ThreadPool.UnsafeQueueUserWorkItem(next, preferLocal: false);
        }
    }

    /// <summary>A call that paused goes on when its turn comes.</summary>
    public Task ResumeAsync(ActorServerCall call)
    {
        lock (_lock)
        {
            if (_entered < options.MaxConcurrency)
            {
                _entered++;
                _running.Add(call);
                return Task.CompletedTask;
            }

            var resumed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(new Waiter(call, resumed));
            return resumed.Task;
        }
    }

    /// <summary>Who is in the actor, for people; empty when nobody is.</summary>
    public string Holders()
    {
        lock (_lock)
        {
            return _running.Count == 0
                ? ""
                : $"The actor is held by {string.Join(", ", _running.Select(call => $"{call.Display} (for {Stopwatch.GetElapsedTime(call.StartedAt).TotalSeconds:0.0} s)"))}.";
        }
    }

    /// <summary>Takes no more calls. Those that wait go on.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    /// <summary>Ends the calls that wait, and tells those that run.</summary>
    public void CancelAll()
    {
        ActorServerCall[] waiting;
        ActorServerCall[] running;
        lock (_lock)
        {
            waiting = [.. _waiting.Where(waiter => waiter.Resumed is null).Select(waiter => waiter.Call)];
            running = [.. _running];
        }

        foreach (var call in waiting)
        {
            call.TryRefuse(CallFailure.Of(ActorErrorKind.ShuttingDown, "The server stops and takes no more calls."));
        }

        foreach (var call in running)
        {
            call.Cancel();
        }
    }

    public void Dispose() => _sweep?.Dispose();

    private bool IsWithinItself(ActorServerCall call, out ActorServerCall holder)
    {
        foreach (var entry in call.Chain)
        {
            if (entry.Actor == incarnation && _running.Find(running => running.Number == entry.Call) is { } found)
            {
                holder = found;
                return true;
            }
        }

        holder = call;
        return false;
    }

    private ActorServerCall? Next()
    {
        while (_entered <= options.MaxConcurrency && _waiting.TryDequeue(out var waiter))
        {
            if (waiter.Resumed is { } resumed)
            {
                _running.Add(waiter.Call);
                resumed.SetResult();
                return null;
            }

            if (waiter.Call.IsWaiting)
            {
                _running.Add(waiter.Call);
                return waiter.Call;
            }
        }

        _entered--;
        return null;
    }

    private void StartSweeping(ActorServerCall call)
    {
        if (call.Deadline == 0 || _sweeping)
        {
            return;
        }

        _sweeping = true;
        if (_sweep is null)
        {
            // Neither the job nor the trace of whoever calls first belongs to the timer.
            using (ExecutionContext.SuppressFlow())
            {
                _sweep = new Timer(static mailbox => ((ActorMailbox)mailbox!).Sweep(), this, s_sweepInterval, s_sweepInterval);
            }
        }
        else
        {
            _sweep.Change(s_sweepInterval, s_sweepInterval);
        }
    }

    private void Sweep()
    {
        List<ActorServerCall>? expired = null;
        lock (_lock)
        {
            if (_waiting.Count == 0)
            {
                _sweeping = false;
                _sweep!.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                return;
            }

            foreach (var waiter in _waiting)
            {
                if (waiter.Resumed is null && waiter.Call is { IsWaiting: true, IsExpired: true })
                {
                    (expired ??= []).Add(waiter.Call);
                }
            }
        }

        foreach (var call in expired ?? [])
        {
            call.TryRefuse(CallFailure.Of(ActorErrorKind.DeadlineExceeded, $"{call.Display} was not started: its deadline passed while it waited. {Holders()}".TrimEnd()));
        }
    }

    private readonly record struct Waiter(ActorServerCall Call, TaskCompletionSource? Resumed);
}
