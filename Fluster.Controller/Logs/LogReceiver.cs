using System.Runtime.CompilerServices;

namespace Fluster.Controller;

/// <summary>
/// Takes the chunks that one worker sends. Adding is immediate, so that followers see lines at once; flushing is done for all logs that
/// changed in one go, and only then are their chunks acknowledged.
/// </summary>
internal sealed class LogReceiver(LogStore store) : IDisposable
{
    /// <summary>Logs kept open for the next chunk. A worker runs fewer attempts than this at a time.</summary>
    private const int MaxKeptOpen = 64;

    private readonly Lock _gate = new();
    private readonly Pulse _received = new();
    private readonly Dictionary<Fence, LogStore.Lease> _logs = [];
    private HashSet<Fence> _unflushed = [];
    private bool _ended;

    /// <summary>Adds a chunk to the log of its attempt.</summary>
    /// <returns>False when chunks before it are missing: the worker is to send everything unacknowledged again.</returns>
    public bool Receive(V1.LogChunk chunk)
    {
        var fence = new Fence(chunk.Fence);
        lock (_gate)
        {
            if (!_logs.TryGetValue(fence, out var lease))
            {
                lease = store.Open(fence);
                _logs.Add(fence, lease);
            }

            // Under the lock, so that the log is not returned while it is written.
            if (!lease.Log.Append(chunk))
            {
                return false;
            }

            _unflushed.Add(fence);
        }

        _received.Fire();
        return true;
    }

    /// <summary>No more chunks will come: <see cref="AcknowledgeAsync"/> ends after the last flush.</summary>
    public void End()
    {
        lock (_gate)
        {
            _ended = true;
        }

        _received.Fire();
    }

    /// <summary>Each time after a flush: up to which chunk an attempt's log is on disk.</summary>
    public async IAsyncEnumerable<(Fence Fence, long Sequence)> AcknowledgeAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var received = _received.Next;
            HashSet<Fence> unflushed;
            bool ended;
            lock (_gate)
            {
                ended = _ended;
                unflushed = _unflushed;
                _unflushed = unflushed.Count > 0 ? [] : unflushed;
            }

            foreach (var fence in unflushed.OrderBy(fence => fence.Value))
            {
                AttemptLog log;
                lock (_gate)
                {
                    log = _logs[fence].Log;
                }

                var count = log.Count;
                log.Flush();
                yield return (fence, count - 1);
            }

            ReturnUnused();
            if (unflushed.Count == 0)
            {
                if (ended)
                {
                    yield break;
                }

                await received.WaitAsync(cancellationToken);
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var lease in _logs.Values)
            {
                lease.Dispose();
            }

            _logs.Clear();
        }
    }

    private void ReturnUnused()
    {
        lock (_gate)
        {
            if (_logs.Count <= MaxKeptOpen)
            {
                return;
            }

            foreach (var fence in _logs.Keys.Where(fence => !_unflushed.Contains(fence)).ToList())
            {
                _logs[fence].Dispose();
                _logs.Remove(fence);
            }
        }
    }
}
