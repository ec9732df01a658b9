namespace Fluster.Controller;

/// <summary>Finds the attempts of lower priorities whose end makes room for a task: the lowest first, then the youngest, and no more than needed.</summary>
internal sealed class Preempting(ClusterState state, Capacity capacity)
{
    private readonly HashSet<Fence> _chosen = [];

    /// <summary>Chooses where, and who has to go there; null: nothing of a lower priority is in the way.</summary>
    public (WorkerSlot Slot, IReadOnlyList<Fence> Victims)? For(JobRecord job)
    {
        var shape = job.Terms.Shape;
        (WorkerSlot Slot, List<Fence> Victims)? best = null;
        foreach (var slot in capacity.SlotsFor(shape))
        {
            if (VictimsOn(slot, job) is { } victims && (best is not { } other || IsBetter(victims, other.Victims)))
            {
                best = (slot, victims);
            }
        }

        if (best is { } found)
        {
            _chosen.UnionWith(found.Victims);
            return found;
        }

        return null;
    }

    private List<Fence>? VictimsOn(WorkerSlot slot, JobRecord job)
    {
        var free = slot.Free;
        var lower = new List<(JobRecord Job, Fence Fence)>();
        foreach (var fence in slot.Worker.Held)
        {
            var attempt = state.Attempt(fence)!;
            var holder = state.Jobs.Find(attempt.JobUid)!;
            if (!attempt.IsLive || attempt.IsStopping || _chosen.Contains(fence))
            {
                free = free.With(holder.Terms.Shape); // it ends soon without us
            }
            else if (PreemptionRules.IsBelow(holder, job))
            {
                lower.Add((holder, fence));
            }
        }

        // A member of a gang takes all of its gang with it: rather not.
        var order = lower.OrderBy(held => held.Job.Terms.Priority).ThenBy(held => held.Job.Terms.HasGangs).ThenByDescending(held => held.Fence).ToList();
        var victims = new List<(JobRecord Job, Fence Fence)>();
        foreach (var held in order)
        {
            if (free.Holds(job.Terms.Shape))
            {
                break;
            }

            victims.Add(held);
            free = free.With(held.Job.Terms.Shape);
        }

        if (!free.Holds(job.Terms.Shape))
        {
            return null;
        }

        foreach (var held in victims.ToArray())
        {
            if (free.With(held.Job.Terms.Shape, -1) is var without && without.Holds(job.Terms.Shape))
            {
                victims.Remove(held);
                free = without;
            }
        }

        return [.. victims.Select(held => held.Fence)];
    }

    /// <summary>Fewer, and lower ones. Of equals the first stays.</summary>
    private bool IsBetter(List<Fence> left, List<Fence> right) =>
        (Highest(left), left.Count).CompareTo((Highest(right), right.Count)) < 0;

    private JobPriority Highest(List<Fence> victims) =>
        victims.Count == 0 ? default : victims.Max(fence => state.Jobs.Find(state.Attempt(fence)!.JobUid)!.Terms.Priority ?? JobPriority.Interactive);
}
