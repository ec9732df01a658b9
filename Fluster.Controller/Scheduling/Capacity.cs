namespace Fluster.Controller;

/// <summary>
/// What is free on the workers during one pass of the scheduler. What the pass gives away is deducted at once. Workers of one kind (devices,
/// region, preemptible or not, with an engine for containers or not) stand together in blocks, so that looking for room touches few of them.
/// </summary>
internal sealed class Capacity
{
    private readonly Dictionary<Kind, List<SlotBlock>> _kinds = [];
    private readonly Dictionary<Wish, Choices> _choices = [];
    private readonly Dictionary<long, WorkerSlot> _slots = [];
    private readonly SortedDictionary<long, List<WorkerSlot>> _slices = [];
    private int _withRoom;

    /// <param name="state">The state that the pass works on.</param>
    /// <param name="now">Cluster time.</param>
    /// <param name="usable">Whether a worker can be reached and takes work.</param>
    public Capacity(ClusterState state, long now, Func<long, bool> usable)
    {
        foreach (var worker in state.Workers.Ascending())
        {
            if (worker.TakesWork(now) && usable(worker.Uid))
            {
                Add(worker);
            }
            else if (worker.State == WorkerState.Alive && worker.QuarantinedUntil > now)
            {
                NextDue = Math.Min(NextDue, worker.QuarantinedUntil);
            }
        }

        foreach (var block in _kinds.Values.SelectMany(blocks => blocks))
        {
            block.Measure();
        }
    }

    /// <summary>Cluster time at which a worker takes work again; none: <see cref="long.MaxValue"/>.</summary>
    public long NextDue { get; } = long.MaxValue;

    public bool IsFull => _withRoom == 0;

    /// <summary>A worker that can be reached and takes work; null: it is not one.</summary>
    public WorkerSlot? Find(long workerUid) => _slots.GetValueOrDefault(workerUid);

    /// <summary>Takes room for a task; null: there is none.</summary>
    /// <param name="shape">What it needs.</param>
    /// <param name="avoid">The worker where it ended before: taken only if there is no other. 0: none.</param>
    /// <param name="end">Cluster time at which it is over at the latest; unknown: <see cref="long.MaxValue"/>.</param>
    /// <param name="may">Whether it may go to a worker at all. Null: to any.</param>
    public WorkerSlot? Take(ResourceShape shape, long avoid = 0, long end = long.MaxValue, Func<WorkerSlot, bool>? may = null)
    {
        WorkerSlot? fallback = null;
        foreach (var blocks in ChoicesFor(shape).Ranks)
        {
            if (LeastLoaded(blocks, shape, avoid, end, may, ref fallback) is { } best)
            {
                Take(best, shape);
                return best;
            }
        }

        if (fallback is not null)
        {
            Take(fallback, shape);
        }

        return fallback;
    }

    public void Take(WorkerSlot slot, ResourceShape shape)
    {
        _withRoom -= slot.Free.Jobs == 1 ? 1 : 0;
        slot.Take(shape);
        slot.Block.Measure();
    }

    public void GiveBack(WorkerSlot slot, ResourceShape shape)
    {
        _withRoom += slot.Free.Jobs == 0 ? 1 : 0;
        slot.GiveBack(shape);
        slot.Block.Measure();
    }

    /// <summary>Takes room on every worker of one slice; null: no slice has it.</summary>
    /// <param name="shape">What each of its tasks needs.</param>
    /// <param name="size">Workers of the slice.</param>
    /// <param name="end">Cluster time at which it is over at the latest.</param>
    /// <param name="may">Whether a task may go to a worker at all.</param>
    /// <returns>In the order of their numbers in the slice.</returns>
    public IReadOnlyList<WorkerSlot>? TakeSlice(ResourceShape shape, int size, long end, Func<WorkerSlot, bool> may)
    {
        foreach (var slice in _slices.Values)
        {
            if (slice.Count == size && slice.TrueForAll(slot => slot.Worker.IsOfAKindFor(shape) && slot.HasRoomFor(shape, end) && may(slot)))
            {
                var taken = slice.OrderBy(slot => slot.Worker.VmIndex).ToList();
                taken.ForEach(slot => Take(slot, shape));
                return taken;
            }
        }

        return null;
    }

    /// <summary>The workers that could hold a shape if nothing else were there.</summary>
    public IEnumerable<WorkerSlot> SlotsFor(ResourceShape shape)
    {
        var choices = ChoicesFor(shape);
        return !choices.Largest.Holds(shape) ? [] : choices.Ranks.SelectMany(blocks => blocks).SelectMany(block => block.Slots).Where(slot => Room.Whole(slot.Worker).Holds(shape));
    }

    private static WorkerSlot? LeastLoaded(SlotBlock[] blocks, ResourceShape shape, long avoid, long end, Func<WorkerSlot, bool>? may, ref WorkerSlot? fallback)
    {
        WorkerSlot? best = null;
        foreach (var block in blocks)
        {
            if (!block.MayHaveRoomFor(shape) || best is not null && block.LeastLoad >= best.Load)
            {
                continue;
            }

            foreach (var slot in block.Slots)
            {
                if (!slot.HasRoomFor(shape, end) || best is not null && slot.Load >= best.Load || may?.Invoke(slot) == false)
                {
                    continue;
                }

                if (slot.Worker.Uid == avoid)
                {
                    fallback = slot;
                }
                else
                {
                    best = slot;
                }
            }
        }

        return best;
    }

    private void Add(WorkerRecord worker)
    {
        var kind = Kind.Of(worker);
        if (!_kinds.TryGetValue(kind, out var blocks))
        {
            _kinds[kind] = blocks = [];
        }

        if (blocks.Count == 0 || blocks[^1].IsFull)
        {
            blocks.Add(new SlotBlock());
        }

        var slot = blocks[^1].Add(worker);
        _slots[worker.Uid] = slot;
        if (worker.VmUid != 0 && worker.Traits.Capacity.Tpus > 0)
        {
            if (!_slices.TryGetValue(worker.VmUid, out var slice))
            {
                _slices[worker.VmUid] = slice = [];
            }

            slice.Add(slot);
        }

        _withRoom += slot.Free.Jobs > 0 ? 1 : 0;
    }

    /// <summary>The workers of the right kinds, the best ones first: plain ones before those with devices, preemptible ones for those who may.</summary>
    private Choices ChoicesFor(ResourceShape shape)
    {
        var wish = Wish.Of(shape);
        if (!_choices.TryGetValue(wish, out var choices))
        {
            var ranks = _kinds.Values
                .Where(blocks => blocks[0].Slots[0].Worker.IsOfAKindFor(shape))
                .GroupBy(blocks => Rank(blocks[0].Slots[0].Worker.Traits.Capacity, shape))
                .OrderBy(rank => rank.Key)
                .Select(rank => rank.SelectMany(blocks => blocks).ToArray())
                .ToArray();
            var wholes = ranks.SelectMany(blocks => blocks).SelectMany(block => block.Slots).Select(slot => Room.Whole(slot.Worker));
            _choices[wish] = choices = new Choices(ranks, wholes.Aggregate(default(Room), Room.Most));
        }

        return choices;
    }

    private static int Rank(ResourceShape capacity, ResourceShape shape) =>
        (capacity.HasDevice && !shape.HasDevice ? 2 : 0) + (capacity.Preemptible == shape.Preemptible ? 0 : 1);

    /// <summary>All of a worker that decides whether a request may go there at all, but for its size.</summary>
    private readonly record struct Kind(string GpuVariant, string TpuVariant, bool Preemptible, bool Container, string Region)
    {
        public static Kind Of(WorkerRecord worker)
        {
            var capacity = worker.Traits.Capacity;
            return new Kind(capacity.Gpus > 0 ? capacity.GpuVariant : "", capacity.TpuVariant, capacity.Preemptible, capacity.Container, worker.Traits.Region);
        }
    }

    /// <summary>All of a request that decides the same.</summary>
    private readonly record struct Wish(string GpuVariant, string TpuVariant, bool Preemptible, bool Container, string Regions)
    {
        public static Wish Of(ResourceShape shape) => new(shape.Gpus > 0 ? shape.GpuVariant : "", shape.TpuVariant, shape.Preemptible, shape.Container, shape.Regions);
    }

    /// <param name="Ranks">Blocks of equally good workers, the best first.</param>
    /// <param name="Largest">No worker of them has more of anything.</param>
    private sealed record Choices(SlotBlock[][] Ranks, Room Largest);
}
