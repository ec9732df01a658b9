using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Fluster.Worker;

/// <summary>
/// Remembers on the disk which fences were started here, so that none is started twice, whatever happens to the worker. A file of
/// records that only grows; made small again at a start.
/// </summary>
internal sealed class StartJournal : IDisposable
{
    /// <summary>Fences that are done with and still remembered. A controller that asks for an older one again is broken.</summary>
    private const int MaxForgotten = 10_000;

    private const int RecordLength = 24; // fence, kind, check
    private const ulong CheckSeed = 0x9E37_79B9_7F4A_7C15;

    private readonly SafeFileHandle _file;
    private readonly HashSet<Fence> _started = [];
    private readonly Queue<Fence> _forgotten = [];
    private long _length;

    private StartJournal(SafeFileHandle file) => _file = file;

    /// <summary>Started, and not done with.</summary>
    public IReadOnlyCollection<Fence> Started => _started;

    /// <summary>Done with.</summary>
    public IReadOnlyCollection<Fence> Forgotten => _forgotten;

    public static StartJournal Open(string path)
    {
        var old = File.Exists(path) ? File.ReadAllBytes(path) : [];
        var (started, forgotten) = Read(old);
        var content = started.Select(StartRecord).Concat(forgotten.TakeLast(MaxForgotten).Select(ForgetRecord)).SelectMany(record => record).ToArray();
        DurableFile.Write(path, content);
        var journal = new StartJournal(File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.Read)) { _length = content.Length };
        journal._started.UnionWith(started);
        foreach (var fence in forgotten.TakeLast(MaxForgotten))
        {
            journal._forgotten.Enqueue(fence);
        }

        return journal;
    }

    /// <summary>Returns when the disk has it.</summary>
    public void Start(Fence fence)
    {
        Append(StartRecord(fence));
        RandomAccess.FlushToDisk(_file);
        _started.Add(fence);
    }

    /// <summary>The fence is done with. Losing this record at a crash costs one more report.</summary>
    public void Forget(Fence fence)
    {
        Append(ForgetRecord(fence));
        _started.Remove(fence);
        _forgotten.Enqueue(fence);
    }

    public void Dispose() => _file.Dispose();

    public static byte[] StartRecord(Fence fence) => Record(fence, Kind.Started);

    public static byte[] ForgetRecord(Fence fence) => Record(fence, Kind.Forgotten);

    /// <summary>What the records of a file say, up to where a crash may have cut it.</summary>
    public static (HashSet<Fence> Started, List<Fence> Forgotten) Read(ReadOnlySpan<byte> content)
    {
        var started = new HashSet<Fence>();
        var forgotten = new List<Fence>();
        for (; content.Length >= RecordLength; content = content[RecordLength..])
        {
            var fence = new Fence(BinaryPrimitives.ReadUInt64LittleEndian(content));
            var kind = BinaryPrimitives.ReadUInt64LittleEndian(content[8..]);
            if (BinaryPrimitives.ReadUInt64LittleEndian(content[16..]) != Check(fence, kind))
            {
                break; // the last write of a crashed machine
            }

            if (kind == (ulong)Kind.Started)
            {
                started.Add(fence);
            }
            else if (kind == (ulong)Kind.Forgotten)
            {
                started.Remove(fence);
                forgotten.Add(fence);
            }
        }

        return (started, forgotten);
    }

    private void Append(byte[] record)
    {
        RandomAccess.Write(_file, record, _length);
        _length += record.Length;
    }

    private static byte[] Record(Fence fence, Kind kind)
    {
        var record = new byte[RecordLength];
        BinaryPrimitives.WriteUInt64LittleEndian(record, fence.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(8), (ulong)kind);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(16), Check(fence, (ulong)kind));
        return record;
    }

    private static ulong Check(Fence fence, ulong kind) => ulong.RotateLeft((fence.Value ^ CheckSeed) * CheckSeed, 17) ^ kind * CheckSeed;

    private enum Kind : ulong
    {
        Started = 1,
        Forgotten = 2,
    }
}
