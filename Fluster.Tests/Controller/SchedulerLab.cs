using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A machine, workers and jobs for the scheduler to look at. What it plans is applied to the machine on request.</summary>
internal sealed class SchedulerLab
{
    public MachineLab Machine { get; } = new();

    public ClusterState State => Machine.State;

    public void Worker(string id, long cpu = 4, int jobs = 10, string memory = "4g", int gpus = 0, string gpu = "", string tpu = "", bool preemptible = false, string region = "", bool containers = false) =>
        Machine.Apply(new ClusterInput.Hello(
            WorkerId.Parse(id),
            1,
            new WorkerTraits
            {
                Capacity = new ResourceShape
                {
                    CpuMillis = cpu * 1000,
                    MemoryBytes = ByteSize.Parse(memory).Bytes,
                    Gpus = gpus,
                    GpuVariant = gpus > 0 && gpu.Length == 0 ? "h100" : gpu,
                    TpuVariant = tpu,
                    Preemptible = preemptible,
                    Container = containers,
                },
                MaxConcurrentJobs = jobs,
                Region = region,
            },
            []));

    public JobRecord Submit(string name, ResourceShape shape, Func<JobTerms, JobTerms>? more = null, Fence by = default)
    {
        var terms = new JobTerms { Name = name, Shape = shape };
        Machine.Apply(new ClusterInput.SubmitJob(JobId.Parse(name), $"request {name}", Namespace.Default, more?.Invoke(terms) ?? terms, default, default, by));
        return Job(name);
    }

    public JobRecord Submit(string name, long cpu = 1, Func<JobTerms, JobTerms>? more = null, Fence by = default) =>
        Submit(name, new ResourceShape { CpuMillis = cpu * 1000 }, more, by);

    public JobRecord Job(string name) => Machine.Job(name) ?? throw new InvalidOperationException($"There is no job '{name}'.");

    public AttemptRecord Attempt(string job, int task = 0) => Machine.Attempt(Job(job), task) ?? throw new InvalidOperationException($"'{job}' has no attempt.");

    public void Place(string job, string worker, int task = 0) =>
        Machine.Apply(new ClusterInput.Place([new Placement(Job(job).Uid, task, Machine.Worker(worker)!.Uid)]));

    public void End(string job, AttemptOutcome outcome, int task = 0)
    {
        var attempt = Attempt(job, task);
        Machine.Apply(new ClusterInput.Observe(attempt.WorkerUid, attempt.Incarnation, MachineLab.Seen(attempt.Fence, AttemptPhase.Ended, outcome), []));
    }

    /// <summary>What a scheduler that starts now would place.</summary>
    public IReadOnlyList<string> Plan() => Plan(new Scheduler(State));

    public IReadOnlyList<string> Plan(Scheduler scheduler) => Text(scheduler.Plan(State, Machine.Now, _ => true));

    /// <summary>Places what a scheduler that starts now plans; the machine has to accept all of it.</summary>
    public IReadOnlyList<string> PlanAndPlace()
    {
        var planned = new Scheduler(State).Plan(State, Machine.Now, _ => true);
        foreach (var input in planned.Inputs())
        {
            var before = State.Meta.NextAttempt;
            Assert.Null(Machine.Apply(input).Rejection);
            var expected = input switch
            {
                ClusterInput.Place place => place.Placements.Length,
                ClusterInput.PlaceGang gang => gang.Workers.Length,
                _ => 0,
            };
            Assert.Equal(expected, State.Meta.NextAttempt - before);
        }

        return Text(planned);
    }

    private IReadOnlyList<string> Text(SchedulingPlan plan) =>
    [
        .. plan.Placements.Select(Text),
        .. plan.Gangs.SelectMany(gang => gang.Workers.Select((worker, i) => Text(new Placement(gang.JobUid, gang.FirstTask + i, worker)))),
    ];

    private string Text(Placement placement)
    {
        var job = State.Jobs.Find(placement.JobUid)!;
        var worker = State.Workers.Find(placement.WorkerUid)!.Id;
        return job.Terms.Replicas == 1 ? $"{job.Id} on {worker}" : $"{job.Id}#{placement.TaskIndex} on {worker}";
    }
}
