using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Cluster;

/// <summary>
/// The hashes of a directory's files, remembered by size and time of the last change from one run of a program to the next, so that
/// only what a build changed is read again.
/// </summary>
internal sealed class FileHashes
{
    // A file that was changed just before it was read may be changed again within the same tick of the file system's clock.
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(2);

    private readonly string _cachePath;
    private readonly Dictionary<string, FileHash> _known;
    private readonly DateTimeOffset _now;
    private bool _changed;

    private FileHashes(string cachePath, Dictionary<string, FileHash> known, DateTimeOffset now)
    {
        _cachePath = cachePath;
        _known = known;
        _now = now;
    }

    /// <summary>The number of files that had to be read.</summary>
    public int FilesRead { get; private set; }

    /// <summary>Where the hashes of a directory's files are remembered: beside the user's context file.</summary>
    public static string CachePath(string directory) => Path.Combine(
        Path.GetDirectoryName(ClusterContextFile.Location) ?? ".", "hashes", BlobSource.HashOf(System.Text.Encoding.UTF8.GetBytes(directory))[..32] + ".json");

    /// <summary>Opens such a memory. One that cannot be read counts as empty.</summary>
    public static FileHashes Open(string cachePath, TimeProvider time)
    {
        try
        {
            var known = JsonSerializer.Deserialize(File.ReadAllBytes(cachePath), FileHashJson.Default.DictionaryStringFileHash);
            return new FileHashes(cachePath, known ?? [], time.GetUtcNow());
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            return new FileHashes(cachePath, [], time.GetUtcNow());
        }
    }

    public (string Hash, long Size) Of(string path)
    {
        var file = new FileInfo(path);
        var changed = file.LastWriteTimeUtc.Ticks;
        if (_known.TryGetValue(path, out var known) && known.Size == file.Length && known.Changed == changed)
        {
            return (known.Hash, known.Size);
        }

        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
        var hash = Convert.ToHexStringLower(SHA256.HashData(stream));
        FilesRead++;
        if (_now.UtcDateTime - file.LastWriteTimeUtc > s_settled)
        {
            _known[path] = new FileHash(stream.Length, changed, hash);
            _changed = true;
        }

        return (hash, stream.Length);
    }

    /// <summary>Writes the memory, for the files that there still are. A failure costs the next run some time and nothing else.</summary>
    public void Save(IEnumerable<string> paths)
    {
        if (!_changed)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_cachePath)!);
            var kept = paths.Where(_known.ContainsKey).ToDictionary(path => path, path => _known[path], StringComparer.Ordinal);
            var temporary = $"{_cachePath}.{Environment.ProcessId}.tmp";
            File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(kept, FileHashJson.Default.DictionaryStringFileHash));
            File.Move(temporary, _cachePath, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A read-only home directory, a full disk.
        }
    }
}

/// <summary>What a file was when it was read.</summary>
internal sealed record FileHash(long Size, long Changed, string Hash);

[JsonSerializable(typeof(Dictionary<string, FileHash>))]
internal sealed partial class FileHashJson : JsonSerializerContext;
