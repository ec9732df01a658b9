using Fluster.Cluster;
using Fluster.Controller;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Everybody who calls the controller: users who submit and stop jobs, and programs that register endpoints and submit children.</summary>
internal sealed class SimulatedClients(SimulatedWorld world)
{
    private const int AnswerTimeout = 4_000;

    private readonly SimulatedJobs _jobs = new(world.Dice);
    private readonly Dictionary<EndpointId, EndpointOwner> _registered = [];
    private readonly HashSet<EndpointId> _takenBack = [];
    private int _endpoints;
    private int _waiting;
    private bool _isOver;

    /// <summary>Jobs whose submit was acknowledged, by request id.</summary>
    public Dictionary<string, long> Acknowledged { get; } = new(StringComparer.Ordinal);

    /// <summary>Jobs whose stop was acknowledged.</summary>
    public SortedSet<long> Stopped { get; } = [];

    /// <summary>A revocation of tokens was acknowledged.</summary>
    public bool HasRevoked { get; private set; }

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

    /// <summary>What an attempt does: its command is the request that made its job.</summary>
    public ProgramPlan PlanOf(V1.AttemptSpec spec) => _jobs.PlanOf(spec.Entrypoint.Command.Argv[0]);

    public void Register(Fence owner) => Register(EndpointId.Parse($"e{++_endpoints}"), new EndpointOwner(owner));

    public void Register(EndpointId endpoint, EndpointOwner owner)
    {
        var input = new ClusterInput.RegisterEndpoint(endpoint, Namespace.Default, $"n{world.Dice.Roll(3)}", "host:1", [], owner);
        Call(input, "an endpoint arrives", owner.Registration is null && world.Dice.Chance(20) ? 6_000 : 20, envelope =>
        {
            // An answer may come when the endpoint was taken back already: two calls, two connections.
            if (envelope is { Fault: null, Result.Rejection: null } && !_takenBack.Contains(endpoint))
            {
                _registered[endpoint] = owner;
            }
        });
    }

    /// <summary>Takes an endpoint back. Nobody registers under that id again: each has an id of its own.</summary>
    public void Unregister(EndpointId endpoint)
    {
        _takenBack.Add(endpoint);
        _registered.Remove(endpoint);
        Call(new ClusterInput.UnregisterEndpoint(endpoint, Namespace.Default), "an endpoint is taken back", 20, _ => { });
    }

    /// <summary>An acknowledged endpoint is there for as long as its owner is.</summary>
    public void EndpointsAreThere(ClusterState state)
    {
        foreach (var (endpoint, owner) in _registered)
        {
            var lives = owner.Registration is { } id
                ? state.Registrations.Ascending().Any(registration => registration.Id == id && !registration.Ended)
                : state.Attempt(owner.Fence) is { IsLive: true };
            if (lives && !state.Endpoints.All.Any(known => known.Id == endpoint && known.Owner == owner))
            {
                throw new InvariantViolatedException($"Endpoint {endpoint} was acknowledged, its owner lives, and it is not there.");
            }
        }
    }

    public void SubmitChild(Fence parent)
    {
        if (!world.Controller.IsUp || world.Controller.Loop.Current.Attempt(parent) is not { } attempt || _jobs.AreEnough)
        {
            return;
        }

        var id = $"{world.Controller.Loop.Current.Jobs.Find(attempt.JobUid)!.Id}/c{world.Dice.Roll(2)}";
        if (!JobId.TryParse(id, out var jobId))
        {
            return;
        }

        var input = _jobs.New(jobId, parent);
        Call(input, "a child's submit arrives", world.Dice.Chance(20) ? 6_000 : 20, envelope => Note(input, envelope));
    }

    /// <summary>Somebody wants a worker to end when it is empty.</summary>
    /// <param name="machine">The worker's.</param>
    /// <param name="now">What runs there is stopped.</param>
    public void Drain(SimulatedWorker machine, bool now)
    {
        if (world.Controller.IsUp && world.Controller.Loop.Current.Workers.Ascending().FirstOrDefault(worker => worker.Id.ToString() == machine.Id) is { } worker)
        {
            world.Trace.Note($"somebody drains {machine.Id}{(now ? ", now" : "")}");
            Call(new ClusterInput.DrainWorker(worker.Uid, now), "a drain arrives", 20, _ => { });
        }
    }

    /// <summary>Somebody revokes tokens, or takes over the workers of another cluster.</summary>
    public void Administer()
    {
        if (!world.Controller.IsUp)
        {
            return;
        }

        if (world.Dice.Chance(60))
        {
            Call(new ClusterInput.RevokeTokens(Namespace.Default), "a revocation arrives", 20, envelope => HasRevoked |= envelope is { Fault: null, Result.Rejection: null });
            return;
        }

        var meta = world.Controller.Loop.Current.Meta;
        Call(new ClusterInput.AdoptWorkers($"other-{world.Dice.Roll(3)}", meta.Epoch + world.Dice.Roll(3), meta.NextAttempt + world.Dice.Roll(3)), "an adoption arrives", 20, _ => { });
    }

    private void DoSomething()
    {
        if (_isOver)
        {
            return;
        }

        if (!_jobs.AreEnough && world.Dice.Chance(70))
        {
            Submit();
        }
        else if (Acknowledged.Count > 0 && world.Dice.Chance(40))
        {
            Stop(world.Dice.Any(Acknowledged.Values.ToList()));
        }
        else if (Acknowledged.Count > 0 && world.Dice.Chance(10))
        {
            StopWithin(world.Dice.Any(Acknowledged.Values.ToList()));
        }
        else if (world.Dice.Chance(10))
        {
            Call(new ClusterInput.TerminateUnknown(_jobs.NextId, Namespace.Default), "a stop of an unknown job arrives", 20, _ => { });
        }

        world.After(world.Dice.Between(100, 3_000), null, "a user does something", DoSomething);
    }

    private void Submit()
    {
        var input = _jobs.New(_jobs.NextId, default);
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

    private void StopWithin(long job)
    {
        if (!world.Controller.IsUp || world.Controller.Loop.Current.Jobs is not { } jobs || jobs.Find(job) is not { } root)
        {
            return;
        }

        var meant = Acknowledged.Values.Where(uid => jobs.Find(uid) is { } each && each.Id.IsWithin(root.Id)).ToList();
        world.Trace.Note($"a user wants everything within {root.Id} stopped: {meant.Count} jobs");
        Call(new ClusterInput.StopWithin(root.Id, Namespace.Default, KillCause.User), "a stop of a tree arrives", 20, envelope =>
        {
            if (envelope is { Fault: null, Result.Rejection: null })
            {
                Stopped.UnionWith(meant);
            }
        });
    }

    /// <summary>One call on a connection of its own. No answer when the controller is down or dies; the answer takes its time.</summary>
    private void Call(ClusterInput input, string what, int slowest, Action<Envelope> answered)
    {
        Send(1 + world.Dice.Roll(slowest), answered);
        if (input is not ClusterInput.DrainWorker && world.Dice.Chance(3))
        {
            Send(1 + world.Dice.Roll(3_000), _ => world.Figures.Count(SimulatedEvent.CallRepeated)); // the client's connection broke, and it called once more
        }

        void Send(int delay, Action<Envelope> then) => world.After(delay, world.Controller, what, () =>
        {
            if (world.Controller.IsUp)
            {
                world.Controller.Put(input, envelope => world.After(1 + world.Dice.Roll(20), null, "an answer arrives", () => then(envelope)), isCall: true);
            }
        });
    }
}
