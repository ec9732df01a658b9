using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Everybody who calls the controller: users who submit and stop jobs, and programs that register endpoints and submit children.</summary>
internal sealed class SimulatedClients(SimulatedWorld world)
{
    private const int MostJobs = 22;
    private const int AnswerTimeout = 4_000;

    private readonly Dictionary<string, ProgramPlan> _plans = new(StringComparer.Ordinal);
    private int _jobs;
    private int _endpoints;
    private int _waiting;
    private bool _isOver;

    /// <summary>Jobs whose submit was acknowledged, by request id.</summary>
    public Dictionary<string, long> Acknowledged { get; } = new(StringComparer.Ordinal);

    /// <summary>Jobs whose stop was acknowledged.</summary>
    public SortedSet<long> Stopped { get; } = [];

    public bool IsIdle => _isOver && _waiting == 0;

    public void Begin()
    {
        for (var i = 0; i < 4; i++)
        {
            Submit();
        }

        world.After(500, null, "a user does something", DoSomething);
    }

    public void StopSubmitting() => _isOver = true;

    /// <summary>What the attempts of a job do.</summary>
    public ProgramPlan PlanOf(string jobId) =>
        _plans.GetValueOrDefault(jobId.Contains('~', StringComparison.Ordinal) ? jobId[..jobId.LastIndexOf('~')] : jobId, ProgramPlan.Short);

    public void Register(Fence owner)
    {
        var endpoint = EndpointId.Parse($"e{++_endpoints}");
        Call(new ClusterInput.RegisterEndpoint(endpoint, Namespace.Default, $"n{world.Dice.Roll(3)}", "host:1", [], new EndpointOwner(owner)), "a registration arrives", world.Dice.Chance(20) ? 6_000 : 20, _ => { });
    }

    public void SubmitChild(Fence parent)
    {
        if (!world.Controller.IsUp || world.Controller.Loop.Current.Attempt(parent) is not { } attempt || _jobs >= MostJobs)
        {
            return;
        }

        var id = $"{world.Controller.Loop.Current.Jobs.Find(attempt.JobUid)!.Id}/c{world.Dice.Roll(2)}";
        if (!JobId.TryParse(id, out var jobId))
        {
            return;
        }

        var input = NewJob(jobId, parent);
        Call(input, "a child's submit arrives", world.Dice.Chance(20) ? 6_000 : 20, envelope => Note(input, envelope));
    }

    private void DoSomething()
    {
        if (_isOver)
        {
            return;
        }

        if (_jobs < MostJobs && world.Dice.Chance(70))
        {
            Submit();
        }
        else if (Acknowledged.Count > 0 && world.Dice.Chance(40))
        {
            Stop(world.Dice.Any(Acknowledged.Values.ToList()));
        }

        world.After(world.Dice.Between(100, 3_000), null, "a user does something", DoSomething);
    }

    private void Submit()
    {
        var input = NewJob(JobId.Parse($"j-{_jobs + 1:x8}"), default);
        SubmitUntilAnswered(input);
        if (world.Dice.Chance(5))
        {
            SubmitUntilAnswered(input); // the client gave up on the first one too early
        }
    }

    private void SubmitUntilAnswered(ClusterInput.SubmitJob input)
    {
        _waiting++;
        var answered = false;
        Try();

        void Try()
        {
            if (answered)
            {
                return;
            }

            Call(input, "a submit arrives", 20, envelope =>
            {
                if (!answered && envelope.Fault is not ClusterRejectedException) // UNAVAILABLE is tried again
                {
                    answered = true;
                    _waiting--;
                    Note(input, envelope);
                }
            });
            world.After(AnswerTimeout, null, "a client had no answer and tries again", Try, () => !answered);
        }
    }

    private void Note(ClusterInput.SubmitJob input, Envelope envelope)
    {
        if (envelope is { Fault: null, Result: { Rejection: null } result })
        {
            world.Trace.Note($"{input.Id} is acknowledged as job {result.Subject}");
            Acknowledged[input.RequestId] = result.Subject;
        }
    }

    private void Stop(long job)
    {
        world.Trace.Note($"a user wants job {job} stopped");
        Call(new ClusterInput.TerminateJob(job, KillCause.User), "a stop arrives", 20, envelope =>
        {
            if (envelope is { Fault: null, Result.Rejection: null })
            {
                world.Trace.Note($"the stop of job {job} is acknowledged");
                Stopped.Add(job);
            }
        });
    }

    /// <summary>One call on a connection of its own. No answer when the controller is down or dies; the answer takes its time.</summary>
    private void Call(ClusterInput input, string what, int slowest, Action<Envelope> answered) =>
        world.After(1 + world.Dice.Roll(slowest), world.Controller, what, () =>
        {
            if (world.Controller.IsUp)
            {
                world.Controller.Put(input, envelope => world.After(1 + world.Dice.Roll(20), null, "an answer arrives", () => answered(envelope)), isCall: true);
            }
        });

    private ClusterInput.SubmitJob NewJob(JobId id, Fence parent)
    {
        var dice = world.Dice;
        _jobs++;
        _plans[id.ToString()] = new ProgramPlan
        {
            PrepareTime = dice.Chance(20) ? dice.Roll(2_000) : dice.Roll(20),
            RunTime = dice.Chance(30) ? dice.Roll(200) : dice.Roll(12_000),
            FailPercent = dice.Chance(60) ? 0 : dice.Roll(100),
            FaultPercent = dice.Chance(80) ? 0 : dice.Roll(60),
            IsStubborn = dice.Chance(30),
            Endpoints = dice.Chance(50) ? 0 : dice.Between(1, 2),
            Children = dice.Chance(75) ? 0 : dice.Between(1, 2),
        };
        return new ClusterInput.SubmitJob(
            id,
            $"r{_jobs}",
            Namespace.Default,
            new JobTerms
            {
                Name = "j",
                Replicas = dice.Chance(60) ? 1 : dice.Between(2, 3),
                Shape = new ResourceShape { CpuMillis = 500 * dice.Between(1, 4), MemoryBytes = 1 },
                FailureRetries = dice.Roll(3),
                LossRetries = dice.Chance(50) ? 100 : dice.Roll(3),
                SchedulingTimeout = dice.Chance(15) ? 5_000 : 0,
                ExecutionTimeout = dice.Chance(15) ? 4_000 : 0,
                KeepChildren = dice.Chance(40),
            },
            Request: default,
            Trace: default,
            parent);
    }
}
