namespace Fluster.Rpc;

/// <summary>
/// .NET's compressors write nothing when nothing is written to them, which is not a valid stream of either format: peers in other
/// languages refuse it as the compressed form of an empty message. This one ends with the empty stream of its format instead.
/// </summary>
internal sealed class NeverEmptyStream(Stream compressor, Stream output, byte[] empty) : Stream
{
    private bool _written;
    private bool _disposed;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _written |= buffer.Length > 0;
        compressor.Write(buffer);
    }

    public override void Flush() => compressor.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            compressor.Dispose();
            if (!_written)
            {
                output.Write(empty);
            }
        }

        base.Dispose(disposing);
    }
}
