using Microsoft.Extensions.ObjectPool;

namespace Fluster.Actors;

/// <summary>Writers and received payloads that are used again: they own buffers that are dearer than the calls.</summary>
internal static class PayloadPool
{
    private const int MostKept = 1024;

    private static readonly DefaultObjectPool<PayloadWriter> s_writers = new(new Policy<PayloadWriter>(), MostKept);
    private static readonly DefaultObjectPool<Payload> s_payloads = new(new Policy<Payload>(), MostKept);

    [ThreadStatic]
    private static OfThread? t_own;

    public static PayloadWriter RentWriter() => Own.Writers.TryTake() ?? s_writers.Get();

    public static void Return(PayloadWriter writer)
    {
        writer.Clear();
        if (!Own.Writers.TryPut(writer))
        {
            s_writers.Return(writer);
        }
    }

    public static Payload RentPayload() => Own.Payloads.TryTake() ?? s_payloads.Get();

    public static void Return(Payload payload)
    {
        payload.Clear();
        if (!Own.Payloads.TryPut(payload))
        {
            s_payloads.Return(payload);
        }
    }

    private static OfThread Own => t_own ??= new OfThread();

    /// <summary>What one thread gave back last, and takes first: most of what a call rents comes back on the thread that rents for the next.</summary>
    private sealed class OfThread
    {
        public Few<PayloadWriter> Writers { get; } = new();

        public Few<Payload> Payloads { get; } = new();
    }

    private sealed class Few<T>
        where T : class
    {
        private const int Most = 8;

        private readonly T?[] _items = new T?[Most];
        private int _count;

        public T? TryTake()
        {
            if (_count == 0)
            {
                return null;
            }

            var item = _items[--_count];
            _items[_count] = null;
            return item;
        }

        public bool TryPut(T item)
        {
            if (_count == Most)
            {
                return false;
            }

            _items[_count++] = item;
            return true;
        }
    }

    // They are cleared before they are given back.
    private sealed class Policy<T> : PooledObjectPolicy<T>
        where T : notnull, new()
    {
        public override T Create() => new();

        public override bool Return(T obj) => true;
    }
}
