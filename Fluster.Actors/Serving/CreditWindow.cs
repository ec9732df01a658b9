namespace Fluster.Actors;

/// <summary>How far the sender of a stream's items may be ahead of their reader.</summary>
internal sealed class CreditWindow
{
    private readonly Lock _lock = new();
    private int _items = ItemReceiver.MostItems;
    private long _bytes = ItemReceiver.MostBytes;
    private TaskCompletionSource? _waiting;
    private bool _closed;

    /// <summary>Takes room for an item if there is any. One larger than the whole window goes alone.</summary>
    public bool TryTake(int size)
    {
        lock (_lock)
        {
            if (_closed || _items == 0 || (_bytes < size && _items < ItemReceiver.MostItems))
            {
                return _closed;
            }

            _items--;
            _bytes -= size;
            return true;
        }
    }

    /// <summary>Waits for room and takes it.</summary>
    public async ValueTask TakeAsync(int size, CancellationToken cancellationToken)
    {
        while (!TryTake(size))
        {
            Task waiting;
            lock (_lock)
            {
                if (_closed)
                {
                    return;
                }

                waiting = (_waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            // Room that came between the two looks completed nothing: look once more after the wait is set up.
            if (TryTake(size))
            {
                return;
            }

            await waiting.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The reader has read so many.</summary>
    public void Give(int items, int bytes)
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            _items = Math.Min(_items + items, ItemReceiver.MostItems);
            _bytes = Math.Min(_bytes + bytes, ItemReceiver.MostBytes);
            (waiting, _waiting) = (_waiting, null);
        }

        waiting?.SetResult();
    }

    /// <summary>Nobody reads any more: what is sent goes nowhere.</summary>
    public void Close()
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            _closed = true;
            (waiting, _waiting) = (_waiting, null);
        }

        waiting?.SetResult();
    }
}
