namespace Fluster.Tests;

/// <summary>Breaks things, one every now and then, until it is told to stop.</summary>
internal sealed class SimulatedFaults(SimulatedWorld world)
{
    private bool _isOver;

    /// <summary>Nothing breaks any more.</summary>
    public bool AreOver => _isOver;

    public void Begin() => world.After(world.Dice.Roll(3_000), null, "all is well", BreakSomething);

    /// <summary>Nothing breaks any more, and what is broken is mended.</summary>
    public void Heal()
    {
        _isOver = true;
        world.Controller.CrashAt(CrashPoint.None);
        world.Controller.Disk.FullFor = 0;
        world.Stranger.Leave();
        foreach (var machine in world.Machines)
        {
            (machine.RefuseStarts, machine.BrokenUntil) = (0, 0); // who is cut off or without power comes back in his own time
        }

        foreach (var registrant in world.Registrants)
        {
            registrant.End();
        }
    }

    /// <summary>A worker is drained while a plan that may count on it is under way.</summary>
    public void DrainWithin(int milliseconds)
    {
        if (!_isOver)
        {
            var machine = world.Dice.Any(world.Machines);
            world.After(world.Dice.Roll(milliseconds), null, "all is well", () => world.Clients.Drain(machine, now: false));
        }
    }

    private void CutOff(SimulatedWorker machine, int milliseconds)
    {
        machine.PartitionedUntil = Math.Max(machine.PartitionedUntil, world.Time.Now + milliseconds);
        world.Trace.Note($"{machine.Id} is cut off for {machine.PartitionedUntil - world.Time.Now} ms");
        world.Figures.Count(SimulatedEvent.WorkerCutOff);
        machine.CutLink();
    }

    private void BreakSomething()
    {
        if (_isOver)
        {
            return;
        }

        var dice = world.Dice;
        var machine = dice.Any(world.Machines);
        switch (dice.Roll(31))
        {
            case 0 or 1:
                world.Trace.Note($"the link of {machine.Id} breaks");
                world.Figures.Count(SimulatedEvent.LinkCut);
                machine.CutLink();
                break;
            case 2 or 3 or 4:
                CutOff(machine, dice.Chance(85) ? dice.Between(500, 25_000) : dice.Between(25_000, 150_000));
                break;
            case 5 or 6:
                machine.Die();
                break;
            case 7:
                machine.LosePower();
                break;
            case 8:
                world.Figures.Count(SimulatedEvent.WorkerPaused);
                machine.Pause(world.Time.Now + dice.Between(500, 25_000));
                world.Trace.Note($"{machine.Id} is paused for {machine.PausedUntil - world.Time.Now} ms");
                break;
            case 9:
                world.Figures.Count(SimulatedEvent.ControllerPaused);
                world.Controller.Pause(world.Time.Now + dice.Between(500, 25_000));
                world.Trace.Note($"the controller is paused for {world.Controller.PausedUntil - world.Time.Now} ms");
                break;
            case 10:
                world.Controller.Crash();
                break;
            case 11 or 12 or 13:
                world.Controller.CrashAt((CrashPoint)dice.Between(1, 4));
                break;
            case 14:
                world.Controller.Disk.SlowFor = dice.Between(50, 8_000);
                break;
            case 15:
                world.Controller.Disk.FullFor = dice.Between(1, 3);
                break;
            case 16 or 17:
                var jump = TimeSpan.FromSeconds(dice.Between(-7_200, 7_200));
                world.Trace.Note($"somebody sets the clocks by {(long)jump.TotalSeconds} s");
                world.Figures.Count(jump < TimeSpan.Zero ? SimulatedEvent.ClockSetBack : SimulatedEvent.ClockSetForward);
                world.Time.WallJumps += jump;
                break;
            case 18:
                machine.RefuseStarts += dice.Between(1, 3);
                break;
            case 19 or 20:
                world.Clients.Drain(machine, dice.Chance(40));
                break;
            case 21:
                world.Controller.SlowPlanning = dice.Between(500, 6_000);
                break;
            case 22:
                world.Stranger.ComeFor(dice.Between(1_000, 15_000));
                world.Trace.Note($"another controller stands behind the address");
                machine.CutLink();
                break;
            case 23 when dice.Chance(30):
                world.Figures.Count(SimulatedEvent.AllWorkersCutOff);
                foreach (var each in world.Machines)
                {
                    CutOff(each, dice.Between(9_000, 45_000));
                }

                break;
            case 24:
                dice.Any(world.Registrants).Die();
                break;
            case 25:
                dice.Any(world.Registrants).Pause(world.Time.Now + dice.Between(500, 25_000));
                break;
            case 27 or 28:
                machine.BrokenUntil = world.Time.Now + dice.Between(1_000, 25_000);
                world.Trace.Note($"no attempt can be prepared on {machine.Id}");
                break;
            case 26:
                world.Clients.Administer();
                break;
            default:
                machine.SlowDisk = dice.Between(100, 6_000);
                break;
        }

        world.After(dice.Between(50, 2_500), null, "all is well for a while", BreakSomething);
    }
}
