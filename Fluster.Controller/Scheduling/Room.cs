namespace Fluster.Controller;

/// <summary>What is free somewhere, in amounts.</summary>
internal readonly record struct Room(long Jobs, long CpuMillis, long MemoryBytes, long DiskBytes, long Gpus, long Tpus)
{
    /// <summary>All that a worker has.</summary>
    public static Room Whole(WorkerRecord worker)
    {
        var capacity = worker.Traits.Capacity;
        return new Room(worker.Traits.MaxConcurrentJobs, capacity.CpuMillis, capacity.MemoryBytes, capacity.DiskBytes, capacity.Gpus, capacity.Tpus);
    }

    /// <summary>What no attempt on it holds.</summary>
    public static Room Free(WorkerRecord worker)
    {
        var (whole, used) = (Whole(worker), worker.Used);
        return new Room(
            whole.Jobs - worker.Held.Length,
            whole.CpuMillis - used.CpuMillis,
            whole.MemoryBytes - used.MemoryBytes,
            whole.DiskBytes - used.DiskBytes,
            worker.FreeGpus.Count,
            whole.Tpus - used.Tpus);
    }

    /// <summary>The larger of each amount.</summary>
    public static Room Most(Room left, Room right) => new(
        Math.Max(left.Jobs, right.Jobs),
        Math.Max(left.CpuMillis, right.CpuMillis),
        Math.Max(left.MemoryBytes, right.MemoryBytes),
        Math.Max(left.DiskBytes, right.DiskBytes),
        Math.Max(left.Gpus, right.Gpus),
        Math.Max(left.Tpus, right.Tpus));

    public bool Holds(ResourceShape shape) =>
        Jobs > 0
        && CpuMillis >= shape.CpuMillis
        && MemoryBytes >= shape.MemoryBytes
        && DiskBytes >= shape.DiskBytes
        && Gpus >= shape.Gpus
        && (shape.Tpus == 0 || Tpus > 0);

    /// <summary>How often a shape has room here at the same time.</summary>
    public long Times(ResourceShape shape)
    {
        var times = Jobs;
        Limit(CpuMillis, shape.CpuMillis);
        Limit(MemoryBytes, shape.MemoryBytes);
        Limit(DiskBytes, shape.DiskBytes);
        Limit(Gpus, shape.Gpus);
        Limit(Tpus, shape.Tpus);
        return Math.Max(0, times);

        void Limit(long there, long each) => times = each > 0 ? Math.Min(times, there / each) : times;
    }

    /// <param name="shape">What comes back, or with -1 goes.</param>
    /// <param name="times">How often.</param>
    public Room With(ResourceShape shape, int times = 1) => new(
        Jobs + times,
        CpuMillis + (times * shape.CpuMillis),
        MemoryBytes + (times * shape.MemoryBytes),
        DiskBytes + (times * shape.DiskBytes),
        Gpus + (times * shape.Gpus),
        Tpus + (times * shape.Tpus));
}
