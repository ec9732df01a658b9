using System.Diagnostics;
using System.Runtime.CompilerServices;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Benchmarks;

/// <summary>
/// What records of machines cost the loop: the time of a step, with all that is folded and published after it, among 10 and among 1,000 machines in mixed states. The
/// steps are lives of jobs on workers of those machines, and machines that come and go.
/// </summary>
internal sealed class VmSteps : Benchmark
{
    private const int Few = 10;
    private const int Many = 1_000;
    private const int Lives = 4_000;
    private const int Rounds = 7;

    public override string Name => "vm-steps";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        if (!wanted("records/1000"))
        {
            yield break;
        }

        var (few, many) = (new List<double>(), new List<double>());
        for (var round = 0; round <= Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (small, large) = (MicrosecondsPerStep(Few), MicrosecondsPerStep(Many));
            if (round > 0)
            {
                few.Add(small);
                many.Add(large);
            }
        }

        yield return BenchmarkResult.RatioAtMost(Name, "records/1000", Load.Median(many), "us/step", Load.Median(few), 2);
    }

    private static double MicrosecondsPerStep(int machines)
    {
        var core = new LoopCore(new ClusterState { Meta = new ClusterMeta { ClusterId = "bench", Epoch = 1 } }, new JobDirectory(), new LeaseSettings(), ClusterMachine.Step);
        var workers = Fill(core, machines);
        var steps = 0;
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < Lives; i++)
        {
            var worker = workers[i % workers.Count];
            var job = Apply(JobLives.NewSubmit());
            Apply(new ClusterInput.Place([new Placement(job, 0, worker)]));
            var fence = core.Published.TaskOf(core.Published.Jobs.Find(job)!, 0)!.Current;
            Apply(new ClusterInput.Observe(worker, 1, [new Observation(fence, AttemptPhase.Ended) { Outcome = new AttemptOutcome(null, null, LogTotalsRecord.None) }], []));
            if (i % 10 == 0)
            {
                var vm = core.Published.Meta.NextVm;
                Apply(new ClusterInput.RequestVms([Wish(machines + i)]));
                Apply(new ClusterInput.CondemnVm(vm, "enough"));
                Apply(new ClusterInput.VmReleaseEnded(vm));
            }
        }

        return Stopwatch.GetElapsedTime(started).TotalMicroseconds / steps;

        long Apply(ClusterInput input)
        {
            steps++;
            var result = core.Apply(input, new ClusterNow(1_000, 1_000));
            core.Keep(out _);
            return result.Subject;
        }
    }

    /// <summary>Machines in every state; half of them are ready.</summary>
    /// <returns>The workers of those that are.</returns>
    private static List<long> Fill(LoopCore core, int machines)
    {
        var now = new ClusterNow(1_000, 1_000);
        var workers = new List<long>();
        for (var i = 0; i < machines; i++)
        {
            core.Apply(new ClusterInput.RequestVms([Wish(i)]), now);
            switch (i % 6)
            {
                case 0:
                    core.Apply(new ClusterInput.VmCreateEnded(i + 1, null), now);
                    break;
                case 1:
                    core.Apply(new ClusterInput.CondemnVm(i + 1, "enough"), now);
                    break;
                case > 2:
                    var hello = JobLives.NewWorker(i) with { Worker = WorkerId.Parse($"vm-{i}"), Pass = new VmPass(VmId.Parse($"vm-{i}"), IsFirst: false) };
                    workers.Add(core.Apply(hello, now).Subject);
                    break;
            }
        }

        core.Keep(out _);
        return workers;
    }

    private static VmWish Wish(int number) => new(
        VmId.Parse($"vm-{number}"), Guid.Empty, "cloud", new VmTraits { Shape = "plain", Zone = "a", Capacity = new ResourceShape { CpuMillis = 1_000 }, Scopes = ["a/plain", "a"] });
}
