using System.Diagnostics;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// The actor inside a worker's job that runs a pool's items: one at a time, on a thread of its own, in the order in which they come. Items
/// that it has not begun can be asked back.
/// </summary>
internal sealed class PoolWorker(FlusterContext? context, CancellationToken stopping)
{
    /// <summary>How long a request for results waits when there are none.</summary>
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(10);

    private readonly object _lock = new(); // a monitor, which the thread waits on for items
    private readonly LinkedList<WorkPart> _items = [];
    private readonly Dictionary<int, (Invocation? Call, string Problem)> _functions = [];
    private readonly WorkBatch _results = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _hasResults = NewSignal();
    private Guid _pool;
    private long _heard = Stopwatch.GetTimestamp();
    private TimeSpan _busy;
    private int _run;
    private bool _leaves;
    private bool _closed;

    /// <summary>Completes when no item runs and none will.</summary>
    public Task Ended => _ended.Task;

    /// <summary>How long nothing has come from a pool.</summary>
    internal TimeSpan Silence => Stopwatch.GetElapsedTime(Volatile.Read(ref _heard));

    /// <summary>Whether results wait to be fetched.</summary>
    internal bool HasResults
    {
        get
        {
            lock (_lock)
            {
                return _results.Count > 0;
            }
        }
    }

    /// <summary>Takes items. What an earlier connection of the pool left here and was not begun is forgotten: the pool gave it elsewhere.</summary>
    public Task Push(Guid pool, byte[] batch)
    {
        lock (_lock)
        {
            Attach(pool);
            foreach (var part in WorkBatch.Read(batch))
            {
                switch (part.Kind)
                {
                    case WorkPartKind.Function:
                        _functions[part.Function] = ReadCall(part.Body);
                        break;

                    case WorkPartKind.Forget:
                        _functions.Remove(part.Function);
                        break;

                    case var _ when _leaves:
                        Answer(WorkPartKind.NotBegun, part.Number, []);
                        break;

                    default:
                        _items.AddLast(part);
                        break;
                }
            }

            Monitor.Pulse(_lock);
        }

        return Task.CompletedTask;
    }

    /// <summary>The results since the last time, once there are some; after some seconds none. First comes how long the items took.</summary>
    public async Task<byte[]> Next(Guid pool)
    {
        Task hasResults;
        lock (_lock)
        {
            Attach(pool);
            hasResults = _closed ? Task.CompletedTask : _hasResults.Task;
        }

        await hasResults.WaitAsync(s_longestWait, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (_closed && _results.Count == 0)
            {
                throw new InvalidOperationException("The worker has stopped.");
            }

            if (_pool != pool)
            {
                return [];
            }

            var busy = BitConverter.GetBytes(_busy.Ticks);
            var run = BitConverter.GetBytes(_run);
            byte[] bytes = [.. busy, .. run, .. _results.ToArray()];
            _results.Clear();
            (_busy, _run) = (TimeSpan.Zero, 0);
            if (_hasResults.Task.IsCompleted)
            {
                _hasResults = NewSignal();
            }

            return bytes;
        }
    }

    /// <summary>Gives back what it has not begun; the answer comes with the results.</summary>
    public Task TakeBack(Guid pool)
    {
        lock (_lock)
        {
            if (_pool == pool)
            {
                GiveBack();
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>Begins nothing more; what runs may end.</summary>
    internal void Leave()
    {
        lock (_lock)
        {
            _leaves = true;
            GiveBack();
            Answer(WorkPartKind.Leaving, 0, []);
            Monitor.Pulse(_lock);
        }
    }

    /// <summary>Nobody is to wait for results any more.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            _closed = true;
            _hasResults.TrySetResult();
        }
    }

    /// <summary>Runs items until <see cref="Leave"/>.</summary>
    internal void Run()
    {
        using var scope = context?.Enter(); // captured once; whoever starts the thread may have had none
        while (true)
        {
            WorkPart item;
            Guid pool;
            (Invocation? Call, string Problem) function;
            lock (_lock)
            {
                while (_items.Count == 0 && !_leaves)
                {
                    Monitor.Wait(_lock);
                }

                if (_leaves)
                {
                    break;
                }

                (item, pool) = (_items.First!.Value, _pool);
                _items.RemoveFirst();
                function = item.Function == 0 ? default : _functions.GetValueOrDefault(item.Function, (null, "its method was not sent"));
            }

            var start = Stopwatch.GetTimestamp();
            var (kind, body) = RunItem(item, function);
            var took = Stopwatch.GetElapsedTime(start);
            lock (_lock)
            {
                if (_pool == pool)
                {
                    _busy += took;
                    _run++;
                    Answer(kind, item.Number, body);
                }
            }
        }

        _ended.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static (Invocation? Call, string Problem) ReadCall(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return (Invocation.Read(bytes), "");
        }
        catch (BundleException exception)
        {
            return (null, exception.Message);
        }
    }

    private (WorkPartKind Kind, byte[] Body) RunItem(WorkPart item, (Invocation? Call, string Problem) function)
    {
        var (call, problem) = item.Kind == WorkPartKind.Call ? ReadCall(item.Body) : function;
        if (call is null)
        {
            return (WorkPartKind.Unusable, System.Text.Encoding.UTF8.GetBytes(problem));
        }

        object? result;
        try
        {
            result = item.Kind == WorkPartKind.Call ? call.Run(() => stopping) : call.Run(item.Body.Span, () => stopping);
        }
        catch (BundleException exception)
        {
            return (WorkPartKind.Unusable, System.Text.Encoding.UTF8.GetBytes(exception.Message));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return (WorkPartKind.Interrupted, []);
        }
#pragma warning disable CA1031 // Whatever user code throws is the item's result.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return (WorkPartKind.Thrown, WorkBatch.Write(CallFailure.Of(exception)));
        }

        try
        {
            return (WorkPartKind.Value, call.ResultType is { } type ? InvocationResult.Write(result, type, call.Display) : []);
        }
#pragma warning disable CA1031 // What was returned runs while it is written, and may throw anything.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return (WorkPartKind.Unusable, System.Text.Encoding.UTF8.GetBytes(exception.Message));
        }
    }

    // The lock is held by whoever calls these.
    private void Attach(Guid pool)
    {
        Volatile.Write(ref _heard, Stopwatch.GetTimestamp());
        if (_pool == pool)
        {
            return;
        }

        _pool = pool;
        _items.Clear();
        _functions.Clear();
        _results.Clear();
        (_busy, _run) = (TimeSpan.Zero, 0);
        _hasResults.TrySetResult(); // the one that waits for the earlier connection goes
        _hasResults = NewSignal();
        if (_leaves)
        {
            Answer(WorkPartKind.Leaving, 0, []);
        }
    }

    private void GiveBack()
    {
        foreach (var item in _items)
        {
            Answer(WorkPartKind.NotBegun, item.Number, []);
        }

        _items.Clear();
    }

    private void Answer(WorkPartKind kind, long number, ReadOnlySpan<byte> body)
    {
        _results.Add(kind, number, 0, body);
        _hasResults.TrySetResult();
    }
}
