using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Silence of registrations is counted in ticks, like that of workers.</summary>
public class RegistrationLeasesTests
{
    private readonly RegistrationLeases _leases = new(new LeaseSettings(RegistrationLostAfter: 3));

    [Fact]
    public void Silent_IsLostAfterItsTicks_AndNamedUntilItHasEnded()
    {
        _leases.Heard(1);
        _leases.Heard(2);
        Assert.Empty(_leases.Tick());
        _leases.Heard(2);
        Assert.Empty(_leases.Tick());

        Assert.Equal([1], _leases.Tick());
        Assert.Equal([1, 2], _leases.Tick());
        _leases.Ended(1);
        Assert.Equal([2], _leases.Tick());
    }

    [Fact]
    public void Reset_EndThatWasNotKept_ComesAgain_AndSilenceStaysCounted()
    {
        _leases.Heard(1);
        _leases.Heard(2);
        _leases.Tick();
        _leases.Tick();
        _leases.Ended(1);

        _leases.Reset([1, 2]);

        Assert.Equal([2], _leases.Tick());
        _leases.Reset([1]);
        _leases.Tick();
        Assert.Equal([1], _leases.Tick());
    }

    [Fact]
    public void Lost_AndTheDiskTookNothing_EndsAtTheNextTick_NotALeaseLater()
    {
        var core = new LoopCore(
            new ClusterState { Meta = new ClusterMeta { ClusterId = "lab", Epoch = 1 } }, new JobDirectory(), new LeaseSettings(RegistrationLostAfter: 3), ClusterMachine.Step);
        var now = new ClusterNow(1_000, 1_000);
        core.Apply(new ClusterInput.OpenRegistration(RegistrationId.Parse("r"), Namespace.Default), now);
        core.Keep(out _);
        core.TickLeases(now);
        core.TickLeases(now);
        core.TickLeases(now);
        Assert.Single(core.Batch.Registrations);

        core.Forget();
        core.TickLeases(now);
        core.Keep(out _);

        Assert.True(Assert.Single(core.Published.Registrations.Ascending()).Ended);
    }
}
