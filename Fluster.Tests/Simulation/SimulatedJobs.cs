using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>The jobs of a simulated cluster: what they ask for, and what their programs do.</summary>
internal sealed class SimulatedJobs(SimulationDice dice)
{
    private const int Most = 22;

    private readonly Dictionary<string, ProgramPlan> _plans = new(StringComparer.Ordinal);
    private int _made;

    public bool AreEnough => _made >= Most;

    public JobId NextId => JobId.Parse($"j-{_made + 1:x8}");

    /// <summary>What the attempts of a job do, by the request that made it: another submit of its id may be refused, and changes nothing.</summary>
    public ProgramPlan PlanOf(string requestId) => _plans[requestId];

    public ClusterInput.SubmitJob New(JobId id, Fence parent)
    {
        var requestId = $"r{++_made}";
        var terms = Terms();
        _plans[requestId] = new ProgramPlan
        {
            PrepareTime = dice.Chance(20) ? dice.Roll(2_000) : dice.Roll(20),
            RunTime = dice.Roll(20) switch
            {
                0 => dice.Roll(90_000),
                < 7 => dice.Roll(200),
                < 12 when terms.Exclusive => dice.Roll(150_000),
                _ => dice.Roll(12_000),
            },
            IsExclusive = terms.Exclusive,
            IsUnkillable = !terms.Exclusive && dice.Chance(6),
            FailPercent = dice.Chance(60) ? 0 : dice.Roll(terms.HasGangs ? 50 : 100),
            FaultPercent = dice.Chance(80) ? 0 : dice.Roll(terms.HasGangs ? 30 : 60),
            IsStubborn = dice.Chance(30),
            Endpoints = dice.Chance(50) ? 0 : dice.Between(1, 2),
            Children = dice.Chance(75) ? 0 : dice.Between(1, 2),
        };
        return new ClusterInput.SubmitJob(id, requestId, Namespace.Default, terms, Request: default, Trace: default, parent);
    }

    private JobTerms Terms()
    {
        var (replicas, slice, coscheduled) = dice.Roll(20) switch
        {
            < 10 => (1, 1, false),
            < 15 => (dice.Between(2, 3), 1, false),
            < 19 => (dice.Between(2, 3), 1, true),
            _ => (4, 2, false),
        };
        return new JobTerms
        {
            Name = "j",
            Replicas = replicas,
            SliceSize = slice,
            Coscheduled = coscheduled,
            Exclusive = dice.Chance(15),
            Shape = new ResourceShape { CpuMillis = 500 * dice.Between(1, 4), MemoryBytes = 1, Gpus = dice.Chance(85) ? 0 : 1, GpuVariant = "auto" },
            Priority = dice.Roll(6) switch
            {
                0 => JobPriority.Batch,
                1 => JobPriority.Interactive,
                2 => JobPriority.Production,
                _ => null,
            },
            FailureRetries = dice.Roll(3),
            LossRetries = dice.Chance(50) ? 100 : dice.Roll(3),
            SchedulingTimeout = dice.Chance(15) ? 5_000 : 0,
            ExecutionTimeout = dice.Chance(15) ? 4_000 : 0,
            KeepChildren = dice.Chance(40),
        };
    }
}
