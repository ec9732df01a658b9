namespace Fluster.Controller;

/// <summary>
/// What is free on the workers during one pass of the scheduler. What the pass gives away is deducted at once. Workers of one kind (devices,
/// region, preemptible or not) stand together in blocks, so that looking for room touches few of them.
/// </summary>
internal sealed class Capacity
{
    private readonly Dictionary<Kind, List<SlotBlock>> _kinds = [];
    private readonly Dictionary<Wish, SlotBlock[][]> _choices = [];
    private int _withRoom;

    /// <param name="state">The state that the pass works on.</param>
    /// <param name="usable">Whether a worker can be reached and takes work.</param>
    public Capacity(ClusterState state, Func<long, bool> usable)
    {
        foreach (var worker in state.Workers.Ascending())
        {
            if (worker is { State: WorkerState.Alive, Draining: false } && usable(worker.Uid))
            {
                Add(new WorkerSlot(worker));
            }
        }
    }

    public bool IsFull => _withRoom == 0;

    /// <summary>Takes room for a task; null: there is none.</summary>
    /// <param name="shape">What it needs.</param>
    /// <param name="avoid">The worker where it ended before: taken only if there is no other. 0: none.</param>
    public WorkerSlot? Take(ResourceShape shape, long avoid)
    {
        (WorkerSlot Slot, SlotBlock Block)? fallback = null;
        foreach (var blocks in ChoicesFor(shape))
        {
            if (LeastLoaded(blocks, shape, avoid, ref fallback) is { } best)
            {
                return Take(best, shape);
            }
        }

        return fallback is { } last ? Take(last, shape) : null;
    }

    private static (WorkerSlot Slot, SlotBlock Block)? LeastLoaded(SlotBlock[] blocks, ResourceShape shape, long avoid, ref (WorkerSlot Slot, SlotBlock Block)? fallback)
    {
        (WorkerSlot Slot, SlotBlock Block)? best = null;
        foreach (var block in blocks)
        {
            if (!block.MayHaveRoomFor(shape) || best is not null && block.LeastLoad >= best.Value.Slot.Load)
            {
                continue;
            }

            foreach (var slot in block.Slots)
            {
                if (!slot.HasRoomFor(shape))
                {
                    continue;
                }

                if (slot.Worker.Uid == avoid)
                {
                    fallback = (slot, block);
                }
                else if (best is null || slot.Load < best.Value.Slot.Load)
                {
                    best = (slot, block);
                }
            }
        }

        return best;
    }

    private WorkerSlot Take((WorkerSlot Slot, SlotBlock Block) place, ResourceShape shape)
    {
        place.Slot.Take(shape);
        place.Block.Measure();
        if (place.Slot.FreeJobs == 0)
        {
            _withRoom--;
        }

        return place.Slot;
    }

    private void Add(WorkerSlot slot)
    {
        var kind = Kind.Of(slot.Worker);
        if (!_kinds.TryGetValue(kind, out var blocks))
        {
            _kinds[kind] = blocks = [];
        }

        if (blocks.Count == 0 || blocks[^1].IsFull)
        {
            blocks.Add(new SlotBlock());
        }

        blocks[^1].Add(slot);
        _withRoom += slot.FreeJobs > 0 ? 1 : 0;
    }

    /// <summary>The workers of the right kinds, the best ones first: plain ones before those with devices, preemptible ones for those who may.</summary>
    private SlotBlock[][] ChoicesFor(ResourceShape shape)
    {
        var wish = Wish.Of(shape);
        if (!_choices.TryGetValue(wish, out var choices))
        {
            _choices[wish] = choices =
            [
                .. _kinds.Values
                    .Where(blocks => blocks[0].Slots[0].Worker.IsOfAKindFor(shape))
                    .GroupBy(blocks => Rank(blocks[0].Slots[0].Worker.Traits.Capacity, shape))
                    .OrderBy(rank => rank.Key)
                    .Select(rank => rank.SelectMany(blocks => blocks).ToArray()),
            ];
        }

        return choices;
    }

    private static int Rank(ResourceShape capacity, ResourceShape shape) =>
        (capacity.HasDevice && !shape.HasDevice ? 2 : 0) + (capacity.Preemptible == shape.Preemptible ? 0 : 1);

    /// <summary>All of a worker that decides whether a request may go there at all, but for its size.</summary>
    private readonly record struct Kind(string GpuVariant, string TpuVariant, bool Preemptible, string Region)
    {
        public static Kind Of(WorkerRecord worker)
        {
            var capacity = worker.Traits.Capacity;
            return new Kind(capacity.Gpus > 0 ? capacity.GpuVariant : "", capacity.TpuVariant, capacity.Preemptible, worker.Traits.Region);
        }
    }

    /// <summary>All of a request that decides the same.</summary>
    private readonly record struct Wish(string GpuVariant, string TpuVariant, bool Preemptible, string Regions)
    {
        public static Wish Of(ResourceShape shape) => new(shape.Gpus > 0 ? shape.GpuVariant : "", shape.TpuVariant, shape.Preemptible, shape.Regions);
    }
}
