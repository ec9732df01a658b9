namespace Fluster.Actors;

/// <summary>
/// Moves items to workers and results back: puts the pool's queue under a lock, and tells connections when there is something to send.
/// </summary>
internal sealed class PoolDispatcher(int prefetch, bool atMostOnce, TimeProvider time) : IDisposable
{
    /// <summary>Items behind one that has not ended for so long are asked back.</summary>
    private static readonly TimeSpan s_stall = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private readonly WorkQueue _queue = new(prefetch, atMostOnce);
    private readonly Dictionary<WorkerLoad, PoolLink.Session> _sessions = [];
    private TaskCompletionSource _changed = NewSignal();
    private ITimer? _watch;
    private bool _watching;
    private WorkerPoolException? _end;
    private int _functions;
    private long _succeeded;
    private long _failed;
    private long _again;

    /// <summary>Workers that are connected.</summary>
    public int Ready
    {
        get
        {
            lock (_lock)
            {
                return _queue.Workers;
            }
        }
    }

    /// <summary>Completes when another worker is connected or lost, or the pool has ended.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>Why nothing runs any more; null while it does.</summary>
    public WorkerPoolException? End
    {
        get
        {
            lock (_lock)
            {
                return _end;
            }
        }
    }

    public WorkerPoolStatus Status(int workers, int dead)
    {
        lock (_lock)
        {
            return new WorkerPoolStatus
            {
                Workers = workers,
                Ready = _queue.Workers,
                Dead = dead,
                Queued = _queue.Waiting,
                Running = _queue.Given,
                Succeeded = _succeeded,
                Failed = _failed,
                RunAgain = _again,
            };
        }
    }

    /// <summary>A method for many items.</summary>
    public WorkFunction NewFunction(byte[] call) => new(Interlocked.Increment(ref _functions), call);

    /// <summary>No item with this method comes any more.</summary>
    public void Forget(WorkFunction function)
    {
        lock (_lock)
        {
            foreach (var session in _sessions.Values.Where(session => session.Functions.Remove(function.Id)))
            {
                session.Forgotten.Enqueue(function.Id);
                session.Wake();
            }
        }
    }

    /// <exception cref="WorkerPoolException">The pool has ended.</exception>
    public void Enqueue(IEnumerable<WorkItem> items)
    {
        lock (_lock)
        {
            if (_end is { } end)
            {
                throw new WorkerPoolException(end.Message, end.InnerException);
            }

            foreach (var item in items)
            {
                _queue.Enqueue(item);
            }

            Assign();
        }
    }

    /// <summary>A worker can be given items.</summary>
    public void Joined(PoolLink.Session session)
    {
        lock (_lock)
        {
            if (_end is null)
            {
                _queue.Add(session.Load);
                _sessions.Add(session.Load, session);
                Assign();
                Tell();
            }
        }
    }

    /// <summary>A worker, or the way to it, is gone.</summary>
    public void Lost(PoolLink.Session session, Exception? cause)
    {
        IReadOnlyList<(WorkItem Item, Exception Reason)> ended;
        lock (_lock)
        {
            if (!_sessions.Remove(session.Load))
            {
                return;
            }

            _again += atMostOnce ? 0 : session.Load.Sent.Count;
            ended = _queue.Lose(session.Load, session.Name, cause);
            _again -= atMostOnce ? 0 : ended.Count;
            _failed += ended.Count;
            Assign();
            Tell();
        }

        foreach (var (item, reason) in ended)
        {
            item.Fail(reason);
        }
    }

    /// <summary>Writes what a worker is to be sent. False when that is nothing.</summary>
    public bool Fill(PoolLink.Session session, WorkBatch batch, int mostBytes)
    {
        batch.Clear();
        lock (_lock)
        {
            while (session.Forgotten.TryDequeue(out var forgotten))
            {
                batch.Add(WorkPartKind.Forget, 0, forgotten, []);
            }

            while (batch.Size < mostBytes && _queue.Send(session.Load) is var (number, item))
            {
                if (item.Function is not { } function)
                {
                    batch.Add(WorkPartKind.Call, number, 0, item.Payload.Span);
                    continue;
                }

                if (session.Functions.Add(function.Id))
                {
                    batch.Add(WorkPartKind.Function, 0, function.Id, function.Call);
                }

                batch.Add(WorkPartKind.Argument, number, function.Id, item.Payload.Span);
            }
        }

        return batch.Count > 0;
    }

    /// <summary>Takes in results of a worker, and gives it and others what waits.</summary>
    public void TakeIn(PoolLink.Session session, ReadOnlyMemory<byte> results)
    {
        const int HeadSize = 12;
        if (results.Length <= HeadSize)
        {
            return;
        }

        var (busy, run) = (new TimeSpan(BitConverter.ToInt64(results.Span)), BitConverter.ToInt32(results.Span[8..]));
        var ended = new List<(WorkPart Part, WorkItem Item)>();
        lock (_lock)
        {
            List<long>? returned = null;
            foreach (var part in WorkBatch.Read(results[HeadSize..]))
            {
                switch (part.Kind)
                {
                    case WorkPartKind.NotBegun:
                    case WorkPartKind.Interrupted when !atMostOnce:
                        (returned ??= []).Add(part.Number);
                        break;

                    case WorkPartKind.Leaving:
                        _queue.Retire(session.Load);
                        break;

                    default:
                        if (WorkQueue.TakeResult(session.Load, part.Number, time.GetTimestamp()) is { } item)
                        {
                            ended.Add((part, item));
                            _ = part.Kind == WorkPartKind.Value ? _succeeded++ : _failed++;
                        }

                        break;
                }
            }

            if (returned is not null)
            {
                _queue.TakeBack(session.Load, returned);
            }

            if (session.Load.Window > 0)
            {
                _queue.Learn(session.Load, run, busy);
            }

            Assign();
        }

        foreach (var (part, item) in ended)
        {
            Deliver(part, item, session.Name);
        }
    }

    /// <summary>Nothing runs any more: what waits and what runs fails.</summary>
    public void Close(WorkerPoolException end)
    {
        IReadOnlyList<WorkItem> items;
        lock (_lock)
        {
            if (_end is not null)
            {
                return;
            }

            _end = end;
            items = _queue.Clear();
            _failed += items.Count;
            Tell();
        }

        foreach (var item in items)
        {
            item.Fail(new WorkerPoolException($"{item.Display} was not run to its end: {end.Message}", end.InnerException));
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _watch?.Dispose();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static void Deliver(WorkPart part, WorkItem item, string worker)
    {
        switch (part.Kind)
        {
            case WorkPartKind.Value:
                item.Complete(part.Body.Span);
                break;

            case WorkPartKind.Thrown:
                item.Fail(ActorErrors.Thrown(WorkBatch.ReadFailure(part.Body.Span)));
                break;

            case WorkPartKind.Interrupted:
                item.Fail(new OutcomeUnknownException($"{item.Display} was interrupted in the middle, because {worker} had to stop."));
                break;

            default:
                item.Fail(new InvalidOperationException($"{item.Display} has no result: {System.Text.Encoding.UTF8.GetString(part.Body.Span)}"));
                break;
        }
    }

    // The lock is held by whoever calls these.
    private void Assign()
    {
        foreach (var load in _queue.Assign(time.GetTimestamp()))
        {
            _sessions[load].Wake();
            if (load.Count > 1 && !_watching)
            {
                _watching = true;
                _watch ??= NewWatch();
                _watch.Change(s_stall, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void Tell()
    {
        _changed.TrySetResult();
        _changed = NewSignal();
    }

    private ITimer NewWatch()
    {
        using var _ = ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow();
        return time.CreateTimer(_ => LookForStalls(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private void LookForStalls()
    {
        lock (_lock)
        {
            foreach (var load in _queue.Stalled(time.GetTimestamp() - (long)(s_stall.TotalSeconds * time.TimestampFrequency)))
            {
                _sessions[load].AskBack();
            }

            _watching = false;
            Assign();
            if (!_watching && _sessions.Keys.Any(load => load.Count > 1))
            {
                _watching = true;
                _watch!.Change(s_stall, Timeout.InfiniteTimeSpan);
            }
        }
    }
}
