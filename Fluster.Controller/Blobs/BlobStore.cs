using System.Security.Cryptography;

namespace Fluster.Controller;

/// <summary>
/// Bytes by the SHA-256 of their content, one file each. A blob that is here is whole and on disk; what arrives is checked against its
/// name before it gets it.
/// </summary>
internal sealed class BlobStore
{
    /// <summary>The most that one blob can have; a bundle as a whole has the same limit (spec section 2).</summary>
    public const long MaxSize = 1L << 30;

    private const int HashLength = 64;

    /// <summary>How exactly it is known when a blob was last of use: writing that down for every question would cost more than the question.</summary>
    private static readonly TimeSpan s_touchEvery = TimeSpan.FromMinutes(10);

    private readonly string _directory;
    private readonly string _incoming;
    private readonly TimeProvider _time;

    public BlobStore(string dataDirectory, TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _directory = Path.Combine(dataDirectory, "blobs");
        _incoming = Path.Combine(_directory, "incoming");
        if (Directory.Exists(_incoming))
        {
            Directory.Delete(_incoming, recursive: true); // uploads that a stopped controller never finished
        }

        Directory.CreateDirectory(_incoming);
        for (var i = 0; i < 256; i++)
        {
            Directory.CreateDirectory(Path.Combine(_directory, i.ToString("x2")));
        }
    }

    public static bool IsHash(string text) => text.Length == HashLength && text.All(char.IsAsciiHexDigitLower);

    /// <summary>Whether a blob is here. It stays for at least an hour from now.</summary>
    public bool Has(string hash) => Size(hash) is not null;

    /// <summary>Those of the hashes that are not here, in their order, each once.</summary>
    public IEnumerable<string> Missing(IEnumerable<string> hashes) => hashes.Distinct(StringComparer.Ordinal).Where(hash => !Has(hash));

    /// <summary>The size of a blob; null when it is not here. It stays for at least an hour from now, since whoever asks relies on it.</summary>
    public long? Size(string hash)
    {
        if (!IsHash(hash) || new FileInfo(PathOf(hash)) is not { Exists: true } file)
        {
            return null;
        }

        var now = _time.GetUtcNow().UtcDateTime;
        if (file.LastWriteTimeUtc < now - s_touchEvery)
        {
            try
            {
                file.LastWriteTimeUtc = now;
            }
            catch (FileNotFoundException)
            {
                return null; // collected this moment
            }
        }

        return file.Length;
    }

    /// <summary>Deletes the blobs that nothing names and that nobody has asked for since a time.</summary>
    /// <returns>How many, and their bytes.</returns>
    public (int Blobs, long Bytes) DeleteUnused(IReadOnlySet<string> named, DateTimeOffset since)
    {
        var (blobs, bytes) = (0, 0L);
        foreach (var file in new DirectoryInfo(_directory).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            if (IsHash(file.Name) && !named.Contains(file.Name) && new DateTimeOffset(file.LastWriteTimeUtc) < since)
            {
                blobs++;
                bytes += file.Length;
                file.Delete();
            }
        }

        return (blobs, bytes);
    }

    /// <summary>Opens a blob for reading; null when it is not here.</summary>
    public FileStream? OpenRead(string hash)
    {
        try
        {
            return IsHash(hash) ? new FileStream(PathOf(hash), FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1, FileOptions.SequentialScan) : null;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Reads a blob that is known to be small; null when it is not here or has more than <paramref name="maxSize"/> bytes.</summary>
    public byte[]? Read(string hash, int maxSize) => Size(hash) <= maxSize ? File.ReadAllBytes(PathOf(hash)) : null;

    /// <summary>Begins to receive a blob.</summary>
    /// <exception cref="BlobRefusedException">Its name or size cannot be right.</exception>
    public BlobUpload Begin(V1.BlobRef blob)
    {
        if (!IsHash(blob.Hash))
        {
            throw new BlobRefusedException($"'{blob.Hash}' does not name a blob: a name is a SHA-256 in {HashLength} lower-case hexadecimal digits.");
        }

        if (blob.Size is < 0 or > MaxSize)
        {
            throw new BlobRefusedException($"Blob {blob.Hash} would have {blob.Size} bytes; a blob can have up to {MaxSize}.");
        }

        return new BlobUpload(blob.Hash, blob.Size, Path.Combine(_incoming, Guid.NewGuid().ToString("N")), PathOf(blob.Hash), () => Has(blob.Hash));
    }

    private string PathOf(string hash) => Path.Combine(_directory, hash[..2], hash);
}

/// <summary>A blob on its way in. Disposing it before it is complete leaves nothing behind.</summary>
internal sealed class BlobUpload : IDisposable
{
    private readonly string _hash;
    private readonly long _size;
    private readonly string _temporary;
    private readonly string _final;
    private readonly IncrementalHash _content = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly FileStream _file;
    private readonly Func<bool> _alreadyHere;
    private long _received;

    public BlobUpload(string hash, long size, string temporary, string final, Func<bool> alreadyHere)
    {
        (_hash, _size, _temporary, _final, _alreadyHere) = (hash, size, temporary, final, alreadyHere);
        _file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
    }

    /// <summary>How many bytes are still to come.</summary>
    public long Remaining => _size - _received;

    /// <summary>Takes the next bytes.</summary>
    /// <exception cref="BlobRefusedException">There are more than announced.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Remaining)
        {
            throw new BlobRefusedException($"Blob {_hash} was announced with {_size} bytes, and more arrived.");
        }

        _content.AppendData(bytes);
        _file.Write(bytes);
        _received += bytes.Length;
    }

    /// <summary>Checks what arrived and gives it its name. The blob is on disk when this returns.</summary>
    /// <exception cref="BlobRefusedException">It is not what its name says.</exception>
    public void Complete()
    {
        if (Remaining > 0)
        {
            throw new BlobRefusedException($"Blob {_hash} was announced with {_size} bytes, and {_received} arrived.");
        }

        var actual = Convert.ToHexStringLower(_content.GetHashAndReset());
        if (actual != _hash)
        {
            throw new BlobRefusedException($"Blob {_hash} arrived damaged: its content has the SHA-256 {actual}. Send it again.");
        }

        if (_alreadyHere())
        {
            return; // the same bytes were here first; disposing drops these
        }

        _file.Flush(flushToDisk: true);
        _file.Dispose();
        DurableFile.Publish(_temporary, _final);
    }

    public void Dispose()
    {
        _file.Dispose();
        _content.Dispose();
        File.Delete(_temporary);
    }
}

/// <summary>A blob is not what it says it is. The message is meant for whoever sent it.</summary>
internal sealed class BlobRefusedException(string message) : Exception(message);
