using Fluster.Cluster;
using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>How the programs of a job behave.</summary>
internal sealed record ProgramPlan
{
    public int PrepareTime { get; init; } = 5;

    public int RunTime { get; init; }

    /// <summary>Of a hundred attempts, so many exit with 1.</summary>
    public int FailPercent { get; init; }

    /// <summary>Of a hundred attempts, so many cannot be prepared.</summary>
    public int FaultPercent { get; init; }

    /// <summary>Does not end on SIGTERM.</summary>
    public bool IsStubborn { get; init; }

    /// <summary>Two of its attempts must never run at the same time.</summary>
    public bool IsExclusive { get; init; }

    /// <summary>SIGKILL ends it only after a minute and more.</summary>
    public bool IsUnkillable { get; init; }

    public int Endpoints { get; init; }

    public int Children { get; init; }
}

/// <summary>The process tree of one attempt.</summary>
internal sealed class SimulatedProgram(SimulatedWorld world, SimulatedWorker machine, Fence fence, ProgramPlan plan) : SimulatedActor
{
    /// <summary>From SIGKILL until a worker says that an attempt cannot be killed.</summary>
    private const int KillPatience = 60_000;

    private bool _isRunning;
    private bool _isGivenUp;
    private bool _isStuck;

    public Fence Fence => fence;

    public ProgramPlan Plan => plan;

    /// <summary>The runtime has prepared it.</summary>
    public void Prepared()
    {
        if (_isGivenUp)
        {
            Tell(new AttemptEnd { At = world.Time.GetUtcNow(), Signal = 15 });
            return;
        }

        if (!world.Faults.AreOver && world.Dice.Chance(plan.FaultPercent) || machine.BrokenUntil > world.Time.Now)
        {
            Tell(new AttemptEnd { At = world.Time.GetUtcNow(), Failure = new JobFailure(FailureKind.WorkerFault, "simulated") });
            return;
        }

        _isRunning = true;
        machine.Programs.Add(fence, this);
        world.Checks.Runs(fence, plan);
        machine.Post(this, new WorkerEvent.Running(fence, world.Time.GetUtcNow(), new Dictionary<string, int>(StringComparer.Ordinal)));
        var exitCode = world.Dice.Chance(plan.FailPercent) ? 1 : 0;
        world.After(world.Dice.Between(plan.RunTime / 2, plan.RunTime + 1), this, "a program ends", () => End(exitCode, null), () => !_isStuck);
        for (var i = 0; i < plan.Endpoints; i++)
        {
            world.After(world.Dice.Roll(plan.RunTime + 1), this, "a program registers an endpoint", () => world.Clients.Register(fence));
        }

        for (var i = 0; i < plan.Children; i++)
        {
            world.After(world.Dice.Roll(plan.RunTime + 1), this, "a program submits a child", () => world.Clients.SubmitChild(fence));
        }
    }

    public void Terminate()
    {
        _isGivenUp = true;
        if (_isRunning && !plan.IsStubborn)
        {
            world.After(world.Dice.Roll(500), this, "a program ends on SIGTERM", () => End(null, 15), () => !_isStuck);
        }
    }

    public void Kill(int delay)
    {
        _isGivenUp = true;
        if (!_isRunning || _isStuck)
        {
            return;
        }

        if (plan.IsUnkillable)
        {
            _isStuck = true;
            world.After(KillPatience, this, "a program cannot be killed", () =>
            {
                world.Figures.Count(SimulatedEvent.AttemptUnkillable);
                machine.Post(this, new WorkerEvent.Undead(fence, new AttemptEnd { At = world.Time.GetUtcNow(), Signal = 9 }, [1]));
            });
            delay = KillPatience + world.Dice.Between(10, 30_000);
        }

        world.After(delay, this, "a program is dead", () => End(null, 9));
    }

    /// <summary>The machine is off.</summary>
    public void Vanish()
    {
        machine.Programs.Remove(fence);
        EndLife();
    }

    private void End(int? exitCode, int? signal)
    {
        Vanish();
        Tell(new AttemptEnd { At = world.Time.GetUtcNow(), ExitCode = exitCode, Signal = signal });
    }

    private void Tell(AttemptEnd end) => machine.Post(this, new WorkerEvent.Ended(fence, end));
}
