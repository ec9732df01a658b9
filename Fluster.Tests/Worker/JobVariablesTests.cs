using System.Collections;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What a job's processes are told of the machine: which GPUs they see, and which TPU slice they are part of.</summary>
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

    /// <summary>What the machine found out about its slice reaches the jobs that asked for one, and no others; nothing else of the worker's does.</summary>
    [Theory]
    [InlineData(true, null, "tpu,cpu")]
    [InlineData(true, "cpu", "cpu")]
    [InlineData(false, null, null)]
    public void TpuVariables_ReachJobsThatAskedForTheSlice(bool asked, string? user, string? expected)
    {
        var found = BaseEnvironment.TpuOf(new Hashtable
        {
            ["JAX_PLATFORMS"] = "tpu,cpu", ["TPU_WORKER_ID"] = "2", ["MEGASCALE_SLICE_ID"] = "0", ["PJRT_DEVICE"] = "TPU", ["Fluster__Worker__Token"] = "secret",
        });
        Assert.Equal(["JAX_PLATFORMS", "MEGASCALE_SLICE_ID", "PJRT_DEVICE", "TPU_WORKER_ID"], found.Keys.Order(StringComparer.Ordinal));
        var spec = new V1.AttemptSpec { Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint() }, Environment = new V1.JobEnvironment() };
        if (asked)
        {
            spec.Resources = new V1.ResourceSpec { Device = new V1.Device { Tpu = new V1.TpuDevice { Variant = "v5litepod-16" } } };
        }

        if (user is not null)
        {
            spec.Environment.Variables["JAX_PLATFORMS"] = user;
        }

        var variables = JobVariables.Of(spec, new Fence(1), Surroundings(hasGpus: false) with { TpuVariables = found }, new Dictionary<string, int>(StringComparer.Ordinal), "mark");

        Assert.Equal(expected, variables.GetValueOrDefault("JAX_PLATFORMS"));
        Assert.Equal(asked ? "2" : null, variables.GetValueOrDefault("TPU_WORKER_ID"));
    }

    private static string? Visible(bool hasGpus, string? user, params int[] indices)
    {
        var spec = new V1.AttemptSpec { Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint() }, Environment = new V1.JobEnvironment() };
        spec.GpuIndices.AddRange(indices);
        if (user is not null)
        {
            spec.Environment.Variables["CUDA_VISIBLE_DEVICES"] = user;
        }

        return JobVariables.Of(spec, new Fence(1), Surroundings(hasGpus), new Dictionary<string, int>(StringComparer.Ordinal), "mark").GetValueOrDefault("CUDA_VISIBLE_DEVICES");
    }

    private static WorkerSurroundings Surroundings(bool hasGpus) => new()
    {
        WorkerId = "w",
        BindHost = "127.0.0.1",
        AdvertiseHost = "127.0.0.1",
        ControllerAddress = () => "",
        ClusterKey = () => "",
        BaseVariables = new Dictionary<string, string>(StringComparer.Ordinal),
        HasGpus = hasGpus,
    };
}
