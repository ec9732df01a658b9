using System.Security.Cryptography;

namespace Fluster.Cluster;

/// <summary>Bytes that can be sent as a blob: in memory, or a file that is read when it is needed.</summary>
internal sealed record BlobSource(string Hash, long Size, string? File, ReadOnlyMemory<byte> Bytes)
{
    public static BlobSource Of(ReadOnlyMemory<byte> bytes) => new(HashOf(bytes.Span), bytes.Length, null, bytes);

    public static BlobSource OfFile(string path, string hash, long size) => new(hash, size, path, default);

    public V1.BlobRef ToWire() => new() { Hash = Hash, Size = Size };

    public Stream Open() => File is null
        ? new MemoryStream(Bytes.ToArray(), writable: false)
        : new FileStream(File, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    /// <summary>How blobs are named: the SHA-256 of their bytes, in lower-case hexadecimal digits.</summary>
    public static string HashOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
