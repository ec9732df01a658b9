using Microsoft.Extensions.ObjectPool;

namespace Fluster.Actors;

/// <summary>Writers and received payloads that are used again: they own buffers that are dearer than the calls.</summary>
internal static class PayloadPool
{
    private const int MostKept = 1024;

    private static readonly DefaultObjectPool<PayloadWriter> s_writers = new(new WriterPolicy(), MostKept);
    private static readonly DefaultObjectPool<Payload> s_payloads = new(new PayloadPolicy(), MostKept);

    public static PayloadWriter RentWriter() => s_writers.Get();

    public static void Return(PayloadWriter writer) => s_writers.Return(writer);

    public static Payload RentPayload() => s_payloads.Get();

    public static void Return(Payload payload) => s_payloads.Return(payload);

    private sealed class WriterPolicy : PooledObjectPolicy<PayloadWriter>
    {
        public override PayloadWriter Create() => new();

        public override bool Return(PayloadWriter obj)
        {
            obj.Clear();
            return true;
        }
    }

    private sealed class PayloadPolicy : PooledObjectPolicy<Payload>
    {
        public override Payload Create() => new();

        public override bool Return(Payload obj)
        {
            obj.Clear();
            return true;
        }
    }
}
