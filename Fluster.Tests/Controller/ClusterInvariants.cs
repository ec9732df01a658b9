using Fluster.Cluster;
using Fluster.Controller;
using Assert = Fluster.Tests.InvariantAssert;

namespace Fluster.Tests;

/// <summary>What holds after every step, whatever the inputs were (architecture section 7).</summary>
internal static class ClusterInvariants
{
    /// <param name="before">The state before the step.</param>
    /// <param name="after">The state after it.</param>
    /// <param name="settled">No step waits to be gone on with.</param>
    /// <param name="now">Cluster time of the step.</param>
    public static void Check(ClusterState before, ClusterState after, bool settled, long now)
    {
        FinalStatesStay(before, after);
        FencesGrow(before, after);
        CapacityIsWhatIsHeld(after);
        JobsAreWhereTheirTasksAre(after);
        EndpointsHaveLiveOwners(after);
        RetriesAreCountedOnce(after);
        ChildrenBelongToLiveAttempts(after, settled);
        PlacedWhereWorkIsTaken(before, after, now);
        TombstonesKeepJobsOut(before, after, now);
        GangsAreWhole(after);
        GangsShareNoWorker(before, after);
        NextAttemptsWaitForTheLast(before, after, now);
        VmInvariants.Check(before, after);
    }

    private static void FinalStatesStay(ClusterState before, ClusterState after)
    {
        foreach (var job in before.Jobs.Ascending().Where(job => job.State.IsTerminal))
        {
            var now = after.Jobs.Find(job.Uid);
            Assert.True(now is null || now.State == job.State && now.Failure == job.Failure, $"Job {job.Id} was {job.State} and is {now?.State}.");
        }

        foreach (var task in before.Tasks.Ascending().Where(task => task.State.IsTerminal && after.Jobs.Find(task.JobUid) is not null))
        {
            Assert.True(after.Tasks.Find(task.Uid)?.State == task.State, $"Task {task.Uid} was {task.State}.");
        }

        foreach (var job in before.Jobs.Ascending().Where(job => after.Jobs.Find(job.Uid) is null))
        {
            Assert.True(job.State.IsTerminal && Enumerable.Range(0, job.Terms.Replicas).All(index => after.TaskOf(job, index) is null), $"Job {job.Id} was {job.State} and is gone.");
            Assert.DoesNotContain(after.Attempts.Ascending(), attempt => attempt.JobUid == job.Uid);
            Assert.DoesNotContain(before.Attempts.Ascending(), attempt => attempt.JobUid == job.Uid && !attempt.Dead);
        }

        foreach (var attempt in before.Attempts.Ascending().Where(attempt => !attempt.IsLive && after.Jobs.Find(attempt.JobUid) is not null))
        {
            var now = after.Attempts.Find(attempt.Uid);
            Assert.True(now is not null && now.State == attempt.State && (now.Dead || !attempt.Dead), $"Attempt {attempt.Fence} was {attempt.State}, dead: {attempt.Dead}.");
        }
    }

    private static void FencesGrow(ClusterState before, ClusterState after)
    {
        foreach (var attempt in after.Attempts.Ascending().Where(attempt => before.Attempts.Find(attempt.Uid) is null))
        {
            Assert.True(attempt.Uid >= before.Meta.NextAttempt && attempt.Fence.Epoch >= before.Meta.Epoch && attempt.Fence.Epoch <= after.Meta.Epoch, $"Fence {attempt.Fence} was given before.");
        }

        foreach (var task in after.Tasks.Ascending())
        {
            Assert.True(task.Attempts.SequenceEqual(task.Attempts.Order()), $"The attempts of task {task.Uid} are not in order.");
            var live = task.Attempts.Where(fence => after.Attempt(fence)!.IsLive).ToList();
            Assert.True(live.Count <= 1, $"Task {task.Uid} has {live.Count} live attempts.");
            Assert.True(task.Current == (live.Count == 1 ? live[0] : default), $"Task {task.Uid} is {task.State} with {live.Count} live attempts.");
        }
    }

    private static void CapacityIsWhatIsHeld(ClusterState state)
    {
        foreach (var worker in state.Workers.Ascending())
        {
            var held = state.Attempts.Ascending().Where(attempt => attempt.WorkerUid == worker.Uid && !attempt.Dead).ToList();
            var used = held.Aggregate(default(ResourceUse), (sum, attempt) => sum.Plus(state.Jobs.Find(attempt.JobUid)!.Terms.Shape, attempt.Gpus));
            var capacity = worker.Traits.Capacity;
            Assert.Equal(held.Select(attempt => attempt.Fence), worker.Held);
            Assert.Equal(used, worker.Used);
            Assert.True(
                used.CpuMillis <= capacity.CpuMillis && used.MemoryBytes <= capacity.MemoryBytes && used.DiskBytes <= capacity.DiskBytes && used.Tpus <= capacity.Tpus && held.Count <= worker.Traits.MaxConcurrentJobs,
                $"Worker {worker.Id} has {capacity} and holds {used} in {held.Count} attempts.");
            Assert.All(held, attempt => Assert.Equal(state.Jobs.Find(attempt.JobUid)!.Terms.Shape.Gpus, attempt.Gpus.Count));
            Assert.True(
                used.Gpus.Count == held.Sum(attempt => attempt.Gpus.Count) && used.Gpus.Without(GpuSet.First(capacity.Gpus)).IsEmpty,
                $"Worker {worker.Id} has {capacity.Gpus} GPUs, and its attempts have {string.Join(" + ", held.Select(attempt => $"[{attempt.Gpus}]"))}.");
        }
    }

    private static void JobsAreWhereTheirTasksAre(ClusterState state)
    {
        foreach (var job in state.Jobs.Ascending())
        {
            var tasks = Enumerable.Range(0, job.Terms.Replicas).Select(index => state.TaskOf(job, index)?.State ?? JobState.Pending).ToList();
            Assert.Equal(tasks.Count(task => task == JobState.Building), job.Building);
            Assert.Equal(tasks.Count(task => task == JobState.Running), job.Running);
            Assert.Equal(tasks.Count(task => task == JobState.Succeeded), job.Succeeded);
            Assert.Equal(tasks.Count(task => task.IsTerminal && task != JobState.Succeeded), job.Ended);
            var live = job.Building + job.Running;
            if (job.IsLive)
            {
                Assert.Equal(job.Running > 0 ? JobState.Running : job.Building > 0 ? JobState.Building : JobState.Pending, job.State);
                Assert.True(!job.Stopping || live > 0, $"Job {job.Id} is stopping and has nothing to wait for.");
                Assert.True(job.Succeeded < job.Terms.Replicas || job.Stopping, $"Job {job.Id} is {job.State} and all its tasks have succeeded.");
            }
            else
            {
                Assert.True(live == 0, $"Job {job.Id} is {job.State} and has {live} live attempts.");
                Assert.Equal(job.State == JobState.Succeeded, job.Failure is null);
                Assert.True(job.State != JobState.Succeeded || job.Succeeded == job.Terms.Replicas, $"Job {job.Id} has succeeded with {job.Succeeded} of its tasks.");
            }
        }
    }

    private static void RetriesAreCountedOnce(ClusterState state)
    {
        foreach (var task in state.Tasks.Ascending())
        {
            var job = state.Jobs.Find(task.JobUid)!;
            var ended = job.Terms.HasGangs ? FallenGenerations(state, job, task) : task.Attempts.Count(fence => state.Attempt(fence) is { IsLive: false });
            if (job is { IsLive: true, Stopping: false, Terms.HasGangs: false })
            {
                Assert.Equal((EndedFor(state, task, Retry.Failure), EndedFor(state, task, Retry.Loss)), (task.Failures, task.Losses));
            }

            Assert.True(task.Failures + task.Losses <= ended && task.FreeInARow <= ended, $"Task {task.Uid} has {ended} ended attempts and counts {task.Failures} failures and {task.Losses} losses.");
        }
    }

    private static int EndedFor(ClusterState state, TaskRecord task, Retry budget) =>
        task.Attempts.Count(fence => state.Attempt(fence) is { IsLive: false, Failure: { } failure } && Failures.BudgetFor(failure) == budget);

    /// <summary>A gang counts one for each of its generations in which a member did not succeed, however many members that were.</summary>
    private static int FallenGenerations(ClusterState state, JobRecord job, TaskRecord task)
    {
        var first = task.Index - task.Index % job.Terms.GangSize;
        var members = Enumerable.Range(first, job.Terms.GangSize).Select(index => state.TaskOf(job, index)).ToList();
        return Enumerable.Range(0, task.Attempts.Length).Count(generation => members.Exists(
            member => member is not null && generation < member.Attempts.Length && state.Attempt(member.Attempts[generation]) is { IsLive: false, State: not JobState.Succeeded }));
    }

    private static void EndpointsHaveLiveOwners(ClusterState state) => Assert.All(
        state.Endpoints.All,
        endpoint => Assert.True(
            endpoint.Owner.Registration is { } id
                ? endpoint.Owner.Fence.IsNone && state.Registrations.Ascending().Any(registration => registration.Id == id && !registration.Ended && registration.Namespace == endpoint.Namespace)
                : state.Attempt(endpoint.Owner.Fence) is { IsLive: true },
            $"Endpoint {endpoint.Id} has outlived its owner."));

    private static void ChildrenBelongToLiveAttempts(ClusterState state, bool settled)
    {
        foreach (var task in state.Tasks.Ascending())
        {
            var children = state.Jobs.Ascending().Count(job => job.IsLive && task.Attempts.Contains(job.ParentFence));
            Assert.Equal(children, task.LiveChildren);
        }

        foreach (var child in state.Jobs.Ascending().Where(job => settled && job is { IsLive: true, Stopping: false, ParentUid: > 0 }))
        {
            var parent = state.Jobs.Find(child.ParentUid)!;
            var attempt = state.Attempt(child.ParentFence)!;
            var task = state.TaskOf(parent, attempt.TaskIndex)!;
            var counts = attempt.State == JobState.Succeeded && task.Attempts[^1] == attempt.Fence && (task.State == JobState.Succeeded || task.Part == GangPart.Arrived);
            Assert.True(
                !parent.Stopping && (attempt.IsLive || counts && parent.Terms.KeepChildren),
                $"Job {child.Id} goes on, and its parent's attempt is {attempt.State} (job {parent.State}).");
        }
    }

    private static void TombstonesKeepJobsOut(ClusterState before, ClusterState after, long now)
    {
        foreach (var tombstone in before.Tombstones.Ascending().Where(tombstone => tombstone.Until > now))
        {
            Assert.DoesNotContain(
                after.Jobs.Descending().TakeWhile(job => job.Uid >= before.Meta.NextJob),
                job => job.Id == tombstone.Id && (tombstone.Namespace is null || tombstone.Namespace == job.Namespace));
        }
    }

    private static void PlacedWhereWorkIsTaken(ClusterState before, ClusterState after, long now) => Assert.All(
        New(before, after),
        attempt => Assert.True(before.Workers.Find(attempt.WorkerUid)!.TakesWork(now), $"{attempt.Fence} was placed on a worker that takes no work."));

    /// <summary>All members of a gang are in the same generation, have used the same of their budgets, and succeed in the same step.</summary>
    private static void GangsAreWhole(ClusterState state)
    {
        foreach (var job in state.Jobs.Ascending())
        {
            for (var first = 0; job.Terms.HasGangs && first < job.Terms.Replicas; first += job.Terms.GangSize)
            {
                var members = Enumerable.Range(first, job.Terms.GangSize).Select(index => state.TaskOf(job, index)).ToList();
                Assert.True(members.TrueForAll(member => member is null) || members.TrueForAll(member => member is not null), $"Half of a gang of {job.Id} was placed.");
                Assert.True(members.Select(member => member?.Attempts.Length).Distinct().Count() == 1, $"The members of a gang of {job.Id} are in several generations.");
                var succeeded = members.Count(member => member?.State == JobState.Succeeded);
                Assert.True(succeeded == 0 || succeeded == members.Count, $"{succeeded} of {members.Count} members of a gang of {job.Id} have succeeded.");
                if (!job.Stopping && job.IsLive)
                {
                    var counts = members.Select(member => (member?.Failures, member?.Losses, member?.FreeInARow, member?.NotBefore)).Distinct();
                    Assert.True(counts.Count() == 1, $"The members of a gang of {job.Id} count differently: {string.Join(", ", counts)}.");
                }
            }
        }

        Assert.All(state.Tasks.Ascending().Where(task => task.Part == GangPart.Arrived), task =>
        {
            Assert.Equal(JobState.Running, task.State);
            Assert.Equal(JobState.Succeeded, state.Attempt(task.Attempts[^1])!.State);
        });
    }

    /// <summary>Of what was just placed, and has not died in the same commit: its worker holds no member of another gang.</summary>
    private static void GangsShareNoWorker(ClusterState before, ClusterState after)
    {
        foreach (var attempt in New(before, after).Where(attempt => !attempt.Dead && after.Jobs.Find(attempt.JobUid)!.Terms.HasGangs))
        {
            var gangs = after.Workers.Find(attempt.WorkerUid)!.Held.Select(fence => after.Attempt(fence)!)
                .Select(held => (Job: after.Jobs.Find(held.JobUid)!, held.TaskIndex))
                .Where(held => held.Job.Terms.HasGangs)
                .Select(held => (held.Job.Uid, held.TaskIndex / held.Job.Terms.GangSize))
                .Distinct();
            Assert.Single(gangs);
        }
    }

    /// <summary>What must not run twice at once is placed again only when the last attempt is dead, or was lost for a minute.</summary>
    private static void NextAttemptsWaitForTheLast(ClusterState before, ClusterState after, long now)
    {
        foreach (var attempt in New(before, after).Where(attempt => attempt.Number > 1))
        {
            var job = after.Jobs.Find(attempt.JobUid)!;
            var gang = attempt.TaskIndex - attempt.TaskIndex % job.Terms.GangSize;
            foreach (var index in job.Terms.HasGangs || job.Terms.Exclusive ? Enumerable.Range(gang, job.Terms.GangSize) : [])
            {
                var last = before.Attempt(before.TaskOf(job, index)!.Attempts[^1])!;
                var worker = before.Workers.Find(last.WorkerUid);
                Assert.True(
                    last.Dead || !last.IsLive && worker is { State: WorkerState.Lost } && now - worker.LostAt >= 60_000,
                    $"{attempt.Fence} of {job.Id} was placed, and {last.Fence} may still run on {last.Worker} ({worker?.State}).");
            }
        }
    }

    private static IEnumerable<AttemptRecord> New(ClusterState before, ClusterState after) =>
        after.Attempts.Descending().TakeWhile(attempt => attempt.Uid >= before.Meta.NextAttempt);
}
