namespace Fluster.Tests;

/// <summary>
/// One connection between a worker and the controller, as TCP gives it: what arrives is in order and once; when it breaks, what was under way is
/// lost, or still arrives at the side that has not noticed, and each side notices in its own time.
/// </summary>
internal sealed class SimulatedLink(SimulatedWorld world, SimulatedWorker worker, SimulatedController controller)
{
    private long _lastUp;
    private long _lastDown;
    private bool _isCut;
    private bool _upIsLost;
    private bool _downIsLost;
    private bool _workerKnows;
    private bool _controllerKnows;

    /// <summary>The worker has not heard that it is broken.</summary>
    public bool IsOpenForWorker => !_workerKnows;

    /// <summary>Takes the reports that arrive at the controller, once it has answered Hello.</summary>
    public Action<Fluster.Cluster.V1.Observed> Arrived { get; set; } = _ => { };

    /// <summary>Called at the worker when it is over.</summary>
    public Action ClosedAtWorker { get; set; } = () => { };

    /// <summary>Called at the controller when it is over.</summary>
    public Action ClosedAtController { get; set; } = () => { };

    public void SendUp(string what, Action arrive)
    {
        if (_isCut || _workerKnows)
        {
            return;
        }

        _lastUp = Math.Max(_lastUp, world.Time.Now + Latency());
        world.After(_lastUp - world.Time.Now, controller, what, () =>
        {
            if (_upIsLost || _controllerKnows)
            {
                world.Figures.Count(SimulatedEvent.FramesLost);
                return;
            }

            if (_workerKnows)
            {
                world.Figures.Count(SimulatedEvent.FramesOutlivedTheirLink);
            }

            arrive();
        });
    }

    public void SendDown(string what, Action arrive)
    {
        if (_isCut || _controllerKnows)
        {
            return;
        }

        _lastDown = Math.Max(_lastDown, world.Time.Now + Latency());
        world.After(_lastDown - world.Time.Now, worker, what, () =>
        {
            if (_downIsLost || _workerKnows)
            {
                world.Figures.Count(SimulatedEvent.FramesLost);
                return;
            }

            arrive();
        });
    }

    /// <summary>The network broke it. Nothing more goes through.</summary>
    public void Cut()
    {
        if (_isCut)
        {
            return;
        }

        _isCut = true;
        _upIsLost = world.Dice.Chance(70);
        _downIsLost = world.Dice.Chance(70);
        world.After(world.Dice.Chance(50) ? 1 : world.Dice.Roll(12_000), worker, "the worker notices that its link broke", CloseAtWorker);
        world.After(world.Dice.Chance(50) ? 1 : world.Dice.Roll(20_000), controller, "the controller notices that a link broke", CloseAtController);
    }

    /// <summary>The worker ends it, or its process died.</summary>
    public void CloseFromWorker()
    {
        if (!_workerKnows)
        {
            CloseAtWorker();
            _upIsLost |= world.Dice.Chance(30);
            world.After(Latency() + Math.Max(0, _lastUp - world.Time.Now), controller, "the worker's end of a link is closed", CloseAtController);
        }
    }

    /// <summary>The controller ends it, or its process died.</summary>
    public void CloseFromController()
    {
        if (!_controllerKnows)
        {
            CloseAtController();
            _downIsLost |= world.Dice.Chance(30);
            world.After(Latency() + Math.Max(0, _lastDown - world.Time.Now), worker, "the controller's end of a link is closed", CloseAtWorker);
        }
    }

    private void CloseAtWorker()
    {
        if (!_workerKnows)
        {
            _workerKnows = true;
            ClosedAtWorker();
        }
    }

    private void CloseAtController()
    {
        if (!_controllerKnows)
        {
            _controllerKnows = true;
            ClosedAtController();
        }
    }

    private int Latency() => world.Dice.Chance(5) ? world.Dice.Between(100, 3_000) : world.Dice.Between(1, 20);
}
