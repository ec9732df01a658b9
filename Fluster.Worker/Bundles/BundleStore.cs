using System.Collections.Concurrent;

namespace Fluster.Worker;

/// <summary>
/// Trees of files, made from blobs. A .NET program's is made once per hash, read-only, and shared by all jobs that run it; a job's
/// working files are copied for it alone.
/// </summary>
internal sealed class BundleStore(string directory, BlobCache blobs, DiskCache? cache = null)
{
    private const UnixFileMode ReadOnlyFile = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const int MaxFiles = 100_000;

    private readonly ConcurrentDictionary<string, SemaphoreSlim> _gates = new(StringComparer.Ordinal);

    /// <summary>The bundles in a directory.</summary>
    public static IEnumerable<string> EntriesOf(string directory) => Directory.Exists(directory) ? Directory.EnumerateDirectories(directory) : [];

    /// <summary>The directory of a bundle, with every file in it as its manifest says.</summary>
    /// <param name="manifest">Which one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="hold">For how long the directory stays. Without one it is there now and may go at any time.</param>
    /// <exception cref="InvalidBundleException">The manifest cannot be used.</exception>
    public async Task<string> GetAsync(V1.BlobRef manifest, CancellationToken cancellationToken, CacheHold? hold = null)
    {
        var files = await ReadManifestAsync(manifest, cancellationToken);
        var path = Path.Combine(directory, manifest.Hash);
        using var making = new CacheHold();
        cache?.Use(path, hold ?? making);
        var gate = _gates.GetOrAdd(manifest.Hash, _ => new SemaphoreSlim(1, 1));
        await gate.WaitAsync(cancellationToken);
        try
        {
            var missing = files.Where(file => !BlobCache.IsWhole(Path.Combine(path, file.Path), file.Blob.Size)).ToList();
            foreach (var file in missing)
            {
                await PlaceAsync(file, Path.Combine(path, file.Path), shared: true, cancellationToken);
            }

            if (missing.Count > 0)
            {
                cache?.Added(path);
            }

            return path;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Copies a tree into a directory whose owner may change it.</summary>
    /// <exception cref="InvalidBundleException">The manifest cannot be used.</exception>
    public async Task CopyAsync(V1.BlobRef manifest, string destination, CancellationToken cancellationToken)
    {
        foreach (var file in await ReadManifestAsync(manifest, cancellationToken))
        {
            await PlaceAsync(file, Path.Combine(destination, file.Path), shared: false, cancellationToken);
        }
    }

    private async Task<IReadOnlyList<V1.BundleFile>> ReadManifestAsync(V1.BlobRef manifest, CancellationToken cancellationToken)
    {
        V1.BundleManifest content;
        using var hold = new CacheHold();
        var bytes = await File.ReadAllBytesAsync(await blobs.GetAsync(manifest, cancellationToken, hold), cancellationToken);
        try
        {
            content = V1.BundleManifest.Parser.ParseFrom(bytes);
        }
        catch (Google.Protobuf.InvalidProtocolBufferException exception)
        {
            throw new InvalidBundleException($"The blob {manifest.Hash} is not a list of files.", exception);
        }

        if (content.Files.Count > MaxFiles)
        {
            throw new InvalidBundleException($"A bundle has {content.Files.Count} files; at most {MaxFiles} are allowed.");
        }

        return content.Files.FirstOrDefault(file => !IsInside(file.Path)) is { } outside
            ? throw new InvalidBundleException($"The path '{outside.Path}' leads out of its bundle.")
            : content.Files;
    }

    private static bool IsInside(string path) =>
        path.Length > 0 && !path.Contains('\\', StringComparison.Ordinal) && !path.Contains('\0', StringComparison.Ordinal)
        && path.Split('/').All(part => part is not ("" or "." or ".."));

    private async Task PlaceAsync(V1.BundleFile file, string path, bool shared, CancellationToken cancellationToken)
    {
        using var hold = new CacheHold();
        var source = await blobs.GetAsync(file.Blob, cancellationToken, hold);
        CreateDirectory(Path.GetDirectoryName(path)!, shared);
        var temporary = path + ".fluster-tmp";
        File.Copy(source, temporary, overwrite: true);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(temporary, ReadOnlyFile | (shared ? UnixFileMode.None : UnixFileMode.UserWrite) | (file.Executable ? AnyExecute : UnixFileMode.None));
        }

        File.SetLastWriteTimeUtc(temporary, BlobCache.CheckedTime);
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>What is shared is for users of other attempts, too, whatever this process makes for itself (umask).</summary>
    private static void CreateDirectory(string directory, bool shared)
    {
        if (Directory.Exists(directory))
        {
            return;
        }

        if (shared && !OperatingSystem.IsWindows())
        {
            CreateDirectory(Path.GetDirectoryName(directory)!, shared);
            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, ReadOnlyFile | AnyExecute | UnixFileMode.UserWrite);
        }
        else
        {
            Directory.CreateDirectory(directory);
        }
    }
}

/// <summary>A bundle that cannot be used, through no fault of the worker's.</summary>
internal sealed class InvalidBundleException(string message, Exception? innerException = null) : Exception(message, innerException);
