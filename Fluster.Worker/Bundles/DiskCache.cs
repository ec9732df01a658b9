namespace Fluster.Worker;

/// <summary>
/// Keeps what was fetched to a size: past it, what was used longest ago goes first, and never what somebody uses. An entry is a file or a
/// directory that can be made again at any time.
/// </summary>
/// <param name="limit">Bytes that all entries may have together.</param>
/// <param name="entries">Finds the paths of all entries.</param>
internal sealed class DiskCache(long limit, Func<IEnumerable<string>> entries)
{
    /// <summary>For a worker (10 GiB).</summary>
    public const long DefaultLimit = 10L << 30;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _uses = new(StringComparer.Ordinal);
    private long _size = -1; // not known yet

    /// <summary>The entry stays until <paramref name="hold"/> lets go, whether it is there already or is about to be.</summary>
    public void Use(string path, CacheHold hold)
    {
        lock (_gate)
        {
            _uses[path] = _uses.GetValueOrDefault(path) + 1;
        }

        hold.Add(() => Release(path));
    }

    /// <summary>An entry was made: others go if there is too much.</summary>
    public void Added(string path)
    {
        lock (_gate)
        {
            _size = _size < 0 ? entries().Sum(SizeOf) : _size + SizeOf(path);
            if (_size <= limit)
            {
                return;
            }

            // What is known of sizes may be old: count again, and make some room so that this is not done for every entry.
            var all = entries().Select(entry => (Path: entry, Size: SizeOf(entry), Used: File.GetLastAccessTimeUtc(entry))).OrderBy(entry => entry.Used).ToList();
            _size = all.Sum(entry => entry.Size);
            foreach (var entry in all.Where(entry => !_uses.ContainsKey(entry.Path)).TakeWhile(_ => _size > limit / 10 * 9))
            {
                Remove(entry.Path);
                _size -= entry.Size;
            }
        }
    }

    private void Release(string path)
    {
        lock (_gate)
        {
            if (--_uses[path] == 0)
            {
                _uses.Remove(path);
            }

            try
            {
                File.SetLastAccessTimeUtc(path, TimeProvider.System.GetUtcNow().UtcDateTime); // the file's own clock would do, but is off on many systems
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It was never made.
            }
        }
    }

    private static long SizeOf(string path)
    {
        try
        {
            return Directory.Exists(path)
                ? new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length)
                : new FileInfo(path) is { Exists: true } file ? file.Length : 0;
        }
        catch (IOException)
        {
            return 0; // it is being made
        }
    }

    private static void Remove(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What is left of it is made whole when it is wanted again.
        }
    }
}

/// <summary>Entries of the cache that somebody uses until this is disposed of.</summary>
internal sealed class CacheHold : IDisposable
{
    private readonly Lock _gate = new();
    private List<Action> _releases = [];

    public void Add(Action release)
    {
        lock (_gate)
        {
            _releases.Add(release);
        }
    }

    public void Dispose()
    {
        List<Action> releases;
        lock (_gate)
        {
            (releases, _releases) = (_releases, []);
        }

        releases.ForEach(release => release());
    }
}
