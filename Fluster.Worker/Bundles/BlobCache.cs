using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Fluster.Worker;

/// <summary>Writes the bytes of a blob into a stream.</summary>
internal delegate Task FetchBlob(V1.BlobRef blob, Stream destination, CancellationToken cancellationToken);

/// <summary>What a transfer brought is not what was asked for.</summary>
internal sealed class BlobMismatchException(string message) : IOException(message);

/// <summary>Blobs of the cluster that this worker has used, as files by hash. A file is there only when its bytes were checked.</summary>
internal sealed class BlobCache(string directory, FetchBlob fetch, DiskCache? cache = null)
{
    /// <summary>Set on every file when it was checked. A file that anybody wrote to has another time, and is fetched again.</summary>
    public static readonly DateTime CheckedTime = new(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private const int HashLength = 64;
    private const UnixFileMode ReadOnly = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _fetching = new(StringComparer.Ordinal);

    /// <summary>The files of a cache directory.</summary>
    public static IEnumerable<string> EntriesOf(string directory) =>
        Directory.Exists(directory) ? Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Where(path => Path.GetFileName(path).Length == HashLength) : [];

    /// <summary>The file with the bytes of a blob, fetched when it is not there. Nobody may write to it.</summary>
    /// <param name="blob">Which one.</param>
    /// <param name="cancellationToken">Gives up waiting; the fetch goes on.</param>
    /// <param name="hold">For how long the file stays. Without one it is there now and may go at any time.</param>
    /// <exception cref="BlobMismatchException">What came is not what the hash says.</exception>
    public async Task<string> GetAsync(V1.BlobRef blob, CancellationToken cancellationToken, CacheHold? hold = null)
    {
        if (blob.Hash.Length != HashLength || !blob.Hash.All(char.IsAsciiHexDigitLower))
        {
            throw new BlobMismatchException($"'{blob.Hash}' is not the hash of a blob.");
        }

        var path = Path.Combine(directory, blob.Hash[..2], blob.Hash);
        if (hold is not null)
        {
            cache?.Use(path, hold);
        }

        if (IsWhole(path, blob.Size))
        {
            return path;
        }

        // One fetch per blob, however many attempts want it. It goes on when one of them gives up; the next one to ask finds it.
        var fetching = _fetching.GetOrAdd(blob.Hash, _ => new Lazy<Task<string>>(() => FetchAsync(blob, path)));
        try
        {
            return await fetching.Value.WaitAsync(cancellationToken);
        }
        finally
        {
            if (fetching.Value.IsCompleted)
            {
                _fetching.TryRemove(KeyValuePair.Create(blob.Hash, fetching));
            }
        }
    }

    /// <summary>Whether a file was checked and not touched since.</summary>
    public static bool IsWhole(string path, long size)
    {
        var file = new FileInfo(path);
        return file.Exists && file.Length == size && file.LastWriteTimeUtc == CheckedTime;
    }

    private async Task<string> FetchAsync(V1.BlobRef blob, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using (var file = new HashingStream(File.Create(temporary), sha, blob.Size))
            {
                await fetch(blob, file, CancellationToken.None);
            }

            if (new FileInfo(temporary).Length != blob.Size || Convert.ToHexStringLower(sha.GetHashAndReset()) != blob.Hash)
            {
                throw new BlobMismatchException($"The blob {blob.Hash} arrived damaged.");
            }

            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(temporary, ReadOnly);
            }

            File.SetLastWriteTimeUtc(temporary, CheckedTime);
            File.Move(temporary, path, overwrite: true);
            cache?.Added(path);
            return path;
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Hashes what is written through it, and refuses more than was announced.</summary>
    private sealed class HashingStream(Stream inner, IncrementalHash hash, long limit) : Stream
    {
        private long _written;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => _written;

        public override long Position { get => _written; set => throw new NotSupportedException(); }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Count(buffer);
            inner.Write(buffer);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Count(buffer.Span);
            return inner.WriteAsync(buffer, cancellationToken);
        }

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }

            base.Dispose(disposing);
        }

        private void Count(ReadOnlySpan<byte> buffer)
        {
            _written += buffer.Length;
            if (_written > limit)
            {
                throw new BlobMismatchException("A blob is longer than was announced.");
            }

            hash.AppendData(buffer);
        }
    }
}
