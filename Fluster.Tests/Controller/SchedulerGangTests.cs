using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Gangs are placed whole or not at all, and never two on one worker.</summary>
public class SchedulerGangTests
{
    private readonly SchedulerLab _lab = new();

    [Fact]
    public void RoomForSomeMembers_TakesNone_AndLeavesTheRoomToOthers()
    {
        _lab.Worker("w1", cpu: 2);
        _lab.Worker("w2", cpu: 1);
        Gang("gang", members: 4);
        _lab.Submit("later", 2);

        Assert.Equal(["later on w1"], _lab.PlanAndPlace());
    }

    [Fact]
    public void RoomForAll_PlacesAllInOneStep_SeveralOnAWorkerIfNeedBe()
    {
        _lab.Worker("w1", cpu: 2);
        _lab.Worker("w2", cpu: 2);
        Gang("gang", members: 4);

        Assert.Equal(["w1", "w1", "w2", "w2"], _lab.PlanAndPlace().Select(text => text[^2..]).Order(StringComparer.Ordinal));
        Assert.Equal(JobState.Building, _lab.Job("gang").State);
        Assert.Equal(4, _lab.Job("gang").Building);
    }

    [Fact]
    public void TwoGangs_NeverShareAWorker_WhateverRoomThereIs()
    {
        _lab.Worker("w1", cpu: 8);
        Gang("a", members: 2);
        Gang("b", members: 2);
        _lab.Submit("single", 1);
        Assert.Equal(["single on w1", "a#0 on w1", "a#1 on w1"], _lab.PlanAndPlace());
        Assert.Empty(_lab.Plan());

        _lab.Worker("w2", cpu: 8);

        Assert.Equal(["b#0 on w2", "b#1 on w2"], _lab.PlanAndPlace());
    }

    [Fact]
    public void Slices_EachIsAGangOfItsOwn()
    {
        foreach (var i in (int[])[1, 2, 3])
        {
            _lab.Worker($"t{i}", tpu: "v5litepod-16");
        }

        _lab.Submit("slices", new ResourceShape { TpuVariant = "v5litepod-16" }, terms => terms with { Replicas = 4, SliceSize = 2 });

        Assert.Equal(["slices#0 on t1", "slices#1 on t2"], _lab.PlanAndPlace());
        _lab.Worker("t4", tpu: "v5litepod-16");
        Assert.Equal(["slices#2 on t3", "slices#3 on t4"], _lab.PlanAndPlace());
    }

    [Fact]
    public void NextGeneration_WaitsUntilAllOfThisOneAreDead()
    {
        _lab.Worker("w1", cpu: 8);
        Gang("gang", members: 2, terms => terms with { FailureRetries = 3 });
        _lab.PlanAndPlace();
        _lab.End("gang", MachineLab.Exit(1), task: 0);
        _lab.Machine.Now += 10_000;
        Assert.Empty(_lab.Plan());

        _lab.End("gang", MachineLab.Exit(143), task: 1);

        Assert.Equal(["gang#0 on w1", "gang#1 on w1"], _lab.PlanAndPlace());
    }

    private void Gang(string name, int members, Func<JobTerms, JobTerms>? more = null) => _lab.Submit(
        name, 1, terms => (more?.Invoke(terms) ?? terms) with { Replicas = members, Coscheduled = true });
}
