using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Which GPUs a job's processes see.</summary>
public class JobVariablesTests
{
    [Fact]
    public void GpusOfTheAttempt_AreTheOnesThatItSees_WhateverTheUserSet() => Assert.Equal("1,3", Visible(hasGpus: true, user: "0,1,2,3", 1, 3));

    [Fact]
    public void JobWithoutGpus_OnAMachineWithSome_SeesNone() => Assert.Equal("", Visible(hasGpus: true, user: "0"));

    [Fact]
    public void MachineWithoutGpus_LeavesTheVariableAlone()
    {
        Assert.Equal("0", Visible(hasGpus: false, user: "0"));
        Assert.Null(Visible(hasGpus: false, user: null));
    }

    private static string? Visible(bool hasGpus, string? user, params int[] indices)
    {
        var spec = new V1.AttemptSpec { Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint() }, Environment = new V1.JobEnvironment() };
        spec.GpuIndices.AddRange(indices);
        if (user is not null)
        {
            spec.Environment.Variables["CUDA_VISIBLE_DEVICES"] = user;
        }

        var surroundings = new WorkerSurroundings
        {
            WorkerId = "w",
            BindHost = "127.0.0.1",
            AdvertiseHost = "127.0.0.1",
            ControllerAddress = () => "",
            ClusterKey = () => "",
            BaseVariables = new Dictionary<string, string>(StringComparer.Ordinal),
            HasGpus = hasGpus,
        };
        return JobVariables.Of(spec, new Fence(1), surroundings, new Dictionary<string, int>(StringComparer.Ordinal), "mark").GetValueOrDefault("CUDA_VISIBLE_DEVICES");
    }
}
