using Fluster.Controller;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The controller's end of a worker's link: does what WorkerConnection does, with the real <see cref="DesiredSet"/>.</summary>
internal sealed class SimulatedConnection
{
    private const long CompleteInterval = 30_000;

    private readonly SimulatedWorld _world;
    private readonly SimulatedController _controller;
    private readonly SimulatedWorker _machine;
    private readonly DesiredSet _desired;
    private readonly Queue<V1.Observed> _unread = new();
    private readonly ulong _incarnation;
    private long _completeAt;
    private bool _sendIsPlanned;
    private bool _isReading;
    private bool _isClosed;
    private bool _answerDue;

    public SimulatedConnection(
        SimulatedWorld world, SimulatedController controller, SimulatedLink link, SimulatedWorker machine, long workerUid, ulong incarnation)
    {
        (_world, _controller, Link, _machine, WorkerUid, _incarnation) = (world, controller, link, machine, workerUid, incarnation);
        _desired = new DesiredSet(workerUid, incarnation, SpecOf);
        link.Arrived = Arrived;
        link.ClosedAtController = () =>
        {
            _isClosed = true;
            controller.Detach(this);
        };
    }

    public SimulatedLink Link { get; }

    public long WorkerUid { get; }

    public void Greeted(IEnumerable<Observation> holdings) => _desired.Applied(holdings, _controller.Loop.Current);

    /// <summary>Welcomes the worker and sends the first complete set.</summary>
    public void Begin()
    {
        var meta = _controller.Loop.Current.Meta;
        Link.SendDown("welcome", () => _machine.Welcomed(Link, meta.ClusterId, meta.Epoch));
        _completeAt = _world.Time.Now;
        Update();
    }

    public void Update() => PlanSending(_world.Dice.Roll(3));

    private void Arrived(V1.Observed observed)
    {
        if (_controller.Loop.Current.Workers.Find(WorkerUid)?.Incarnation == _incarnation)
        {
            _machine.HeardAt = _world.Time.Now;
        }

        _unread.Enqueue(observed);
        ReadNext();
    }

    private void ReadNext()
    {
        if (_isReading || _isClosed || !_unread.TryDequeue(out var observed))
        {
            return;
        }

        _isReading = true;
        var seen = observed.Attempts.Select(OutcomeWire.ToRecord).ToList();
        var set = observed;
        if (_world.Bug == PlantedBug.IncompleteSetReadAsComplete)
        {
            set = observed.Clone();
            set.Complete = true;
        }

        _controller.Put(new ClusterInput.Observe(WorkerUid, _incarnation, [.. seen], [.. _desired.MissingFrom(set)]), envelope =>
        {
            _isReading = false;
            if (envelope.Fault is not null || envelope.Result!.Rejection is not null)
            {
                Link.CloseFromController();
                return;
            }

            _answerDue |= _desired.HasExclusive(_controller.Loop.Current);
            if (_desired.Applied(seen, _controller.Loop.Current) || _answerDue)
            {
                Update();
            }

            ReadNext();
        });
    }

    private void PlanSending(long delay)
    {
        if (!_sendIsPlanned && !_isClosed)
        {
            _sendIsPlanned = true;
            _world.After(delay, _controller, "sends what a worker is to hold", Send);
        }
    }

    private void Send()
    {
        _sendIsPlanned = false;
        if (_isClosed)
        {
            return;
        }

        var state = _controller.Loop.Current;
        if (state.Workers.Find(WorkerUid) is not { State: not WorkerState.Lost })
        {
            Link.CloseFromController(); // it was given up; it has to say Hello again
            return;
        }

        var complete = _world.Time.Now >= _completeAt;
        var answer = _answerDue;
        _answerDue = false;
        if (_desired.Next(state, complete, _controller.NextVersion, answer) is { } frame)
        {
            _world.Trace.Note($"to worker {WorkerUid}: version {frame.Version}, {frame.Attempts.Count} wanted, {frame.Superseded.Count} superseded, {frame.Acknowledged.Count} acknowledged{(complete ? ", complete" : "")}");
            Link.SendDown("a desired set arrives", () => _machine.Desired(Link, frame));
        }

        if (complete)
        {
            _completeAt = _world.Time.Now + CompleteInterval;
            _world.After(CompleteInterval, _controller, "a complete set is due", Update);
        }
    }

    private static V1.AttemptSpec SpecOf(JobRecord job, AttemptRecord attempt, ClusterState state) => new()
    {
        JobId = job.Id.ToString(),
        TaskIndex = attempt.TaskIndex,
        TaskCount = job.Terms.Replicas,
        Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { job.RequestId } } },
        AttemptNumber = attempt.Number,
        Exclusive = job.Terms.Exclusive,
        ExecutionTimeout = job.Terms.ExecutionTimeout > 0 ? Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMilliseconds(job.Terms.ExecutionTimeout)) : null,
    };
}
