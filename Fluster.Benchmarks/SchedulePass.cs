using System.Diagnostics;
using System.Runtime.CompilerServices;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Benchmarks;

/// <summary>How long one pass of the scheduler takes: 10,000 tasks wait, 1,000 workers are there.</summary>
internal sealed class SchedulePass : Benchmark
{
    private const int Tasks = 10_000;
    private const int Workers = 1_000;
    private const int WarmUps = 20;
    private const int Runs = 50;
    private const long Now = 1_000_000;

    private static readonly ClusterNow s_submitted = new(1_000, 1_000);

    public override string Name => "schedule";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        foreach (var (name, state, limit) in Cases().Where(known => wanted(known.Name)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (times, placed) = Measure(state);
            yield return BenchmarkResult.Under(Name, $"{name}/p50", Load.Percentile(times, 50), "ms", limit);
            yield return BenchmarkResult.Reported(Name, $"{name}/p99", Load.Percentile(times, 99), "ms");
            yield return BenchmarkResult.Reported(Name, $"{name}/placed", placed, "tasks");
        }
    }

    private static IEnumerable<(string Name, ClusterState State, double Limit)> Cases()
    {
        // All of them have room; one job has them all; nobody has room and everybody has waited for long.
        yield return ("equal/jobs", State(Enumerable.Range(0, Tasks).Select(_ => Terms(1_000))), 20);
        yield return ("equal/tasks", State([Terms(1_000) with { Replicas = Tasks }]), 20);
        yield return ("equal/crowded", State(Enumerable.Range(0, Tasks).Select(_ => Terms(16_000)).Prepend(Terms(15_000) with { Replicas = Workers, Priority = JobPriority.Production }), place: Workers), 20);

        // Every task needs something else, and together they need three times what there is.
        yield return ("different/jobs", State(Different(8_000)), 50);
        yield return ("different/large", State(Different(16_000)), 50);
    }

    private static IEnumerable<JobTerms> Different(int mostMillis)
    {
        // Any fixed sequence without a pattern does: numbers that follow from the first one.
        var number = 1UL;
        for (var i = 0; i < Tasks; i++)
        {
            number = number * 6364136223846793005 + 1442695040888963407;
            yield return Terms((long)((number >> 33) % (ulong)mostMillis) + 1, (64L << 20) + i);
        }
    }

    private static JobTerms Terms(long millis, long memory = 256L << 20) => new() { Name = "job", Shape = new ResourceShape { CpuMillis = millis, MemoryBytes = memory } };

    private static ClusterState State(IEnumerable<JobTerms> jobs, int place = 0)
    {
        var view = new ClusterView(new ClusterState { Meta = new ClusterMeta { ClusterId = "bench", Epoch = 1 } }, new JobDirectory());
        for (var i = 0; i < Workers; i++)
        {
            var traits = new WorkerTraits { Capacity = new ResourceShape { CpuMillis = 16_000, MemoryBytes = 64L << 30 }, MaxConcurrentJobs = 10 };
            Apply(new ClusterInput.Hello(WorkerId.Parse($"w{i}"), 1, traits, []));
        }

        var number = 0;
        foreach (var terms in jobs)
        {
            number++;
            Apply(new ClusterInput.SubmitJob(JobId.Parse($"job-{number:x8}"), $"request {number}", Namespace.Default, terms, default, default, default));
        }

        if (place > 0)
        {
            Apply(new ClusterInput.Place([.. Enumerable.Range(0, place).Select(i => new Placement(1, i, i + 1))]));
        }

        return view.ToState();

        void Apply(ClusterInput input)
        {
            var result = ClusterMachine.Step(view, input, s_submitted);
            view.Fold(result.Rejection is null ? result.Changes : throw new InvalidOperationException(result.Rejection.Message));
        }
    }

    private static (List<double> Times, int Placed) Measure(ClusterState state)
    {
        var scheduler = new Scheduler(state);
        var times = new List<double>();
        var placed = 0;
        for (var run = -WarmUps; run < Runs; run++)
        {
            var start = Stopwatch.GetTimestamp();
            placed = scheduler.Plan(state, Now, _ => true).Placements.Count;
            if (run >= 0)
            {
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        }

        return (times, placed);
    }
}
