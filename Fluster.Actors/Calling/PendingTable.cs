using System.Diagnostics;

namespace Fluster.Actors;

/// <summary>The calls of a connection that wait, and a timer that ends those whose time is over.</summary>
internal sealed class PendingTable : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(10);

    private readonly Lock _lock = new();
    private readonly Stack<int> _free = new();
    private readonly Action<PendingCall> _expire;
    private readonly Timer _timer;
    private readonly long _grace;
    private readonly List<PendingCall> _watched = [];
    private PendingCall?[] _calls = new PendingCall?[64];
    private int _limit;
    private int _used;
    private int _count;
    private bool _ticking;

    /// <param name="limit">Calls that may wait at a time.</param>
    /// <param name="expire">Called, on a thread of the pool, for a call whose deadline is past.</param>
    /// <param name="grace">How long after its deadline, in ticks of <see cref="Stopwatch"/>.</param>
    public PendingTable(int limit, Action<PendingCall> expire, long grace = 0)
    {
        _limit = limit;
        _expire = expire;
        _grace = grace;

        // Neither the job nor the trace of whoever calls first belongs to the timer.
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            _timer = new Timer(static table => ((PendingTable)table!).Sweep(), this, Timeout.Infinite, Timeout.Infinite);
        }
    }

    public int Count => Volatile.Read(ref _count);

    /// <summary>Calls that may wait at a time. Those that wait when it becomes smaller keep their numbers.</summary>
    public int Limit
    {
        set
        {
            lock (_lock)
            {
                _limit = value;
            }
        }
    }

    /// <summary>Gives the call a number that no other waiting call has; -1 when there are too many.</summary>
    public int Add(PendingCall call)
    {
        lock (_lock)
        {
            if (_count >= _limit)
            {
                return -1;
            }

            if (!_free.TryPop(out var slot))
            {
                if (_used == _calls.Length)
                {
                    Array.Resize(ref _calls, _calls.Length * 2);
                }

                slot = _used++;
            }

            _calls[slot] = call;
            _count++;
            StartTicking(call);
            return slot;
        }
    }

    /// <summary>Ends a call that has no number yet when its deadline is past.</summary>
    public void Watch(PendingCall call)
    {
        lock (_lock)
        {
            if (call.Deadline != 0)
            {
                _watched.Add(call);
                StartTicking(call);
            }
        }
    }

    /// <summary>The call under a number; null when it has ended.</summary>
    public PendingCall? Find(int slot)
    {
        lock (_lock)
        {
            return slot < _used ? _calls[slot] : null;
        }
    }

    /// <summary>Forgets a call. False: it was forgotten before.</summary>
    public bool Remove(int slot, PendingCall call)
    {
        lock (_lock)
        {
            if (slot < 0 || slot >= _used || _calls[slot] != call)
            {
                return false;
            }

            _calls[slot] = null;
            _free.Push(slot);
            _count--;
            return true;
        }
    }

    public PendingCall[] All()
    {
        lock (_lock)
        {
            return [.. _calls.OfType<PendingCall>()];
        }
    }

    public void Dispose() => _timer.Dispose();

    private void StartTicking(PendingCall call)
    {
        if (call.Deadline != 0 && !_ticking)
        {
            _ticking = true;
            _timer.Change(s_interval, s_interval);
        }
    }

    private void Sweep()
    {
        List<PendingCall>? expired = null;
        var now = Stopwatch.GetTimestamp() - _grace;
        lock (_lock)
        {
            _watched.RemoveAll(call => !call.IsPending || call.Slot >= 0);
            if (_count == 0 && _watched.Count == 0)
            {
                _ticking = false;
                _timer.Change(Timeout.Infinite, Timeout.Infinite);
                return;
            }

            for (var slot = 0; slot < _used; slot++)
            {
                if (_calls[slot] is { Deadline: not 0 } call && call.Deadline <= now)
                {
                    (expired ??= []).Add(call);
                }
            }

            foreach (var call in _watched.Where(call => call.Deadline <= now))
            {
                (expired ??= []).Add(call);
            }
        }

        foreach (var call in expired ?? [])
        {
            _expire(call);
        }
    }
}
