using System.Diagnostics.CodeAnalysis;

namespace Fluster.Controller;

/// <summary>The logs of all attempts, one file each. Few files are open at a time, however many attempts there were.</summary>
internal sealed class LogStore(string dataDirectory) : IDisposable
{
    /// <summary>Open files that nobody uses. Each costs a handle and 24 bytes per chunk.</summary>
    private const int MaxIdle = 256;

    private readonly string _directory = Path.Combine(dataDirectory, "logs");
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

    private Lease? Take(Fence fence, bool create)
    {
        lock (_gate)
        {
            if (!_open.TryGetValue(fence, out var shared))
            {
                // Spread over directories by the low bits, which change fastest.
                var directory = Path.Combine(_directory, (fence.Value & 0xff).ToString("x2"));
                var path = Path.Combine(directory, $"{fence.Value:x16}.log");
                if (!create && !File.Exists(path))
                {
                    return null;
                }

                Directory.CreateDirectory(directory);
                var isNew = !File.Exists(path);
                shared = new Shared(AttemptLog.Open(path));
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
