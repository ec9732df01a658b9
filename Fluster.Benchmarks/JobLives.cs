using System.Collections.Immutable;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Benchmarks;

/// <summary>Inputs as a busy cluster has them: each life of a job is submitted, placed, seen to run and seen to end, one input after the other's answer.</summary>
internal sealed class JobLives(ClusterLoop loop, long workerUid)
{
    public const ulong Incarnation = 1;

    // As large as that of a plain command.
    private static readonly ReadOnlyMemory<byte> s_request = new byte[160];
    private static readonly JobTerms s_terms = new() { Name = "job", Shape = new ResourceShape { CpuMillis = 100, MemoryBytes = 1 << 20 } };
    private static long s_number;

    private Phase _phase = Phase.Over;
    private long _job;
    private Fence _fence;

    private enum Phase
    {
        Over,
        Submitted,
        Placed,
        Running,
    }

    public static ClusterInput.SubmitJob NewSubmit()
    {
        var number = Interlocked.Increment(ref s_number);
        return new ClusterInput.SubmitJob(JobId.Parse($"job-{number:x8}"), $"{number:x32}", Namespace.Default, s_terms, s_request, default, default);
    }

    /// <summary>A worker with room for everything that is placed on it here.</summary>
    public static ClusterInput.Hello NewWorker(int number) => new(
        WorkerId.Parse($"worker-{number}"),
        Incarnation,
        new WorkerTraits { Capacity = new ResourceShape { CpuMillis = 1 << 20, MemoryBytes = 1L << 40 }, MaxConcurrentJobs = 10_000 },
        []);

    /// <summary>The next input, sent; completes when it is answered.</summary>
    public async Task NextAsync(CancellationToken cancellationToken)
    {
        switch (_phase)
        {
            case Phase.Over:
                _job = (await loop.SubmitAsync(NewSubmit(), cancellationToken)).Subject;
                _phase = Phase.Submitted;
                break;

            case Phase.Submitted:
                await loop.ApplyAsync(new ClusterInput.Place([new Placement(_job, 0, workerUid)]), cancellationToken);
                var state = loop.Current;
                _fence = state.TaskOf(state.Jobs.Find(_job)!, 0) is { Current.IsNone: false } task
                    ? task.Current
                    : throw new InvalidOperationException("A placement was refused.");
                _phase = Phase.Placed;
                break;

            case Phase.Placed:
                await loop.ApplyAsync(Seen(new Observation(_fence, AttemptPhase.Running)), cancellationToken);
                _phase = Phase.Running;
                break;

            case Phase.Running:
                await loop.ApplyAsync(Seen(new Observation(_fence, AttemptPhase.Ended) { Outcome = new AttemptOutcome(null, null, LogTotalsRecord.None) }), cancellationToken);
                _phase = Phase.Over;
                break;
        }
    }

    private ClusterInput.Observe Seen(Observation observation) => new(workerUid, Incarnation, [observation], ImmutableArray<Fence>.Empty);
}
