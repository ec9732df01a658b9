using System.Collections.Immutable;

namespace Fluster.Controller;

/// <summary>What one pass of the scheduler decided.</summary>
internal sealed class SchedulingPlan
{
    public List<Placement> Placements { get; } = [];

    public List<ClusterInput.PlaceGang> Gangs { get; } = [];

    public List<ClusterInput.Preempt> Preemptions { get; } = [];

    /// <summary>Workers that are kept for a job, by worker.</summary>
    public Dictionary<long, Reservation> Reservations { get; } = [];

    /// <summary>Cluster time at which a task's back-off ends; none: <see cref="long.MaxValue"/>.</summary>
    public long NextDue { get; set; } = long.MaxValue;

    /// <summary>What the machine is asked to do: single tasks in pieces, each gang whole.</summary>
    public IEnumerable<ClusterInput> Inputs()
    {
        const int MostPerInput = 500;
        return Placements.Chunk(MostPerInput).Select(chunk => (ClusterInput)new ClusterInput.Place([.. chunk])).Concat(Gangs).Concat(Preemptions.Where(preemption => !preemption.Victims.IsEmpty));
    }
}

/// <summary>A worker is kept for a job until cluster time <paramref name="Until"/>; <see cref="long.MinValue"/>: nobody can say how long.</summary>
internal readonly record struct Reservation(long JobUid, long WorkerUid, long Until);

/// <summary>
/// One walk over everything that waits, in its order. The first job of a priority that has waited for five minutes and finds no room keeps
/// the workers on which it will fit first: whoever comes after it goes there only if it is done before that.
/// </summary>
internal sealed class SchedulingPass(ClusterState state, long now, Capacity capacity, Claims? claims)
{
    /// <summary>Milliseconds of waiting after which a job gets room kept for it.</summary>
    public const long Patience = 300_000;

    /// <summary>Each is a search over all workers; the next pass goes on.</summary>
    private const int MostPreemptions = 20;

    private readonly HashSet<JobPriority> _keeping = [];
    private readonly Preempting _preempting = new(state, capacity);

    public SchedulingPlan Plan { get; } = new() { NextDue = capacity.NextDue };

    /// <returns>Whether there may be room for another job with the same needs.</returns>
    public bool Place(JobRecord job) => job.Terms.HasGangs ? PlaceGangs(job) : PlaceTasks(job);

    private bool PlaceTasks(JobRecord job)
    {
        var left = job.Waiting;
        for (var index = 0; index < job.Terms.Replicas && left > 0; index++)
        {
            var task = state.TaskOf(job, index);
            if (task is { State: not JobState.Pending })
            {
                continue;
            }

            left--;
            if (!IsReady(Readiness.Of(state, job, index)))
            {
                continue;
            }

            var claimed = claims?.WorkerOf(job, index) is { } worker and not 0 ? capacity.Find(worker) : null;
            if (claimed is not null)
            {
                capacity.GiveBack(claimed, job.Terms.Shape);
            }

            var last = task is { Attempts.IsEmpty: false } ? state.Attempt(task.Attempts[^1])?.WorkerUid ?? 0 : 0;
            if (capacity.Take(job.Terms.Shape, last, EndOf(job)) is not { } slot)
            {
                if (claimed is not null)
                {
                    capacity.Take(claimed, job.Terms.Shape); // not free yet
                    continue;
                }

                if (claims is not null && Preempt(job, index, claims))
                {
                    continue;
                }

                Keep(job, task?.NotBefore ?? job.QueuedAt, left + 1);
                return false;
            }

            slot.Begin(job.Terms.Shape, EndOf(job));
            Plan.Placements.Add(new Placement(job.Uid, index, slot.Worker.Uid));
        }

        return true;
    }

    /// <summary>Makes room for a task by stopping others, and claims it.</summary>
    private bool Preempt(JobRecord job, int index, Claims claims)
    {
        if (Plan.Preemptions.Count >= MostPreemptions || _preempting.For(job) is not { } room)
        {
            return false;
        }

        capacity.Take(room.Slot, job.Terms.Shape);
        claims.Add(job, index, room.Slot);
        Plan.Preemptions.Add(new ClusterInput.Preempt(job.Uid, [.. room.Victims]));
        return true;
    }

    private bool PlaceGangs(JobRecord job)
    {
        var size = job.Terms.GangSize;
        for (var first = 0; first < job.Terms.Replicas; first += size)
        {
            // One that has a place, or has ended, is not pending; one that falls waits for all of its members.
            if (state.TaskOf(job, first) is { State: not JobState.Pending } || !IsReady(Readiness.OfGang(state, job, first)))
            {
                continue;
            }

            if (TakeGang(job, first) is not { } workers)
            {
                Keep(job, state.TaskOf(job, first)?.NotBefore ?? job.QueuedAt, size);
                return false;
            }

            Plan.Gangs.Add(new ClusterInput.PlaceGang(job.Uid, first, workers));
        }

        return true;
    }

    /// <summary>Takes room for all members, or none.</summary>
    private ImmutableArray<long>? TakeGang(JobRecord job, int first)
    {
        var size = job.Terms.GangSize;
        var taken = new List<WorkerSlot>(size);

        // The workers of a machine of several are a slice, and are taken together or not at all.
        while (taken.Count < size && job.Terms.SliceSize > 1 && capacity.TakeSlice(job.Terms.Shape, job.Terms.SliceSize, EndOf(job), MayHaveMember) is { } slice)
        {
            taken.AddRange(slice);
        }

        while (taken.Count < size && capacity.Take(job.Terms.Shape, 0, EndOf(job), slot => MayHaveMember(slot) && (job.Terms.SliceSize == 1 || slot.Worker.VmUid == 0)) is { } slot)
        {
            taken.Add(slot);
        }

        if (taken.Count < size)
        {
            taken.ForEach(slot => capacity.GiveBack(slot, job.Terms.Shape));
            return null;
        }

        foreach (var slot in taken)
        {
            slot.Gang = (job.Uid, first);
            slot.Begin(job.Terms.Shape, EndOf(job));
        }

        return [.. taken.Select(slot => slot.Worker.Uid)];

        bool MayHaveMember(WorkerSlot slot) =>
            (slot.Gang is not { } gang || gang == (job.Uid, first)) && !GangRules.IsTaken(slot.Worker, job, first, state.Attempt, state.Jobs.Find);
    }

    private bool IsReady(long time)
    {
        if (time <= now)
        {
            return true;
        }

        // What depends on an event instead is looked at again with that event.
        Plan.NextDue = Math.Min(Plan.NextDue, time);
        return false;
    }

    /// <summary>Keeps room for a job that has waited for long, if it is the first of its priority that does.</summary>
    /// <param name="job">The job, for which there is no room now.</param>
    /// <param name="since">Cluster time since which it waits.</param>
    /// <param name="tasks">How many of its tasks want a place.</param>
    private void Keep(JobRecord job, long since, int tasks)
    {
        var priority = job.Terms.Priority ?? JobPriority.Interactive;
        if (now - since < Patience || _keeping.Contains(priority))
        {
            return;
        }

        var shape = job.Terms.Shape;
        var first = capacity.SlotsFor(shape)
            .Where(slot => slot.ReservedFor == 0)
            .Select(slot => (Slot: slot, Time: FitsAt(slot, job)))
            .OrderBy(fit => fit.Time)
            .ThenBy(fit => fit.Slot.Load)
            .ThenBy(fit => fit.Slot.Worker.Uid);
        foreach (var (slot, time) in first)
        {
            if (tasks <= 0)
            {
                break;
            }

            // When nobody can say, nobody can be done before.
            var until = time == long.MaxValue ? long.MinValue : time;
            slot.Reserve(job.Uid, until);
            Plan.Reservations[slot.Worker.Uid] = new Reservation(job.Uid, slot.Worker.Uid, until);
            _keeping.Add(priority);
            tasks -= (int)Math.Max(1, Room.Whole(slot.Worker).Times(shape));
        }
    }

    /// <summary>Cluster time at which a task of the job has room on a worker, when all that runs there takes as long as it may.</summary>
    private long FitsAt(WorkerSlot slot, JobRecord job)
    {
        var held = new List<(long End, ResourceShape Shape)>(slot.Begun);
        var earliest = now;
        foreach (var fence in slot.Worker.Held)
        {
            var attempt = state.Attempt(fence)!;
            var holder = state.Jobs.Find(attempt.JobUid)!;
            held.Add((EndOf(attempt), holder.Terms.Shape));

            // Two gangs never share a worker, whatever room there is.
            earliest = job.Terms.HasGangs && holder.Terms.HasGangs ? Math.Max(earliest, EndOf(attempt)) : earliest;
        }

        held.Sort((left, right) => left.End.CompareTo(right.End));
        var free = slot.Free;
        if (free.Holds(job.Terms.Shape))
        {
            return earliest;
        }

        foreach (var (end, shape) in held)
        {
            free = free.With(shape);
            if (free.Holds(job.Terms.Shape))
            {
                return Math.Max(earliest, end);
            }
        }

        return earliest;
    }

    /// <summary>The latest end of an attempt; unknown: <see cref="long.MaxValue"/>.</summary>
    private long EndOf(AttemptRecord attempt) => attempt switch
    {
        { IsLive: false } or { IsStopping: true } => now,
        { ExecutionDue: > 0 } => attempt.ExecutionDue,
        _ => EndOf(state.Jobs.Find(attempt.JobUid)!),
    };

    private long EndOf(JobRecord job) => job.Terms.ExecutionTimeout > 0 ? now + job.Terms.ExecutionTimeout : long.MaxValue;
}
