using System.Collections.Immutable;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>What the rules remember is on the disk: after a new start they go on as if there had been none.</summary>
public class StoredRulesTests
{
    [Fact]
    public async Task GangsQuarantinesTombstonesAndTheArchive_OutliveARestart()
    {
        using var lab = new LoopLab();
        lab.Start();
        var worker = (await ApplyAsync(lab, new ClusterInput.Hello(
            WorkerId.Parse("w1"), 1, new WorkerTraits { Capacity = new ResourceShape { CpuMillis = 8_000 }, MaxConcurrentJobs = 8 }, []))).Subject;
        for (var i = 0; i < 3; i++)
        {
            var unlucky = await SubmitAsync(lab, $"unlucky-0000000{i}", new JobTerms { Name = "unlucky" });
            await ApplyAsync(lab, new ClusterInput.Place([new Placement(unlucky, 0, worker)]));
            if (i == 0)
            {
                // A worker in quarantine takes no gang, and a success sets the count back: it comes first.
                var gang = await SubmitAsync(lab, "gang-00000001", new JobTerms { Name = "gang", Replicas = 2, Coscheduled = true });
                await ApplyAsync(lab, new ClusterInput.PlaceGang(gang, 0, [worker, worker]));
                await EndAsync(lab, gang, worker, MachineLab.Success);
            }

            await EndAsync(lab, unlucky, worker, MachineLab.Failure(new JobFailure(FailureKind.ProgramNotFound, "no such program")));
        }

        var slices = await SubmitAsync(lab, "slices-00000001", new JobTerms { Name = "slices", Replicas = 4, SliceSize = 2 });
        await ApplyAsync(lab, new ClusterInput.TerminateUnknown(JobId.Parse("late-00000001"), null));
        await ApplyAsync(lab, new ClusterInput.ArchiveJobs(Keep: 1));
        var before = Text(lab.Loop.Current);

        lab.Reopen();
        lab.Start();
        var after = Text(lab.Loop.Current);
        var late = await Assert.ThrowsAsync<ClusterRejectedException>(() => SubmitAsync(lab, "late-00000001", new JobTerms { Name = "late" }));
        await ApplyAsync(lab, new ClusterInput.PlaceGang(slices, 0, [worker, worker]));

        Assert.Equal(before, after);
        Assert.Contains("Arrived", after, StringComparison.Ordinal);
        Assert.Equal(2, lab.Loop.Current.Jobs.Ascending().Count(job => job.Terms.HasGangs));
        Assert.Single(lab.Loop.Current.Jobs.Ascending(), job => job.Terms.Name == "unlucky");
        Assert.Equal(RejectionKind.FailedPrecondition, late.Rejection.Kind);
        Assert.Null(lab.Loop.Current.TaskOf(lab.Loop.Current.Jobs.Find(slices)!, 0)); // still in quarantine
        Assert.Equal(1, lab.Loop.Current.Workers.Find(worker)!.Quarantines);
    }

    private static Task<StepResult> ApplyAsync(LoopLab lab, ClusterInput input) => lab.Loop.ApplyAsync(input, CancellationToken.None);

    private static async Task<long> SubmitAsync(LoopLab lab, string id, JobTerms terms) =>
        (await lab.Loop.SubmitAsync(new ClusterInput.SubmitJob(JobId.Parse(id), id, Namespace.Default, terms, default, default, default), CancellationToken.None)).Subject;

    private static Task<StepResult> EndAsync(LoopLab lab, long job, long worker, AttemptOutcome outcome)
    {
        var fence = lab.Loop.Current.TaskOf(lab.Loop.Current.Jobs.Find(job)!, 0)!.Attempts[^1];
        return ApplyAsync(lab, new ClusterInput.Observe(worker, 1, MachineLab.Seen(fence, AttemptPhase.Ended, outcome), []));
    }

    private static string Text(ClusterState state) => string.Join('\n', (ImmutableArray<string>)
    [
        .. state.Jobs.Ascending().Select(job => $"{job.Id} {job.State} {job.Terms}"),
        .. state.Tasks.Ascending().Select(task => $"{task.Uid} {task.State} {task.Part} {task.Failures} {task.NotBefore} {string.Join(',', task.Attempts)}"),
        .. state.Attempts.Ascending().Select(attempt => $"{attempt.Fence} {attempt.State} {attempt.Dead}"),
        .. state.Workers.Ascending().Select(worker => $"{worker.Id} {worker.State} {worker.LostAt} {worker.Quarantines} {worker.QuarantinedUntil} {string.Join(',', worker.EarlyFailures)} {string.Join(',', worker.Held)}"),
        .. state.Tombstones.Ascending().Select(tombstone => $"{tombstone}"),
    ]);
}
