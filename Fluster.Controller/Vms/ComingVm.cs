namespace Fluster.Controller;

/// <summary>A machine that is being made, or is about to be asked for, as the planner fills it. Only for one pass.</summary>
internal sealed class ComingVm
{
    private readonly WorkerRecord _worker; // as each of its workers will be
    private readonly int _workers;
    private Room _free;

    /// <param name="name">For people.</param>
    /// <param name="traits">What each of its workers will say of itself.</param>
    /// <param name="workers">How many.</param>
    public ComingVm(VmId name, WorkerTraits traits, int workers)
    {
        _worker = new WorkerRecord { Uid = 0, Id = WorkerId.Parse(name.ToString()), Incarnation = 0, Traits = traits };
        _workers = workers;
        _free = Room.Whole(_worker);
    }

    /// <summary>The gang of which the pass has put a member here.</summary>
    public (long JobUid, int FirstTask)? Gang { get; private set; }

    /// <summary>Whether a task could run there at all.</summary>
    public bool CouldHold(ResourceShape shape, int sliceSize) => _workers == sliceSize && _worker.CouldEverHold(shape);

    /// <summary>Takes room for one task.</summary>
    /// <param name="shape">What it needs.</param>
    /// <param name="gang">The gang that it belongs to; null: none.</param>
    public bool Take(ResourceShape shape, (long JobUid, int FirstTask)? gang)
    {
        if (!CouldHold(shape, 1) || !_free.Holds(shape) || gang is not null && Gang is not null && Gang != gang)
        {
            return false;
        }

        _free = _free.With(shape, -1);
        Gang ??= gang;
        return true;
    }

    /// <summary>Takes a whole slice.</summary>
    public bool TakeSlice(ResourceShape shape, int size, (long JobUid, int FirstTask) gang)
    {
        if (!CouldHold(shape, size) || Gang is not null)
        {
            return false;
        }

        Gang = gang;
        return true;
    }

    /// <summary>As it is now, to come back to.</summary>
    public Action Keep()
    {
        var (free, gang) = (_free, Gang);
        return () => (_free, Gang) = (free, gang);
    }
}
