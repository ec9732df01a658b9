using System.Runtime.InteropServices;
using Fluster.Rpc;
using Grpc.Core;

namespace Grpc.Connect;

/// <summary>The one compression that is offered to Connect clients.</summary>
internal static class Gzip
{
    public const string Name = "gzip";

    /// <exception cref="RpcException">Too large when inflated, or not gzip.</exception>
    public static ReadOnlyMemory<byte> Inflate(ReadOnlyMemory<byte> compressed, int maxSize)
    {
        var provider = BoundedCompressionProvider.Gzip(maxSize);
        using var inflated = new MemoryStream();
        try
        {
            using var stream = provider.CreateDecompressionStream(AsStream(compressed));
            stream.CopyTo(inflated);
        }
        catch (InvalidDataException e)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"The message is not gzip: {e.Message}"));
        }

        return inflated.GetBuffer().AsMemory(0, (int)inflated.Length);
    }

    public static ReadOnlyMemory<byte> Deflate(ReadOnlyMemory<byte> message)
    {
        using var compressed = new MemoryStream();
        using (var stream = BoundedCompressionProvider.Gzip(int.MaxValue).CreateCompressionStream(compressed, compressionLevel: null))
        {
            stream.Write(message.Span);
        }

        return compressed.GetBuffer().AsMemory(0, (int)compressed.Length);
    }

    private static MemoryStream AsStream(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetArray(memory, out var array)
            ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
            : new MemoryStream(memory.ToArray());
}
