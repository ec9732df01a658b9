using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;

namespace Fluster.Rpc;

/// <summary>A compression whose messages may not inflate without end: a kilobyte can hold a gigabyte of zeros.</summary>
internal sealed class BoundedCompressionProvider(ICompressionProvider inner, byte[] empty, int maxMessageSize) : ICompressionProvider
{
    private static readonly byte[] s_emptyGzip =
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, /* no bytes: */ 3, 0, /* checksum and size: */ 0, 0, 0, 0, 0, 0, 0, 0];

    private static readonly byte[] s_emptyZlib = [0x78, 0x01, /* no bytes: */ 3, 0, /* checksum: */ 0, 0, 0, 1];

    public string EncodingName => inner.EncodingName;

    public static ICompressionProvider Gzip(int maxMessageSize) =>
        new BoundedCompressionProvider(new GzipCompressionProvider(CompressionLevel.Fastest), s_emptyGzip, maxMessageSize);

    /// <summary>"gzip" and "deflate", the ones that the libraries bring.</summary>
    public static IList<ICompressionProvider> All(int maxMessageSize) =>
    [
        Gzip(maxMessageSize),
        new BoundedCompressionProvider(new DeflateCompressionProvider(CompressionLevel.Fastest), s_emptyZlib, maxMessageSize),
    ];

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel) =>
        new NeverEmptyStream(inner.CreateCompressionStream(stream, compressionLevel), stream, empty);

    public Stream CreateDecompressionStream(Stream stream) =>
        new BoundedReadStream(inner.CreateDecompressionStream(stream), maxMessageSize);

    /// <summary>Reads at most a given number of bytes; one more is <see cref="StatusCode.ResourceExhausted"/>.</summary>
    private sealed class BoundedReadStream(Stream inner, int maxMessageSize) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer) => Counted(inner.Read(buffer));

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Counted(await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }

            base.Dispose(disposing);
        }

        private int Counted(int count)
        {
            _read += count;
            return _read <= maxMessageSize
                ? count
                : throw new RpcException(new Status(StatusCode.ResourceExhausted, $"The message inflates to more than {maxMessageSize} bytes."));
        }
    }
}
