using Fluster.Cluster;
using Fluster.Controller;
using FsCheck;
using FsCheck.Fluent;

namespace Fluster.Tests;

/// <summary>What a job waits for, who has it, and the smallest change that would let it run.</summary>
public class ExplainerTests
{
    private readonly SchedulerLab _lab = new();

    [Fact]
    public void NoWorkers()
    {
        _lab.Submit("waits", 2);

        Expect(PendingCause.NoWorkers, "No worker is connected.", "Start a worker with 2 cores, 0 of memory.");
    }

    [Fact]
    public void AllWorkersAway_NamesThemAndWhy()
    {
        _lab.Worker("w1");
        _lab.Worker("w2", cpu: 1);
        _lab.Submit("waits", 2);
        Silent("w1", WorkerEvent.SilentForLong);

        Expect(PendingCause.Unavailable, "The only worker that could hold it takes no work: w1 is lost.", "Bring back w1, or start another worker like it.");
        Silent("w2", WorkerEvent.Silent);
        Expect(PendingCause.Unavailable, "The only worker that could hold it takes no work: w1 is lost.", "Bring back w1, or start another worker like it.");
        Assert.Equal(["is lost", "is silent"], Explain().Workers.Select(verdict => verdict.Reason));
    }

    [Fact]
    public void TooLarge_SaysHowMuchTheLargestHas_AndWhatWouldDo()
    {
        _lab.Worker("w1", cpu: 2, memory: "8g");
        _lab.Worker("w2", cpu: 4, memory: "1g");
        _lab.Submit("waits", new ResourceShape { CpuMillis = 8000, MemoryBytes = 1L << 30 });

        var explanation = Expect(
            PendingCause.TooLarge,
            "It needs 8 cores, and the largest worker has 4 cores.",
            "Ask for at most 4 cores, or start a worker with 8 cores, 1 GiB of memory.");
        Assert.Equal(4.0, explanation.Suggested!.Cpu);
        Assert.Equal(["has 2 cores, 8 GiB of memory", "has 4 cores, 1 GiB of memory"], explanation.Workers.Select(verdict => verdict.Reason));
    }

    [Fact]
    public void OtherDevice_SaysWhichAreThere()
    {
        _lab.Worker("plain");
        _lab.Worker("gpu", gpus: 4, gpu: "a100");
        _lab.Submit("waits", new ResourceShape { Gpus = 2, GpuVariant = "h100" });

        var explanation = Expect(
            PendingCause.Device,
            "It needs 2 GPUs h100, and the workers have 4 GPUs a100.",
            "Ask for GPUs a100 or \"auto\", or start a worker with 0 cores, 0 of memory, 2 GPUs h100.");
        Assert.Equal(new Device.Gpu("auto", 2), explanation.Suggested!.Device);
    }

    [Fact]
    public void NoContainerEngine_IsSaid_AndWhereOneIsButTooSmall()
    {
        _lab.Worker("w1", cpu: 8);
        _lab.Submit("waits", new ResourceShape { CpuMillis = 4000, Container = true });

        var explanation = Expect(
            PendingCause.ContainerEngine,
            "It runs in a container, and no worker has a container engine.",
            "Have a Docker Engine answer on w1, or start a worker with 4 cores, 0 of memory, a container engine.");
        Assert.Null(explanation.Suggested);
        Assert.Equal("has no container engine", Assert.Single(explanation.Workers).Reason);

        _lab.Worker("w2", cpu: 2, containers: true);
        Expect(
            PendingCause.TooLarge,
            "No worker has all of what it needs: 4 cores, 0 of memory, a container engine.",
            "Ask for at most 2 cores, or start a worker with 4 cores, 0 of memory, a container engine.");
    }

    [Fact]
    public void OtherRegion_And_Preemptible()
    {
        _lab.Worker("e", region: "east");
        _lab.Submit("waits", new ResourceShape { CpuMillis = 1, Regions = "north,west" });
        Expect(PendingCause.Region, "It may run in north or west, and the workers that could hold it are elsewhere (east).", "Allow region east, or start a worker with 0.001 cores, 0 of memory, region north or west.");

        _lab.Worker("spot", region: "west", preemptible: true);
        Expect(PendingCause.Region, "It may run in north or west, and the workers that could hold it are elsewhere (east).", "Allow region east, or start a worker with 0.001 cores, 0 of memory, region north or west.");
        _lab.Submit("careful", new ResourceShape { CpuMillis = 1, Regions = "west" });
        _lab.Machine.Apply(new ClusterInput.Silence(_lab.Machine.Worker("e")!.Uid, 1, WorkerEvent.Silent));

        Expect(
            PendingCause.Preemptible,
            "The workers that could hold it can be taken away at any moment, and it does not allow that.",
            "Allow preemptible machines, or start a worker with 0.001 cores, 0 of memory, region west.",
            "careful");
    }

    [Fact]
    public void InUse_NamesTheFewestThatHaveToEnd_AndWhatIsFree()
    {
        _lab.Worker("w1", cpu: 4);
        _lab.Worker("w2", cpu: 4);
        Busy("a", "w1", 1);
        Busy("b", "w1", 1);
        Busy("c", "w1", 1);
        Busy("d", "w2", 3);
        _lab.Submit("waits", 3);

        var explanation = Expect(
            PendingCause.Resources,
            "It needs 3 cores, 0 of memory, and the 2 workers that could hold it are in use.",
            "It runs when d on w2 ends, or if you ask for at most 1 core, which w1 has free.");
        var holder = Assert.Single(explanation.Holders);
        Assert.Equal(("d", "w2", 3.0, false), (holder.Job.ToString(), holder.Worker.ToString(), holder.Resources.Cpu, holder.Stopping));
        Assert.Equal(["has 1 core, 4 GiB of memory free", "has 1 core, 4 GiB of memory free"], explanation.Workers.Select(verdict => verdict.Reason));
    }

    [Fact]
    public void InUse_HoldersThatTheAskerMayNotSee_StayNameless()
    {
        _lab.Worker("w1", cpu: 1);
        Busy("secret", "w1", 1);
        _lab.Submit("waits", 1);

        var explanation = Explainer().Of(_lab.Job("waits"), job => job.Id.ToString() == "waits");

        Assert.Null(Assert.Single(explanation.Holders).Job);
        Assert.DoesNotContain("secret", explanation.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", explanation.Change, StringComparison.Ordinal);
    }

    [Fact]
    public void ConcurrencyLimit()
    {
        _lab.Worker("w1", cpu: 100, jobs: 1);
        Busy("a", "w1", 1);
        _lab.Submit("waits", 1);

        Expect(
            PendingCause.Concurrency,
            "Worker w1, which could hold it, runs as many jobs as it may (1).",
            "It runs when a on w1 ends, or when w1 may run more jobs at a time (MaxConcurrentJobs, now 1).");
    }

    [Fact]
    public void BackOff_SaysHowLongAndWhatHappened()
    {
        _lab.Worker("w1");
        _lab.Submit("waits", 1, terms => terms with { FailureRetries = 3 });
        _lab.Place("waits", "w1");
        _lab.End("waits", MachineLab.Exit(7));

        var explanation = Expect(PendingCause.BackOff, "Task 0 is tried again in 1 s (1 attempt so far; the last one: Exit code: 7).", null);
        Assert.Equal(TimeSpan.FromSeconds(1), explanation.Wait);
    }

    [Fact]
    public void ChildrenOfTheLastAttempt()
    {
        _lab.Worker("w1");
        _lab.Submit("waits", 1, terms => terms with { FailureRetries = 3 });
        _lab.Place("waits", "w1");
        _lab.Submit("waits/child", 1, by: _lab.Attempt("waits").Fence);
        _lab.Place("waits/child", "w1");
        _lab.End("waits", MachineLab.Exit(7));

        var explanation = Expect(PendingCause.Children, "Task 0 waits for 1 job that its last attempt submitted to end.", null);
        Assert.Equal("waits/child", Assert.Single(explanation.Holders).Job.ToString());
        Assert.True(Assert.Single(explanation.Holders).Stopping);
    }

    [Fact]
    public void Gangs_SayHowManyTasksHaveRoom()
    {
        _lab.Worker("w1", cpu: 2);
        _lab.Worker("w2", cpu: 2);
        _lab.Submit("waits", 1, terms => terms with { Replicas = 8, Coscheduled = true });
        Expect(
            PendingCause.GangTooLarge,
            "Its 8 tasks run at once, and when nothing else runs there is room for 4.",
            "Ask for at most 4 tasks, or start workers for 4 more, each with 1 core, 0 of memory.");

        _lab.Submit("fits", 1, terms => terms with { Replicas = 4, Coscheduled = true });
        Expect(PendingCause.Placing, "It is about to be placed.", null, "fits");
        Busy("a", "w1", 1);
        Expect(
            PendingCause.Gang,
            "Its 4 tasks run at once, and there is room for 3 of them now.",
            "It runs when there is room for 1 more: for example when a on w1 ends.",
            "fits");
    }

    [Fact]
    public void LastAttempt_OfAnExclusiveJob_MustBeGone()
    {
        _lab.Worker("w1");
        _lab.Worker("w2");
        _lab.Submit("waits", 1, terms => terms with { Exclusive = true });
        _lab.Place("waits", "w1");
        Silent("w1", WorkerEvent.SilentForLong);

        Expect(PendingCause.LastAttempt, "Task 0 waits until no process of its last attempt can be left on w1.", null);
    }

    [Fact]
    public void RoomThere_And_Running_And_Ended()
    {
        _lab.Worker("w1");
        _lab.Submit("waits", 1);
        Expect(PendingCause.Placing, "It is about to be placed.", null);

        _lab.Place("waits", "w1");
        Expect(PendingCause.None, "All its tasks have a place.", null);

        _lab.End("waits", MachineLab.Exit(3));
        Expect(PendingCause.None, "Exit code: 3", null);
    }

    [Fact]
    public void KeptForAnOlderJob()
    {
        _lab.Worker("w1");
        var older = _lab.Submit("older", 8);
        _lab.Submit("waits", 1);

        var explanation = new Explainer(_lab.State, _lab.Machine.Now, Obstacle, _ => older.Uid).Of(_lab.Job("waits"), _ => true);

        Assert.Equal(PendingCause.Reserved, explanation.Cause);
        Assert.Equal("w1 has room, and that is kept for a job that has waited longer.", explanation.Reason);
        Assert.Equal("older", Assert.Single(explanation.Holders).Job.ToString());
    }

    /// <summary>Doing what an explanation suggests helps: what was too large fits some worker, what waits for others has room now.</summary>
    [Fact]
    public void Suggestions_LetItRun() => Prop
        .ForAll(
            Gen.Choose(0, int.MaxValue - 1).ArrayOf(30).ToArbitrary(),
            numbers =>
            {
                var lab = SchedulerProperties.Cluster(numbers);
                lab.PlanAndPlace();
                var explainer = new Explainer(lab.State, lab.Machine.Now, Obstacle, _ => 0);
                foreach (var job in lab.State.Jobs.Ascending().Where(job => job.Waiting > 0))
                {
                    var explanation = explainer.Of(job, _ => true);
                    Assert.NotEqual(PendingCause.Placing, explanation.Cause); // whatever had room was placed
                    Assert.False(string.IsNullOrEmpty(explanation.Change), explanation.Reason);
                    if (explanation.Suggested is { } suggested)
                    {
                        var shape = suggested.ToWire().ToShape();
                        Assert.Contains(
                            lab.State.Workers.Ascending(),
                            worker => explanation.Cause == PendingCause.Resources ? worker.HasRoomFor(shape) : worker.CouldEverHold(shape));
                    }

                    if (explanation.Cause is PendingCause.Resources or PendingCause.Concurrency)
                    {
                        Assert.NotEmpty(explanation.Holders);
                        var worker = lab.Machine.Worker(explanation.Holders[0].Worker.ToString()!)!;
                        var after = explanation.Holders.Aggregate(worker, (left, holder) =>
                        {
                            var attempt = lab.Attempt(holder.Job.ToString()!, holder.TaskIndex);
                            return left with { Held = left.Held.Remove(attempt.Fence), Used = left.Used.Minus(lab.State.Jobs.Find(attempt.JobUid)!.Terms.Shape, attempt.Gpus) };
                        });
                        Assert.True(after.HasRoomFor(job.Terms.Shape), $"{job.Id}: {explanation.Change}");
                    }
                }
            })
        .Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    private JobExplanation Expect(PendingCause cause, string reason, string? change, string job = "waits")
    {
        var explanation = Explainer().Of(_lab.Job(job), _ => true);
        Assert.Equal((cause, reason, change), (explanation.Cause, explanation.Reason, explanation.Change));
        Assert.Equal(explanation.ToWire(), explanation.ToWire().ToDomain().ToWire());
        return explanation;
    }

    private JobExplanation Explain() => Explainer().Of(_lab.Job("waits"), _ => true);

    private Explainer Explainer() => new(_lab.State, _lab.Machine.Now, Obstacle, _ => 0);

    private static string? Obstacle(WorkerRecord worker) => worker.State switch
    {
        WorkerState.Lost => "is lost",
        WorkerState.Suspect => "is silent",
        _ => null,
    };

    private void Busy(string job, string worker, long cpu)
    {
        _lab.Submit(job, cpu);
        _lab.Place(job, worker);
    }

    private void Silent(string worker, WorkerEvent silence) => _lab.Machine.Apply(new ClusterInput.Silence(_lab.Machine.Worker(worker)!.Uid, 1, silence));
}
