using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Where the cluster allows it, higher priorities take the room of lower ones, and keep what they freed.</summary>
public class SchedulerPreemptionTests
{
    private readonly SchedulerLab _lab = new();

    [Fact]
    public void NotAllowed_WaitsForTheOthers()
    {
        _lab.Worker("w1", cpu: 1);
        Busy("batch", "w1", JobPriority.Batch);
        _lab.Submit("urgent", 1, Priority(JobPriority.Production));

        Assert.Empty(new Scheduler(_lab.State).Plan(_lab.State, _lab.Machine.Now, _ => true).Inputs());
    }

    [Fact]
    public void Allowed_TheLowestThenTheYoungestGo_AndNoMoreThanNeeded()
    {
        _lab.Worker("w1", cpu: 4);
        Busy("old batch", "w1", JobPriority.Batch);
        Busy("interactive", "w1", JobPriority.Interactive);
        Busy("young batch", "w1", JobPriority.Batch);
        Busy("production", "w1", JobPriority.Production);
        _lab.Submit("urgent", 1, Priority(JobPriority.Production));
        var scheduler = new Scheduler(_lab.State, preempts: true);

        var input = Assert.IsType<ClusterInput.Preempt>(Assert.Single(Pass(scheduler)));

        Assert.Equal(_lab.Attempt("young-batch").Fence, Assert.Single(input.Victims));
        Assert.Empty(Pass(scheduler)); // it has claimed its room, and waits for it
    }

    [Fact]
    public void EqualAndHigherPriorities_AreLeftAlone()
    {
        _lab.Worker("w1", cpu: 1);
        Busy("same", "w1", JobPriority.Interactive);
        _lab.Submit("waits", 1);
        _lab.Submit("batch", 1, Priority(JobPriority.Batch));

        Assert.Empty(Pass(new Scheduler(_lab.State, preempts: true)));
    }

    [Fact]
    public void FreedRoom_BelongsToThePreemptor_NotToWhoeverComesFirst()
    {
        _lab.Worker("w1", cpu: 2);
        Busy("batch", "w1", JobPriority.Batch, cpu: 2);
        _lab.Submit("urgent", 2);
        var scheduler = new Scheduler(_lab.State, preempts: true);
        Pass(scheduler);
        _lab.Submit("sooner", 1, Priority(JobPriority.Production));
        scheduler.Update(_lab.State, [_lab.Job("sooner").Uid]);

        _lab.End("batch", MachineLab.Exit(143));
        scheduler.Update(_lab.State, [_lab.Job("batch").Uid]);
        _lab.Machine.Now += 60_000;

        Assert.Equal(["urgent on w1"], _lab.Plan(scheduler));
        Assert.Equal(1, _lab.State.TaskOf(_lab.Job("batch"), 0)!.Losses); // paid for as a loss: it is tried again
    }

    [Fact]
    public void ClaimOfAJobThatIsStopped_IsGivenUp()
    {
        _lab.Worker("w1", cpu: 2);
        Busy("batch", "w1", JobPriority.Batch, cpu: 2);
        _lab.Submit("urgent", 2, Priority(JobPriority.Production));
        var scheduler = new Scheduler(_lab.State, preempts: true);
        Pass(scheduler);
        _lab.End("batch", MachineLab.Exit(143));
        _lab.Machine.Now += 60_000;
        _lab.Machine.Apply(new ClusterInput.TerminateJob(_lab.Job("urgent").Uid, KillCause.User));
        scheduler.Update(_lab.State, [_lab.Job("urgent").Uid, _lab.Job("batch").Uid]);

        Assert.Equal(["batch on w1"], _lab.Plan(scheduler));
    }

    private IReadOnlyList<ClusterInput> Pass(Scheduler scheduler)
    {
        var inputs = scheduler.Plan(_lab.State, _lab.Machine.Now, _ => true).Inputs().ToList();
        inputs.ForEach(input => _lab.Machine.Apply(input));
        return inputs;
    }

    private static Func<JobTerms, JobTerms> Priority(JobPriority priority) => terms => terms with { Priority = priority };

    private void Busy(string name, string worker, JobPriority priority, long cpu = 1)
    {
        var job = name.Replace(' ', '-');
        _lab.Submit(job, cpu, Priority(priority));
        _lab.Place(job, worker);
    }
}
