namespace Fluster.Controller;

/// <summary>What is free on one worker during a pass of the scheduler.</summary>
internal sealed class WorkerSlot
{
    private readonly int _mostJobs;
    private readonly long _cpu;

    public WorkerSlot(WorkerRecord worker)
    {
        Worker = worker;
        var (capacity, used) = (worker.Traits.Capacity, worker.Used);
        _mostJobs = Math.Max(1, worker.Traits.MaxConcurrentJobs);
        _cpu = Math.Max(1, capacity.CpuMillis);
        FreeJobs = worker.Traits.MaxConcurrentJobs - worker.Held.Length;
        FreeCpu = capacity.CpuMillis - used.CpuMillis;
        FreeMemory = capacity.MemoryBytes - used.MemoryBytes;
        FreeDisk = capacity.DiskBytes - used.DiskBytes;
        FreeGpus = worker.FreeGpus.Count;
        FreeTpus = capacity.Tpus - used.Tpus;
        Weigh();
    }

    public WorkerRecord Worker { get; }

    public int FreeJobs { get; private set; }

    public long FreeCpu { get; private set; }

    public long FreeMemory { get; private set; }

    public long FreeDisk { get; private set; }

    public int FreeGpus { get; private set; }

    public int FreeTpus { get; private set; }

    /// <summary>How full it is, in thousandths of the scarcer of jobs and cores.</summary>
    public long Load { get; private set; }

    public bool HasRoomFor(ResourceShape shape) =>
        FreeJobs > 0
        && FreeCpu >= shape.CpuMillis
        && FreeMemory >= shape.MemoryBytes
        && FreeDisk >= shape.DiskBytes
        && FreeGpus >= shape.Gpus
        && (shape.Tpus == 0 || FreeTpus > 0);

    public void Take(ResourceShape shape) => Change(shape, 1);

    public void GiveBack(ResourceShape shape) => Change(shape, -1);

    private void Change(ResourceShape shape, int times)
    {
        FreeJobs -= times;
        FreeCpu -= times * shape.CpuMillis;
        FreeMemory -= times * shape.MemoryBytes;
        FreeDisk -= times * shape.DiskBytes;
        FreeGpus -= times * shape.Gpus;
        FreeTpus -= times * shape.Tpus;
        Weigh();
    }

    private void Weigh() => Load = Math.Max(
        1000L * (_mostJobs - FreeJobs) / _mostJobs,
        1000L * (_cpu - FreeCpu) / _cpu);
}

/// <summary>A few workers of one kind. Knows the most that any of them has free, so that a shape without room passes them all at once.</summary>
internal sealed class SlotBlock
{
    public const int Size = 16;

    private readonly List<WorkerSlot> _slots = new(Size);
    private long _cpu;
    private long _memory;
    private long _disk;
    private int _gpus;
    private int _jobs;

    public IReadOnlyList<WorkerSlot> Slots => _slots;

    /// <summary>Of those that may run another job.</summary>
    public long LeastLoad { get; private set; }

    public bool IsFull => _slots.Count == Size;

    public void Add(WorkerSlot slot)
    {
        _slots.Add(slot);
        Measure();
    }

    public bool MayHaveRoomFor(ResourceShape shape) =>
        _jobs > 0 && _cpu >= shape.CpuMillis && _memory >= shape.MemoryBytes && _disk >= shape.DiskBytes && _gpus >= shape.Gpus;

    /// <summary>Looks again at what its workers have free.</summary>
    public void Measure()
    {
        (_cpu, _memory, _disk, _gpus, _jobs, LeastLoad) = (0, 0, 0, 0, 0, long.MaxValue);
        foreach (var slot in _slots)
        {
            if (slot.FreeJobs > 0)
            {
                _cpu = Math.Max(_cpu, slot.FreeCpu);
                _memory = Math.Max(_memory, slot.FreeMemory);
                _disk = Math.Max(_disk, slot.FreeDisk);
                _gpus = Math.Max(_gpus, slot.FreeGpus);
                _jobs = Math.Max(_jobs, slot.FreeJobs);
                LeastLoad = Math.Min(LeastLoad, slot.Load);
            }
        }
    }
}
