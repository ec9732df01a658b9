using Fluster.Controller;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What the machine is told of a request.</summary>
public class LaunchRulesTests
{
    [Theory]
    [InlineData("", 3, false, 3, 1, 1)]
    [InlineData("", 3, true, 3, 1, 3)]
    [InlineData("v5litepod-16", 2, false, 8, 4, 4)] // two slices of four machines, each a gang
    [InlineData("v5litepod-16", 2, true, 8, 4, 8)]
    [InlineData("v5litepod-8", 2, false, 2, 1, 1)]
    public void TermsOf_SlicesAndReplicas_MakeTasksAndGangs(string tpu, int replicas, bool coscheduled, int tasks, int slice, int gang)
    {
        var spec = new V1.JobSpec { Name = "train", Replicas = replicas, Coscheduled = coscheduled, Resources = new V1.ResourceSpec() };
        if (tpu.Length > 0)
        {
            spec.Resources.Device = new V1.Device { Tpu = new V1.TpuDevice { Variant = tpu } };
        }

        LaunchRules.Complete(spec);
        var terms = LaunchRules.TermsOf(spec);

        Assert.Equal((tasks, slice, gang), (terms.Replicas, terms.SliceSize, terms.GangSize));
    }
}
