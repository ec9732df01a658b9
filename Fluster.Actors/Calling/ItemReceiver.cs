namespace Fluster.Actors;

/// <summary>The items of a stream that have arrived and were not read yet. The sender sends no more than there is room for.</summary>
/// <param name="giveCredit">Tells the sender that so many items and bytes were read.</param>
internal sealed class ItemReceiver(Action<int, int> giveCredit)
{
    /// <summary>Items that the sender may be ahead of the reader.</summary>
    public const int MostItems = 32;

    /// <summary>Bytes that the sender may be ahead of the reader; a single larger item is sent alone.</summary>
    public const int MostBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Queue<(Payload Item, int Size)> _items = new();
    private TaskCompletionSource? _waiting;
    private int _readItems;
    private int _readBytes;
    private bool _ended;

    public void Add(Payload item, int size)
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            if (_ended)
            {
                return;
            }

            _items.Enqueue((item, size));
            (waiting, _waiting) = (_waiting, null);
        }

        waiting?.SetResult();
    }

    /// <summary>No more items come. Those that are here can still be read.</summary>
    public void End()
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            _ended = true;
            (waiting, _waiting) = (_waiting, null);
        }

        waiting?.SetResult();
    }

    /// <summary>The next item, which the caller then owns; null after the last one.</summary>
    public async ValueTask<Payload?> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task waiting;
            lock (_lock)
            {
                if (_items.TryDequeue(out var next))
                {
                    Read(next.Size);
                    return next.Item;
                }

                if (_ended)
                {
                    return null;
                }

                waiting = (_waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await waiting.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    // In portions: one message for several items.
    private void Read(int size)
    {
        _readItems++;
        _readBytes += size;
        if (_readItems >= MostItems / 4 || _readBytes >= MostBytes / 4 || _items.Count == 0)
        {
            var (items, bytes) = (_readItems, _readBytes);
            (_readItems, _readBytes) = (0, 0);
            if (!_ended)
            {
                giveCredit(items, bytes);
            }
        }
    }
}
