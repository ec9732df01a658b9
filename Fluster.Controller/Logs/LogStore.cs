using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Fluster.Controller;

/// <summary>The logs of all attempts, kept after they have ended. Few files are open at a time, however many attempts there were.</summary>
internal sealed class LogStore(string dataDirectory, LogLimits? limits = null) : IDisposable
{
    /// <summary>Open files that nobody uses. Each costs a handle and 24 bytes per chunk.</summary>
    private const int MaxIdle = 256;

    private readonly string _directory = Path.Combine(dataDirectory, "logs");
    private readonly LogLimits _limits = limits ?? new LogLimits();
    private readonly Lock _gate = new();
    private readonly Dictionary<Fence, Shared> _open = [];
    private long _clock;

    /// <summary>Fires when an attempt wrote for the first time.</summary>
    public Pulse Created { get; } = new();

    /// <summary>Opens the log of an attempt for writing. Return it when done; many may have the same one.</summary>
    public Lease Open(Fence fence) => Take(fence, create: true)!;

    /// <summary>Opens the log of an attempt if it wrote anything.</summary>
    public Lease? OpenIfExists(Fence fence) => Take(fence, create: false);

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var shared in _open.Values)
            {
                shared.Log.Dispose();
            }

            _open.Clear();
        }
    }

    /// <summary>Gives up what is too old, and the oldest of what is too much. Readers find a gap in its place.</summary>
    /// <returns>How many bytes were given up.</returns>
    public long Sweep(DateTimeOffset now)
    {
        var files = Files().OrderBy(file => file.Info.LastWriteTimeUtc).ToList();
        var total = files.Sum(file => file.Info.Length);
        var dropped = 0L;
        foreach (var (fence, info) in files)
        {
            var isOld = new DateTimeOffset(info.LastWriteTimeUtc) <= now - _limits.Age;
            if (!isOld && total <= _limits.Total)
            {
                break;
            }

            if (info.Length > 0)
            {
                using var lease = OpenIfExists(fence);
                lease?.Log.DropThrough(AttemptLog.StartOf(info.Name).First);
                total -= info.Length;
                dropped += info.Length;
            }
            else if (isOld)
            {
                Forget(fence, info); // only said that there had been something
            }
        }

        return dropped;
    }

    private IEnumerable<(Fence Fence, FileInfo Info)> Files() => !Directory.Exists(_directory) ? [] :
        from path in Directory.EnumerateFiles(_directory, "*.log*", SearchOption.AllDirectories)
        let name = Path.GetFileName(path)
        where ulong.TryParse(name.AsSpan(0, Math.Max(0, name.IndexOf('.', StringComparison.Ordinal))), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out _)
        select (new Fence(ulong.Parse(name.AsSpan(0, name.IndexOf('.', StringComparison.Ordinal)), NumberStyles.HexNumber, CultureInfo.InvariantCulture)), new FileInfo(path));

    private void Forget(Fence fence, FileInfo info)
    {
        lock (_gate)
        {
            if (!_open.ContainsKey(fence))
            {
                info.Delete();
            }
        }
    }

    private Lease? Take(Fence fence, bool create)
    {
        lock (_gate)
        {
            if (!_open.TryGetValue(fence, out var shared))
            {
                // Spread over directories by the low bits, which change fastest.
                var directory = Path.Combine(_directory, (fence.Value & 0xff).ToString("x2"));
                var path = Path.Combine(directory, $"{fence.Value:x16}.log");
                var isNew = !AttemptLog.Exists(path);
                if (!create && isNew)
                {
                    return null;
                }

                Directory.CreateDirectory(directory);
                shared = new Shared(AttemptLog.Open(path, _limits));
                if (isNew)
                {
                    DurableFile.SyncDirectory(directory);
                }

                _open.Add(fence, shared);
                if (isNew)
                {
                    Created.Fire();
                }
            }

            shared.Users++;
            return new Lease(this, shared);
        }
    }

    private void Return(Shared shared)
    {
        lock (_gate)
        {
            shared.Users--;
            shared.LastUse = ++_clock;
            if (_open.Count <= MaxIdle)
            {
                return;
            }

            var idle = _open.Where(entry => entry.Value.Users == 0).OrderBy(entry => entry.Value.LastUse).Take(MaxIdle / 2).ToList();
            foreach (var (fence, unused) in idle)
            {
                unused.Log.Flush();
                unused.Log.Dispose();
                _open.Remove(fence);
            }
        }
    }

    internal sealed class Shared(AttemptLog log)
    {
        public AttemptLog Log { get; } = log;

        public int Users { get; set; }

        public long LastUse { get; set; }
    }

    /// <summary>The right to use a log until disposed.</summary>
    [SuppressMessage("Design", "CA1034", Justification = "It has no meaning without the store.")]
    internal sealed class Lease(LogStore store, Shared shared) : IDisposable
    {
        private bool _returned;

        public AttemptLog Log => shared.Log;

        public void Dispose()
        {
            if (!_returned)
            {
                _returned = true;
                store.Return(shared);
            }
        }
    }
}
