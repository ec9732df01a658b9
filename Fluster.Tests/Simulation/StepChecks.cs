using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>What must hold of a single step: what is done in one step, and what only after another, cannot be seen from one commit to the next.</summary>
internal sealed class StepChecks(SimulatedWorld world)
{
    private readonly StepCounts _counts = new(world.Figures);

    /// <summary>The same rules, watched.</summary>
    public StepRule Around(StepRule rule) => (view, input, now) =>
    {
        var result = rule(view, input, now);
        _counts.Count(view, input, result);
        if (result.Rejection is not null)
        {
            return result;
        }

        world.Checks.Registrations.Stepped(view, input, result);
        foreach (var (uid, attempt) in result.Changes.Attempts.Records)
        {
            var before = view.Attempt(uid);
            if (before is null && view.Job(attempt.JobUid) is { } job && (job.Terms.HasGangs || job.Terms.Exclusive))
            {
                GangIsPlacedWhole(result.Changes, job, attempt);
                LastAttemptIsGone(view, job, attempt, now);
            }

            if (input is ClusterInput.Preempt preempt && before is { StopCause: null } && attempt.StopCause is not null)
            {
                LowerGivesWay(view.Job(attempt.JobUid)!, view.Job(preempt.ForJob)!);
            }
        }

        return result;
    };

    /// <summary>All members of a gang are placed in one step, or none is.</summary>
    private static void GangIsPlacedWhole(ClusterChanges changes, JobRecord job, AttemptRecord attempt)
    {
        var placed = 0;
        foreach (var (_, other) in changes.Attempts.Records)
        {
            placed += other.JobUid == job.Uid && other.Number == attempt.Number && IsOfGang(job, other.TaskIndex, attempt.TaskIndex) ? 1 : 0;
        }

        Require(placed == job.Terms.GangSize, $"{placed} of the {job.Terms.GangSize} members of a gang of {job.Id} were placed: attempt {attempt.Number}.");
    }

    /// <summary>A generation of a gang begins when no process of the last one can be left; so does an attempt of an exclusive task.</summary>
    private void LastAttemptIsGone(ClusterView view, JobRecord job, AttemptRecord attempt, ClusterNow now)
    {
        if (view.Task(job.FirstTask + attempt.TaskIndex) is not { Attempts: [.., var fence] })
        {
            return;
        }

        var last = view.Attempt(fence.Counter)!;
        var worker = view.Worker(last.WorkerUid)!;
        Require(
            last.Dead || !last.IsLive && worker.State == WorkerState.Lost && now.Time - worker.LostAt >= 60_000,
            $"{attempt.Fence} of {job.Id} was placed, and {last.Fence} may still run on {worker.Id}, which is {worker.State}.");
        world.Figures.Count((job.Terms.HasGangs, last.Dead) switch
        {
            (true, true) => SimulatedEvent.GangPlacedAgain,
            (true, false) => SimulatedEvent.GangPlacedAfterLoss,
            (false, true) => SimulatedEvent.ExclusiveTriedAgain,
            _ => SimulatedEvent.ExclusiveTriedAgainAfterLoss,
        });
    }

    private static void LowerGivesWay(JobRecord victim, JobRecord job) => Require(
        (victim.Terms.Priority ?? JobPriority.Interactive) < (job.Terms.Priority ?? JobPriority.Interactive),
        $"{victim.Id} ({victim.Terms.Priority}) had to give way to {job.Id} ({job.Terms.Priority}).");

    private static bool IsOfGang(JobRecord job, int left, int right) => left / job.Terms.GangSize == right / job.Terms.GangSize;

    private static void Require(bool condition, string why)
    {
        if (!condition)
        {
            throw new InvariantViolatedException(why);
        }
    }
}
