namespace Fluster.Actors;

/// <summary>
/// Which item waits and which worker has which: all decisions of a pool about delivery. Synchronous, without a clock of its own; not for
/// several threads at a time.
/// </summary>
/// <param name="prefetch">The most items that one worker has at a time.</param>
/// <param name="atMostOnce">An item that may have begun is never run again.</param>
internal sealed class WorkQueue(int prefetch, bool atMostOnce)
{
    /// <summary>An item that this many workers were running when they died is not given to another.</summary>
    public const int MostDeaths = 3;

    /// <summary>What a worker is to have at hand, at most.</summary>
    private static readonly TimeSpan s_reach = TimeSpan.FromMilliseconds(10);

    private readonly LinkedList<WorkItem> _waiting = [];
    private readonly Queue<WorkItem> _suspects = new();
    private readonly List<WorkerLoad> _workers = [];
    private long _numbers;

    /// <summary>Workers that can be given items.</summary>
    public int Workers => _workers.Count;

    /// <summary>Items that no worker has.</summary>
    public int Waiting => _waiting.Count + _suspects.Count;

    /// <summary>Items that workers have.</summary>
    public int Given => _workers.Sum(worker => worker.Count);

    public void Enqueue(WorkItem item) => _waiting.AddLast(item);

    public void Add(WorkerLoad worker) => _workers.Add(worker);

    /// <summary>
    /// Gives items to workers: the idle first, then those that have least, within their windows. What is to run alone goes before, to an idle one.
    /// </summary>
    /// <param name="now">The clock's timestamp.</param>
    /// <returns>Workers that have something to be sent.</returns>
    public IReadOnlyCollection<WorkerLoad> Assign(long now)
    {
        HashSet<WorkerLoad>? given = null;
        DropDone();
        while (_suspects.Count > 0 && _workers.FirstOrDefault(worker => worker is { Count: 0, IsAlone: false, Window: > 0 }) is { } idle)
        {
            idle.IsAlone = true;
            Give(idle, _suspects.Dequeue());
        }

        // One that is to run alone waits for a worker to become idle: one of them gets nothing else until then.
        var kept = _suspects.Count > 0 ? _workers.Where(worker => worker is { IsAlone: false, Window: > 0 }).MinBy(worker => worker.Count) : null;
        while (_waiting.First is { } first && Roomiest(kept) is { } worker)
        {
            _waiting.RemoveFirst();
            if (!first.Value.IsDone)
            {
                Give(worker, first.Value);
            }
        }

        return given ?? (IReadOnlyCollection<WorkerLoad>)[];

        void Give(WorkerLoad worker, WorkItem item)
        {
            if (worker.Count == 0)
            {
                worker.LastProgress = now;
            }

            worker.Outbox.Enqueue(item);
            (given ??= []).Add(worker);
        }
    }

    /// <summary>The next item to send to a worker, with its number; null when there is none.</summary>
    public (long Number, WorkItem Item)? Send(WorkerLoad worker)
    {
        if (!worker.Outbox.TryDequeue(out var item))
        {
            return null;
        }

        worker.Sent.Add(++_numbers, item);
        return (_numbers, item);
    }

    /// <summary>A result came: the item that it is of; null for one that the worker does not have any more.</summary>
    public static WorkItem? TakeResult(WorkerLoad worker, long number, long now)
    {
        if (!worker.Sent.Remove(number, out var item))
        {
            return null;
        }

        worker.LastProgress = now;
        Settle(worker, item);
        return item;
    }

    /// <summary>So many items took a worker so long.</summary>
    public void Learn(WorkerLoad worker, int count, TimeSpan busy) => worker.Learn(count, busy, s_reach, atMostOnce ? 1 : prefetch);

    /// <summary>A worker says that it has not begun an item, and will not.</summary>
    public void TakeBack(WorkerLoad worker, IEnumerable<long> numbers)
    {
        foreach (var number in numbers.OrderDescending())
        {
            if (worker.Sent.Remove(number, out var item))
            {
                Settle(worker, item);
                PutFirst(item);
            }
        }
    }

    /// <summary>
    /// Workers that have items waiting behind one that takes long. What was not sent to them goes elsewhere at once; the rest is to be asked back.
    /// </summary>
    public IReadOnlyList<WorkerLoad> Stalled(long since)
    {
        var stalled = _workers.Where(worker => worker.Count > 1 && worker.LastProgress < since).ToList();
        foreach (var worker in stalled)
        {
            worker.Window = Math.Min(worker.Window, 1);
            ReturnOutbox(worker);
        }

        return [.. stalled.Where(worker => worker.Sent.Count > 1)];
    }

    /// <summary>A worker leaves: it keeps what it has, and gets nothing more.</summary>
    public void Retire(WorkerLoad worker)
    {
        worker.Window = 0;
        ReturnOutbox(worker);
    }

    /// <summary>A worker is gone. Returns the items that end with it, and why.</summary>
    public IReadOnlyList<(WorkItem Item, Exception Reason)> Lose(WorkerLoad worker, string name, Exception? cause)
    {
        if (!_workers.Remove(worker))
        {
            return [];
        }

        var ended = new List<(WorkItem, Exception)>();
        ReturnOutbox(worker);
        var isRunning = true; // the first; whether those behind it had begun, in the last moment, is not known
        foreach (var (_, item) in worker.Sent.OrderBy(sent => sent.Key))
        {
            if (atMostOnce)
            {
                ended.Add((item, new OutcomeUnknownException($"{item.Display} was given to {name}, which was lost: whether it ran is not known.", cause)));
            }
            else
            {
                item.Deaths += isRunning ? 1 : 0;
                item.IsSuspect = true;
                if (item.Deaths >= MostDeaths)
                {
                    ended.Add((item, new WorkerPoolException($"{item.Display} was running on {MostDeaths} workers when they died, the last one {name}: it is not tried again. {cause?.Message}".TrimEnd(), cause)));
                }
                else
                {
                    _suspects.Enqueue(item);
                }
            }

            isRunning = false;
        }

        worker.Sent.Clear();
        return ended;
    }

    /// <summary>Takes all items out, wherever they are.</summary>
    public IReadOnlyList<WorkItem> Clear()
    {
        List<WorkItem> all = [.. _waiting, .. _suspects, .. _workers.SelectMany(worker => worker.Sent.Values.Concat(worker.Outbox))];
        _waiting.Clear();
        _suspects.Clear();
        foreach (var worker in _workers)
        {
            worker.Sent.Clear();
            worker.Outbox.Clear();
            worker.IsAlone = false;
        }

        return all;
    }

    private WorkerLoad? Roomiest(WorkerLoad? kept)
    {
        WorkerLoad? best = null;
        foreach (var worker in _workers)
        {
            if (!worker.IsAlone && worker != kept && worker.Count < worker.Window && (best is null || worker.Count < best.Count))
            {
                best = worker;
            }
        }

        return best;
    }

    private void ReturnOutbox(WorkerLoad worker)
    {
        foreach (var item in worker.Outbox.Reverse())
        {
            PutFirst(item);
        }

        if (worker.Outbox.Count > 0)
        {
            worker.Outbox.Clear();
            worker.IsAlone &= worker.Sent.Count > 0;
        }
    }

    private void PutFirst(WorkItem item)
    {
        if (item.IsSuspect)
        {
            _suspects.Enqueue(item);
        }
        else
        {
            _waiting.AddFirst(item);
        }
    }

    private static void Settle(WorkerLoad worker, WorkItem item)
    {
        if (item.IsSuspect)
        {
            worker.IsAlone = false;
        }
    }

    // Items that were given up are not looked for: they are left out when their turn comes.
    private void DropDone()
    {
        while (_suspects.TryPeek(out var suspect) && suspect.IsDone)
        {
            _suspects.Dequeue();
        }

        while (_waiting.First is { Value.IsDone: true })
        {
            _waiting.RemoveFirst();
        }
    }
}
