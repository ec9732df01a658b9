namespace Fluster.Controller;

/// <summary>What is free on the workers during one pass of the scheduler. What the pass gives away is deducted at once.</summary>
internal sealed class Capacity
{
    /// <summary>Workers with room that are compared before the least loaded of them is taken.</summary>
    private const int Compared = 16;

    private readonly List<Slot> _slots = [];
    private int _next;

    /// <param name="state">The state that the pass works on.</param>
    /// <param name="usable">Whether a worker can be reached and takes work.</param>
    public Capacity(ClusterState state, Func<long, bool> usable)
    {
        foreach (var worker in state.Workers.Ascending())
        {
            if (worker is { State: WorkerState.Alive, Draining: false } && worker.Held.Length < worker.Traits.MaxConcurrentJobs && usable(worker.Uid))
            {
                _slots.Add(new Slot(worker));
            }
        }
    }

    public bool IsFull => _slots.Count == 0;

    /// <summary>Takes room for a task; 0: there is none.</summary>
    /// <param name="shape">What it needs.</param>
    /// <param name="avoid">The worker where it ended before: taken only if there is no other. 0: none.</param>
    public long Take(ResourceShape shape, long avoid)
    {
        Slot? best = null;
        Slot? fallback = null;
        var seen = 0;
        for (var i = 0; i < _slots.Count && seen < Compared; i++)
        {
            var slot = _slots[(_next + i) % _slots.Count];
            if (!slot.HasRoomFor(shape))
            {
                continue;
            }

            if (slot.Worker.Uid == avoid)
            {
                fallback = slot;
                continue;
            }

            seen++;
            if (best is null || slot.Load < best.Load)
            {
                best = slot;
            }
        }

        best ??= fallback;
        if (best is null)
        {
            return 0;
        }

        best.Take(shape);
        if (best.IsFull)
        {
            _slots.Remove(best);
        }

        _next = _slots.Count == 0 ? 0 : (_next + 1) % _slots.Count;
        return best.Worker.Uid;
    }

    private sealed class Slot(WorkerRecord worker)
    {
        private int _taken;
        private ResourceUse _used = worker.Used;

        public WorkerRecord Worker => worker;

        public bool IsFull => worker.Held.Length + _taken >= worker.Traits.MaxConcurrentJobs;

        /// <summary>How full it is, in thousandths of the scarcer of jobs and cores.</summary>
        public long Load { get; private set; } = LoadOf(worker, 0, worker.Used);

        public bool HasRoomFor(ResourceShape shape)
        {
            var capacity = worker.Traits.Capacity;
            return _used.CpuMillis + shape.CpuMillis <= capacity.CpuMillis
                && _used.MemoryBytes + shape.MemoryBytes <= capacity.MemoryBytes
                && _used.DiskBytes + shape.DiskBytes <= capacity.DiskBytes
                && _used.Gpus + shape.Gpus <= capacity.Gpus
                && worker.CouldEverHold(shape);
        }

        public void Take(ResourceShape shape)
        {
            _taken++;
            _used = _used.Plus(shape);
            Load = LoadOf(worker, _taken, _used);
        }

        private static long LoadOf(WorkerRecord worker, int taken, ResourceUse used) => Math.Max(
            1000L * (worker.Held.Length + taken) / Math.Max(1, worker.Traits.MaxConcurrentJobs),
            1000L * used.CpuMillis / Math.Max(1, worker.Traits.Capacity.CpuMillis));
    }
}
