using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>
/// A program that is no job and has endpoints: it opens a registration, beats, comes again after every loss of its stream, and begins anew with another
/// registration when that one has ended. It dies and is started again.
/// </summary>
internal sealed class SimulatedRegistrant(SimulatedWorld world, string name) : SimulatedActor
{
    private const int Beat = 3_000;

    private EndpointId _endpoint = EndpointId.Parse($"{name}-e");
    private RegistrationId _id;
    private int _number;
    private int _takenBack;
    private Stream? _stream;
    private bool _isOver;

    public void Start()
    {
        if (!_isOver)
        {
            _id = RegistrationId.Parse($"{name}-{++_number}");
            Connect();
        }
    }

    /// <summary>Killed. The controller hears of it soon, late, or by its silence only.</summary>
    public void Die()
    {
        world.Trace.Note($"{name} dies");
        Lose(_stream);
        EndLife();
        world.After(world.Dice.Between(100, 20_000), this, "a registrant is started again", Start);
    }

    /// <summary>It is not started again.</summary>
    public void End()
    {
        _isOver = true;
        Lose(_stream);
        EndLife();
    }

    private void Connect()
    {
        var stream = _stream = new Stream(world.Controller.Life);
        Send(stream, "a registration arrives", new ClusterInput.OpenRegistration(_id, Namespace.Default), envelope => Opened(stream, envelope));
        world.After(5_000, this, "a registration had no answer", () => Again(stream), () => _stream == stream && stream.Uid == 0);
    }

    private void Opened(Stream stream, Envelope envelope)
    {
        if (_stream != stream || envelope.Fault is not null)
        {
            return;
        }

        if (envelope.Result!.Rejection is not null)
        {
            world.Figures.Count(SimulatedEvent.RegistrationRefusedAfterEnd);
            _stream = null;
            world.After(100, this, "a registrant opens another registration", Start);
            return;
        }

        stream.Uid = envelope.Result.Subject;
        var (owner, endpoint) = (new EndpointOwner(default, _id), _endpoint);
        world.Clients.Register(endpoint, owner);
        world.After(Beat, this, "a registrant beats", () => DoBeat(stream), () => _stream == stream);
    }

    private void DoBeat(Stream stream)
    {
        if (stream.ControllerLife != world.Controller.Life)
        {
            Again(stream); // the controller died: so did the stream
            return;
        }

        switch (world.Dice.Roll(20))
        {
            case 0:
                _stream = null;
                Send(stream, "a registration closes", new ClusterInput.EndRegistration(stream.Uid, Lost: false), _ => { });
                world.After(world.Dice.Between(100, 5_000), this, "a registrant opens another registration", Start);
                return;
            case 1:
                world.Clients.Unregister(_endpoint);
                _endpoint = EndpointId.Parse($"{name}-e{++_takenBack}");
                break;
            case 2:
                world.Trace.Note($"the stream of {name} breaks");
                Lose(stream);
                Again(stream);
                return;
        }

        Send(stream, "a beat arrives", new ClusterInput.HearRegistration(stream.Uid), envelope =>
        {
            if (envelope.Result?.Rejection is not null && _stream == stream)
            {
                world.Figures.Count(SimulatedEvent.RegistrationRefusedAfterEnd);
                _stream = null;
                Start();
            }
        });
        world.After(Beat, this, "a registrant beats", () => DoBeat(stream), () => _stream == stream);
    }

    private void Again(Stream stream)
    {
        if (_stream == stream)
        {
            _stream = null;
            world.After(world.Dice.Between(100, 2_000), this, "a registrant comes again", Connect, () => _stream is null);
        }
    }

    /// <summary>As RegistrationCalls has it: however a stream was lost, its time counts from when that was noticed.</summary>
    private void Lose(Stream? stream)
    {
        if (stream is { Uid: > 0, IsLost: false } && stream.ControllerLife == world.Controller.Life)
        {
            stream.IsLost = true;
            var heard = new ClusterInput.HearRegistration(stream.Uid);
            world.After(
                world.Dice.Chance(50) ? 1 : world.Dice.Roll(20_000), world.Controller, "the controller notices that a stream broke", () => world.Controller.Put(heard, _ => { }));
        }
    }

    private void Send(Stream stream, string what, ClusterInput input, Action<Envelope> answered)
    {
        var life = Life;
        world.After(1 + world.Dice.Roll(20), world.Controller, what, () =>
        {
            if (world.Controller.IsUp && !stream.IsLost)
            {
                world.Controller.Put(
                    input,
                    envelope => world.After(1 + world.Dice.Roll(20), this, "a registrant has its answer", () => answered(envelope), () => life == Life && !stream.IsLost),
                    isCall: true);
            }
        });
    }

    private sealed class Stream(int controllerLife)
    {
        public int ControllerLife => controllerLife;

        public long Uid { get; set; }

        public bool IsLost { get; set; }
    }
}
