using System.Diagnostics;
using System.Globalization;
using Fluster.Cluster;
using Fluster.Controller;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>Whole clusters in one thread, in which everything breaks that can: the invariants hold after every step.</summary>
public class SimulationTests(ITestOutputHelper output)
{
    /// <summary>In so many seeds everything occurs that the simulation is there for.</summary>
    private const int Enough = 1_000;

    [Fact]
    public void ManySeeds_KeepTheInvariants()
    {
        var (first, count) = Range();
        var started = Stopwatch.GetTimestamp();
        var failure = Simulation.FindFailure(first, count, PlantedBug.None, out var figures);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count} seeds from {first}: {figures.Steps} steps in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s"));
        output.WriteLine(figures.ToString());
        Assert.True(failure is null, failure is null ? "" : Simulation.Explain(failure));
        if (count >= Enough)
        {
            Assert.Empty(figures.Missing);
        }
    }

    [Fact]
    public void Seed_RunTwice_IsTheSameRun() => Assert.Equal(Simulation.Run(7), Simulation.Run(7));

    [Fact]
    public void Seeds_Differ() => Assert.NotEqual(Simulation.Run(7).Fingerprint, Simulation.Run(8).Fingerprint);

    /// <summary>The checks ask the programs what their user wanted: one who was refused must not answer for the job that lives under that id.</summary>
    [Fact]
    public void Programs_OfAJob_AreThoseOfTheSubmitThatMadeIt()
    {
        var jobs = new SimulatedJobs(new SimulationDice(1));

        var submits = Enumerable.Range(0, 20).Select(_ => jobs.New(JobId.Parse("j/c1"), parent: default)).ToList();

        Assert.Equal([false, true], submits.Select(submit => submit.Terms.Exclusive).Distinct().Order());
        Assert.All(submits, submit => Assert.Equal(submit.Terms.Exclusive, jobs.PlanOf(submit.RequestId).IsExclusive));
    }

    [Fact]
    public void Endpoint_TakenBackBeforeItsRegistrationWasAnswered_IsNotExpected()
    {
        var (registration, endpoint) = (RegistrationId.Parse("r-1"), EndpointId.Parse("e-1"));
        for (var seed = 1UL; seed <= 50; seed++) // the answers come in either order
        {
            using var world = new SimulatedWorld(seed, PlantedBug.None, traced: false);
            world.Controller.Start();
            world.Controller.Put(new ClusterInput.OpenRegistration(registration, Namespace.Default), _ => { });
            world.GoOnFor(100);

            world.Clients.Register(endpoint, new EndpointOwner(default, registration));
            world.Clients.Unregister(endpoint);
            world.GoOnFor(100);

            world.Clients.EndpointsAreThere(world.Controller.Loop.Current);
        }
    }

    /// <summary>As eng/simulate.sh asks for it: "count" or "count first".</summary>
    private static (ulong First, int Count) Range()
    {
#pragma warning disable RS0030 // Tests have no configuration of their own.
        var asked = (Environment.GetEnvironmentVariable("FLUSTER_SIMULATE") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
#pragma warning restore RS0030
        return asked switch
        {
            [var count] => (1, int.Parse(count, CultureInfo.InvariantCulture)),
            [var count, var first] => (ulong.Parse(first, CultureInfo.InvariantCulture), int.Parse(count, CultureInfo.InvariantCulture)),
            _ => (1, TestScale.Of(usual: 1_000, full: 10_000)),
        };
    }
}
