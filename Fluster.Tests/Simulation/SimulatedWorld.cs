namespace Fluster.Tests;

/// <summary>
/// A cluster in one thread: the real controller, scheduler and worker rules, over simulated time, network, disks and processes. Everything that happens
/// follows from the seed, so a run that went wrong can be made again.
/// </summary>
internal sealed class SimulatedWorld : IDisposable
{
    private const int Workers = 3;

    /// <summary>Programs outside any job that register endpoints.</summary>
    private const int Programs = 2;

    /// <summary>Time for everything to end once nothing is broken any more.</summary>
    private const long LongestSettling = 600_000;

    private readonly PriorityQueue<Pending, (long Time, long Order)> _pending = new();
    private long _order;

    public SimulatedWorld(ulong seed, PlantedBug bug, bool traced)
    {
        Seed = seed;
        Bug = bug;
        Dice = new SimulationDice(seed);
        Preempts = Dice.Chance(50);
        Trace = new SimulationTrace(traced);
        Controller = new SimulatedController(this);
        Machines = [.. Enumerable.Range(1, Workers).Select(number => new SimulatedWorker(this, $"w{number}"))];
        Clients = new SimulatedClients(this);
        Registrants = [.. Enumerable.Range(1, Programs).Select(number => new SimulatedRegistrant(this, $"r{number}"))];
        Stranger = new SimulatedStranger(this);
        Faults = new SimulatedFaults(this);
        Checks = new SimulationChecks(this);
    }

    public ulong Seed { get; }

    public PlantedBug Bug { get; }

    public SimulationDice Dice { get; }

    public SimulatedTime Time { get; } = new();

    public SimulationTrace Trace { get; }

    public SimulatedController Controller { get; }

    public IReadOnlyList<SimulatedWorker> Machines { get; }

    /// <summary>Whether the cluster preempts lower priorities.</summary>
    public bool Preempts { get; }

    public SimulatedClients Clients { get; }

    public IReadOnlyList<SimulatedRegistrant> Registrants { get; }

    public SimulatedStranger Stranger { get; }

    public SimulationFigures Figures { get; } = new();

    public SimulatedFaults Faults { get; }

    public SimulationChecks Checks { get; }

    public long Steps { get; private set; }

    /// <summary>Has something happen later.</summary>
    /// <param name="delay">Milliseconds from now.</param>
    /// <param name="actor">Whose it is: if that dies before, it does not happen. Null: the world's.</param>
    /// <param name="what">For the trace.</param>
    /// <param name="act">What is done.</param>
    /// <param name="wanted">Asked when the time has come; if not, it is no step.</param>
    public void After(long delay, SimulatedActor? actor, string what, Action act, Func<bool>? wanted = null) =>
        _pending.Enqueue(new Pending(actor, actor?.Life ?? 0, what, act, wanted), (Time.Now + delay, _order++));

    public void Dispose() => Controller.Dispose();

    /// <summary>Makes so many steps with faults, then lets everything come to an end without.</summary>
    public void Run(int steps)
    {
        Controller.Start();
        foreach (var machine in Machines)
        {
            machine.Start();
        }

        foreach (var registrant in Registrants)
        {
            registrant.Start();
        }

        Clients.Begin();
        Faults.Begin();
        while (Steps < steps)
        {
            Step();
        }

        Trace.Note($"nothing breaks from here on");
        Faults.Heal();
        Clients.StopSubmitting();
        var limit = Time.Now + LongestSettling;
        while (!Checks.IsQuiet)
        {
            if (Time.Now > limit)
            {
                throw new InvariantViolatedException(Checks.WhyNotQuiet());
            }

            Step();
        }

        Checks.AtTheEnd();
    }

    /// <summary>Lets the others go on for a while: somebody waits in the middle of a step.</summary>
    public void GoOnFor(long milliseconds)
    {
        var until = Time.Now + milliseconds;
        while (_pending.TryPeek(out _, out var when) && when.Time <= until)
        {
            Step();
        }

        Time.Now = Math.Max(Time.Now, until);
    }

    private void Step()
    {
        while (true)
        {
            if (!_pending.TryDequeue(out var next, out var when))
            {
                throw new InvariantViolatedException("Nothing will ever happen again.");
            }

            if (next.Actor is { } actor)
            {
                if (actor.Life != next.Life)
                {
                    continue;
                }

                if (actor.PausedUntil > Math.Max(Time.Now, when.Time))
                {
                    _pending.Enqueue(next, (actor.PausedUntil, when.Order));
                    continue;
                }
            }

            if (next.Wanted?.Invoke() == false)
            {
                continue;
            }

            Time.Now = Math.Max(Time.Now, when.Time);
            Trace.Step(++Steps, Time.Now, next.What);
            next.Act();
            return;
        }
    }

    private readonly record struct Pending(SimulatedActor? Actor, int Life, string What, Action Act, Func<bool>? Wanted);
}
