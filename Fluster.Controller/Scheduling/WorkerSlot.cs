namespace Fluster.Controller;

/// <summary>What is free on one worker during a pass of the scheduler.</summary>
internal sealed class WorkerSlot
{
    private readonly int _mostJobs;
    private readonly long _cpu;
    private List<(long End, ResourceShape Shape)>? _begun;

    public WorkerSlot(WorkerRecord worker, SlotBlock block)
    {
        (Worker, Block) = (worker, block);
        _mostJobs = Math.Max(1, worker.Traits.MaxConcurrentJobs);
        _cpu = Math.Max(1, worker.Traits.Capacity.CpuMillis);
        Free = Room.Free(worker);
    }

    public WorkerRecord Worker { get; }

    public SlotBlock Block { get; }

    public Room Free { get; private set; }

    /// <summary>How full it is, in thousandths of the scarcer of jobs and cores.</summary>
    public long Load => Math.Max(1000L * (_mostJobs - Free.Jobs) / _mostJobs, 1000L * (_cpu - Free.CpuMillis) / _cpu);

    /// <summary>The gang of which the pass has put a member here.</summary>
    public (long JobUid, int FirstTask)? Gang { get; set; }

    /// <summary>The job that it is kept for; 0: none.</summary>
    public long ReservedFor { get; private set; }

    /// <summary>Cluster time at which that job is to find room here.</summary>
    public long ReservedUntil { get; private set; }

    /// <summary>What the pass has put here, with its latest end.</summary>
    public IReadOnlyList<(long End, ResourceShape Shape)> Begun => _begun ?? (IReadOnlyList<(long, ResourceShape)>)[];

    /// <param name="shape">What is needed.</param>
    /// <param name="end">Cluster time at which it is over at the latest.</param>
    public bool HasRoomFor(ResourceShape shape, long end) => Free.Holds(shape) && (ReservedFor == 0 || end < ReservedUntil);

    public void Take(ResourceShape shape) => Free = Free.With(shape, -1);

    public void GiveBack(ResourceShape shape) => Free = Free.With(shape);

    public void Begin(ResourceShape shape, long end) => (_begun ??= []).Add((end, shape));

    public void Reserve(long jobUid, long until) => (ReservedFor, ReservedUntil) = (jobUid, until);
}

/// <summary>A few workers of one kind. Knows the most that any of them has free, so that a shape without room passes them all at once.</summary>
internal sealed class SlotBlock
{
    private const int Size = 16;

    private readonly List<WorkerSlot> _slots = new(Size);
    private Room _most;

    public IReadOnlyList<WorkerSlot> Slots => _slots;

    /// <summary>Of those that may run another job.</summary>
    public long LeastLoad { get; private set; } = long.MaxValue;

    public bool IsFull => _slots.Count == Size;

    public WorkerSlot Add(WorkerRecord worker)
    {
        var slot = new WorkerSlot(worker, this);
        _slots.Add(slot);
        return slot;
    }

    public bool MayHaveRoomFor(ResourceShape shape) => _most.Holds(shape);

    /// <summary>Looks again at what its workers have free.</summary>
    public void Measure()
    {
        (_most, LeastLoad) = (default, long.MaxValue);
        foreach (var slot in _slots)
        {
            if (slot.Free.Jobs > 0)
            {
                _most = Room.Most(_most, slot.Free);
                LeastLoad = Math.Min(LeastLoad, slot.Load);
            }
        }
    }
}
