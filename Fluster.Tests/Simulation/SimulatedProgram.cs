using Fluster.Cluster;
using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>How the programs of a job behave.</summary>
internal sealed record ProgramPlan
{
    public static ProgramPlan Short { get; } = new() { RunTime = 100 };

    public int PrepareTime { get; init; } = 5;

    public int RunTime { get; init; }

    /// <summary>Of a hundred attempts, so many exit with 1.</summary>
    public int FailPercent { get; init; }

    /// <summary>Of a hundred attempts, so many cannot be prepared.</summary>
    public int FaultPercent { get; init; }

    /// <summary>Does not end on SIGTERM.</summary>
    public bool IsStubborn { get; init; }

    public int Endpoints { get; init; }

    public int Children { get; init; }
}

/// <summary>The process tree of one attempt.</summary>
internal sealed class SimulatedProgram(SimulatedWorld world, SimulatedWorker machine, Fence fence, ProgramPlan plan) : SimulatedActor
{
    private bool _isRunning;
    private bool _isGivenUp;

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

        if (world.Dice.Chance(plan.FaultPercent))
        {
            Tell(new AttemptEnd { At = world.Time.GetUtcNow(), Failure = new JobFailure(FailureKind.WorkerFault, "simulated") });
            return;
        }

        _isRunning = true;
        machine.Programs.Add(fence, this);
        machine.Post(this, new WorkerEvent.Running(fence, world.Time.GetUtcNow(), new Dictionary<string, int>(StringComparer.Ordinal)));
        var exitCode = world.Dice.Chance(plan.FailPercent) ? 1 : 0;
        world.After(world.Dice.Between(plan.RunTime / 2, plan.RunTime + 1), this, "a program ends", () => End(exitCode, null));
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
            world.After(world.Dice.Roll(500), this, "a program ends on SIGTERM", () => End(null, 15));
        }
    }

    public void Kill(int delay)
    {
        _isGivenUp = true;
        if (_isRunning)
        {
            world.After(delay, this, "a program is dead", () => End(null, 9));
        }
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
