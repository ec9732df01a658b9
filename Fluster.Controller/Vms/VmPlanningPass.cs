namespace Fluster.Controller;

/// <summary>One walk over all that waits, to see what there is no room for.</summary>
internal sealed class VmPlanningPass
{
    /// <summary>The next pass goes on.</summary>
    private const int MostWishes = 200;

    private readonly ClusterState _state;
    private readonly long _now;
    private readonly Capacity _capacity;
    private readonly VmOffers _offers;
    private readonly Func<VmSource, VmId> _newId;
    private readonly Func<Guid> _newRequest;
    private readonly List<ComingVm> _coming = [];
    private readonly HashSet<long> _used = [];
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    public VmPlanningPass(ClusterState state, long now, Capacity capacity, VmOffers offers, Func<VmSource, VmId> newId, Func<Guid> newRequest)
    {
        (_state, _now, _capacity, _offers, _newId, _newRequest) = (state, now, capacity, offers, newId, newRequest);
        Plan.NextDue = capacity.NextDue;
        foreach (var vm in state.Vms.Ascending())
        {
            _counts[vm.Backend] = _counts.GetValueOrDefault(vm.Backend) + 1;
            if (vm.IsComing && offers.Sources.FirstOrDefault(source => source.Name == vm.Backend) is { } source)
            {
                _coming.Add(new ComingVm(vm.Id, source.TraitsOf(vm.Traits), vm.Workers.Length));
            }
        }
    }

    public VmPlan Plan { get; } = new();

    /// <summary>Asks for the machines that are always to be there.</summary>
    public void KeepLeast()
    {
        foreach (var source in _offers.Sources.Where(source => source.Min > 0))
        {
            var shape = source.Least.ToWire().ToShape();
            var there = _state.Vms.Ascending().Count(vm => vm.IsWanted && vm.Backend == source.Name);
            for (var missing = source.Min - there; missing > 0 && Ask(source, shape, source.LeastWorkers, job: 0) is not null; missing--)
            {
            }
        }
    }

    /// <returns>Whether there may be room, or a machine, for another job with the same needs.</returns>
    public bool Place(JobRecord job) => job.Terms.HasGangs ? PlaceGangs(job) : PlaceTasks(job);

    /// <summary>Finds the machines that have done nothing for long enough, and for which nothing is about to come.</summary>
    public void FindIdle()
    {
        foreach (var source in _offers.Sources)
        {
            var spare = _state.Vms.Ascending().Count(vm => vm.IsWanted && vm.Backend == source.Name) - source.Min;
            foreach (var vm in _state.Vms.Ascending().Where(vm => vm.IdleSince > 0 && vm.Backend == source.Name && !_used.Contains(vm.Uid)))
            {
                var due = vm.IdleSince + vm.IdleFor;
                if (due > _now)
                {
                    Due(due);
                }
                else if (spare-- > 0)
                {
                    Plan.Idle.Add(vm.Uid);
                }
            }
        }
    }

    private bool PlaceTasks(JobRecord job)
    {
        var (shape, left) = (job.Terms.Shape, job.Waiting);
        for (var index = 0; index < job.Terms.Replicas && left > 0; index++)
        {
            if (_state.TaskOf(job, index) is { State: not JobState.Pending })
            {
                continue;
            }

            left--;
            if (!IsReady(Readiness.Of(_state, job, index)))
            {
                continue;
            }

            if (_capacity.Take(shape) is { } slot)
            {
                _used.Add(slot.Worker.VmUid);
            }
            else if (!_coming.Exists(vm => vm.Take(shape, gang: null)) && Ask(shape, 1, job.Uid)?.Take(shape, gang: null) != true)
            {
                return false;
            }
        }

        return true;
    }

    private bool PlaceGangs(JobRecord job)
    {
        for (var first = 0; first < job.Terms.Replicas; first += job.Terms.GangSize)
        {
            if (_state.TaskOf(job, first) is { State: not JobState.Pending } || !IsReady(Readiness.OfGang(_state, job, first)))
            {
                continue;
            }

            if (!PlaceGang(job, first))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Finds or asks for room for all members, or leaves everything as it was: half a gang is worth nothing.</summary>
    private bool PlaceGang(JobRecord job, int first)
    {
        var (shape, size) = (job.Terms.Shape, job.Terms.SliceSize);
        var gang = (job.Uid, first);
        var (wishes, coming) = (Plan.Wishes.Count, _coming.Count);
        var undo = _coming.ConvertAll(vm => vm.Keep());
        var slots = new List<WorkerSlot>();
        for (var placed = 0; placed < job.Terms.GangSize; placed += size)
        {
            if (size > 1 && _capacity.TakeSlice(shape, size, long.MaxValue, MayHaveMember) is { } slice)
            {
                slots.AddRange(slice);
            }
            else if (TakeLoose() is { Count: > 0 } loose)
            {
                slots.AddRange(loose);
            }
            else if (!_coming.Exists(Take) && (Ask(shape, size, job.Uid) is not { } asked || !Take(asked)))
            {
                slots.ForEach(taken => _capacity.GiveBack(taken, shape));
                undo.ForEach(step => step());
                foreach (var wish in Plan.Wishes.Skip(wishes))
                {
                    _counts[wish.Backend]--;
                }

                Plan.Wishes.RemoveRange(wishes, Plan.Wishes.Count - wishes);
                _coming.RemoveRange(coming, _coming.Count - coming);
                return false;
            }
        }

        foreach (var taken in slots)
        {
            taken.Gang = gang;
            _used.Add(taken.Worker.VmUid);
        }

        return true;

        // One worker, or for a slice as many as it has of those that somebody started.
        List<WorkerSlot> TakeLoose()
        {
            var taken = new List<WorkerSlot>(size);
            while (taken.Count < size && _capacity.Take(shape, may: slot => MayHaveMember(slot) && (size == 1 || slot.Worker.VmUid == 0)) is { } slot)
            {
                taken.Add(slot);
            }

            if (taken.Count < size)
            {
                taken.ForEach(slot => _capacity.GiveBack(slot, shape));
                taken.Clear();
            }

            return taken;
        }

        bool Take(ComingVm vm) => size > 1 ? vm.TakeSlice(shape, size, gang) : vm.Take(shape, gang);

        bool MayHaveMember(WorkerSlot slot) =>
            (slot.Gang is not { } other || other == gang) && !GangRules.IsTaken(slot.Worker, job, first, _state.Attempt, _state.Jobs.Find);
    }

    /// <summary>Asks the first backend that has something for a machine.</summary>
    private ComingVm? Ask(ResourceShape shape, int sliceSize, long job)
    {
        foreach (var source in _offers.Sources)
        {
            if (Ask(source, shape, sliceSize, job) is { } asked)
            {
                return asked;
            }
        }

        return null;
    }

    private ComingVm? Ask(VmSource source, ResourceShape shape, int sliceSize, long job)
    {
        if (_counts.GetValueOrDefault(source.Name) >= source.Max)
        {
            return null;
        }

        foreach (var offer in _offers.Of(source, shape, sliceSize))
        {
            if (VmOffers.BlockOf(_state, source, offer, _now) is { } block)
            {
                Due(block.Until);
                continue;
            }

            if (Plan.Wishes.Count >= MostWishes)
            {
                Due(_now + 1);
                return null;
            }

            var wish = new VmWish(_newId(source), _newRequest(), source.Name, VmSource.TraitsOf(offer))
            {
                Workers = offer.Workers,
                ForJob = job,
                BootTimeout = (long)source.Backend.BootTimeout.TotalMilliseconds,
                IdleFor = (long)source.Idle.TotalMilliseconds,
                Most = source.Max,
            };
            Plan.Wishes.Add(wish);
            _counts[source.Name] = _counts.GetValueOrDefault(source.Name) + 1;
            _coming.Add(new ComingVm(wish.Id, source.TraitsOf(wish.Traits), offer.Workers));
            return _coming[^1];
        }

        return null;
    }

    private bool IsReady(long time)
    {
        if (time > _now)
        {
            Due(time);
        }

        return time <= _now;
    }

    private void Due(long time) => Plan.NextDue = Math.Min(Plan.NextDue, time);
}
