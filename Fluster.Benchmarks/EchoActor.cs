using Fluster.Actors;

namespace Fluster.Benchmarks;

/// <summary>What the benchmarks of actors call.</summary>
public interface IEchoActor
{
    Task<byte[]> Echo(byte[] value);

    Task<float[]> Floats(float[] value);

    Task<Point> Json(Point value);

    /// <summary>Items of so many bytes, without end.</summary>
    IAsyncEnumerable<byte[]> Items(int size);

    Task<int> Length(byte[] value);

    Task<long> AllocatedBytes();
}

/// <summary>Gives back what it gets.</summary>
[Actor("echo")]
public sealed class EchoActor : IEchoActor
{
    public Task<byte[]> Echo(byte[] value) => Task.FromResult(value);

    public Task<float[]> Floats(float[] value) => Task.FromResult(value);

    public Task<Point> Json(Point value) => Task.FromResult(value);

    public async IAsyncEnumerable<byte[]> Items(int size)
    {
        var item = new byte[size];
        while (true)
        {
            await Task.Yield();
            yield return item;
        }
    }

    public Task<int> Length(byte[] value) => Task.FromResult(value.Length);

    public Task<long> AllocatedBytes() => Task.FromResult(GC.GetTotalAllocatedBytes());
}

/// <summary>A small value that travels as JSON.</summary>
public sealed record Point(int X, int Y, string Name);
