using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>First come, first served among what fits; spread; nobody held up.</summary>
public class SchedulerTests
{
    private readonly MachineLab _lab = new();

    [Fact]
    public void Jobs_OverEqualWorkers_AreSpread()
    {
        Worker("w1");
        Worker("w2");
        Submit("a", "b", "c", "d");

        Assert.Equal(["w1", "w1", "w2", "w2"], Plan().Select(placed => placed.Worker).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void FirstThatDoesNotFit_HoldsUpNobody()
    {
        Worker("w1", cpu: 2);
        Submit("small1");
        Add(cpu: 8, names: "big");
        Submit("small2", "late");

        Assert.Equal(["small1", "small2"], Plan().Select(placed => placed.Job));
    }

    [Fact]
    public void Capacity_GivenAwayInAPass_IsNotGivenTwice()
    {
        Worker("w1", cpu: 3);
        Submit("a", "b", "c", "d", "e");

        Assert.Equal(3, Plan().Count);
    }

    [Fact]
    public void MostJobs_CountsAsCapacity()
    {
        Worker("w1", cpu: 100, jobs: 2);
        Submit("a", "b", "c");

        Assert.Equal(["a", "b"], Plan().Select(placed => placed.Job));
    }

    [Fact]
    public void HigherPriorities_ThenChildren_ThenTheOlder_GoFirst()
    {
        Worker("w0", cpu: 1);
        Submit("parent");
        Place("parent", "w0");
        Worker("w1", cpu: 1);
        Add(JobPriority.Batch, names: "batch");
        Submit("old");
        var parent = _lab.Job("parent")!;
        Add(by: _lab.Attempt(parent, 0)!.Fence, names: "parent/child");
        Add(JobPriority.Production, names: "urgent");

        var order = new List<string>();
        while (Plan() is [var next, ..])
        {
            order.Add(next.Job);
            _lab.Apply(new ClusterInput.TerminateJob(_lab.Job(next.Job)!.Uid, KillCause.User));
        }

        Assert.Equal(["urgent", "parent/child", "old", "batch"], order);
    }

    [Fact]
    public void Retry_PrefersAnotherWorker_ButTakesTheSameRatherThanNone()
    {
        Worker("w1");
        Worker("w2", cpu: 1);
        Add(retries: 5, names: "again");
        Place("again", "w1");
        Exit("again");
        _lab.Now += 1_000;

        Assert.Equal("w2", Assert.Single(Plan()).Worker);
        Submit("other");
        Place("other", "w2");
        Assert.Equal("w1", Assert.Single(Plan()).Worker);
    }

    [Fact]
    public void TaskInBackOff_WaitsAndIsDue()
    {
        Worker("w1");
        Add(retries: 1, names: "again");
        Place("again", "w1");
        Exit("again");
        var scheduler = new Scheduler(_lab.State);

        var early = scheduler.Plan(_lab.State, _lab.Now, _ => true);
        var later = scheduler.Plan(_lab.State, _lab.Now + 1_000, _ => true);

        Assert.Empty(early.Placements);
        Assert.Equal(_lab.Now + 1_000, early.NextDue);
        Assert.Single(later.Placements);
    }

    [Fact]
    public void WorkerThatIsSetAside_GetsNothing_AndIsDue()
    {
        Worker("w1");
        for (var i = 0; i < 3; i++)
        {
            Submit($"fails{i}");
            Place($"fails{i}", "w1");
            var attempt = _lab.Attempt(_lab.Job($"fails{i}")!, 0)!;
            var fault = MachineLab.Failure(new JobFailure(FailureKind.ProgramNotFound, "no such program"));
            _lab.Apply(new ClusterInput.Observe(attempt.WorkerUid, attempt.Incarnation, MachineLab.Seen(attempt.Fence, AttemptPhase.Ended, fault), []));
        }

        Submit("waits");
        var plan = new Scheduler(_lab.State).Plan(_lab.State, _lab.Now, _ => true);

        Assert.Empty(plan.Placements);
        Assert.Equal(_lab.Worker("w1")!.QuarantinedUntil, plan.NextDue);
        Assert.Equal(
            "The only worker that could hold it takes no work: w1 is set aside for 60 s, because jobs could not begin there.",
            new Explainer(_lab.State, _lab.Now, _ => null, _ => 0).ReasonOf(_lab.Job("waits")!));
    }

    [Fact]
    public void WorkerThatCannotBeReached_GetsNothing()
    {
        Worker("w1");
        Submit("a");

        Assert.Empty(new Scheduler(_lab.State).Plan(_lab.State, _lab.Now, _ => false).Placements);
    }

    private void Worker(string id, int cpu = 4, int jobs = 10) => _lab.Apply(new ClusterInput.Hello(
        WorkerId.Parse(id),
        1,
        new WorkerTraits { Capacity = new ResourceShape { CpuMillis = cpu * 1000, MemoryBytes = 4L << 30 }, MaxConcurrentJobs = jobs },
        []));

    private void Submit(params string[] names) => Add(names: names);

    private void Add(JobPriority? priority = null, int cpu = 1, long memory = 0, int retries = 0, Fence by = default, params string[] names)
    {
        foreach (var name in names)
        {
            var terms = new JobTerms { Name = name, Priority = priority, FailureRetries = retries, Shape = new ResourceShape { CpuMillis = cpu * 1000, MemoryBytes = memory } };
            _lab.Apply(new ClusterInput.SubmitJob(JobId.Parse(name), $"request {name}", Namespace.Default, terms, default, default, by));
        }
    }

    private void Place(string job, string worker) => _lab.Apply(new ClusterInput.Place([new Placement(_lab.Job(job)!.Uid, 0, _lab.Worker(worker)!.Uid)]));

    private void Exit(string job)
    {
        var attempt = _lab.Attempt(_lab.Job(job)!, 0)!;
        _lab.Apply(new ClusterInput.Observe(attempt.WorkerUid, attempt.Incarnation, MachineLab.Seen(attempt.Fence, AttemptPhase.Ended, MachineLab.Exit(1)), []));
    }

    private List<(string Job, string Worker)> Plan() =>
    [
        .. new Scheduler(_lab.State).Plan(_lab.State, _lab.Now, _ => true).Placements
            .Select(placement => (_lab.State.Jobs.Find(placement.JobUid)!.Id.ToString(), _lab.State.Workers.Find(placement.WorkerUid)!.Id.ToString())),
    ];
}
