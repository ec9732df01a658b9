using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The slices that the seeds know (seed 003, stage 1).</summary>
public class TpuTopologyTests
{
    [Theory]
    [InlineData("v4-8", 4, 1, 1, 4)]
    [InlineData("v4-4096", 2048, 512, 512, 4)]
    [InlineData("v5litepod-1", 1, 1, 1, 1)]
    [InlineData("v5litepod-2", 2, 1, 1, 2)]
    [InlineData("v5litepod-8", 8, 1, 1, 8)]
    [InlineData("v5litepod-16", 16, 2, 4, 4)]
    [InlineData("v5litepod-256", 256, 32, 64, 4)]
    [InlineData("v5p-12288", 6144, 1536, 1536, 4)]
    [InlineData("v6e-8", 8, 1, 1, 8)]
    [InlineData("v6e-256", 256, 64, 64, 4)]
    public void Get_Known_HasItsNumbers(string variant, int chips, int hosts, int vms, int chipsPerVm) =>
        Assert.Equal(new TpuTopology(variant, chips, hosts, vms, chipsPerVm), TpuTopology.Get(variant));

    [Fact]
    public void All_Are39_EachOnce_AndTheirMachinesHaveTheirChips()
    {
        Assert.Equal(39, TpuTopology.All.Count);
        Assert.Equal(39, TpuTopology.All.Select(topology => topology.Variant).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal([10, 9, 12, 8], TpuTopology.All.GroupBy(topology => topology.Variant.Split('-')[0]).Select(group => group.Count()));
        Assert.All(TpuTopology.All, topology => Assert.Equal(topology.Chips, topology.Vms * topology.ChipsPerVm));
    }

    // The name counts cores in generations 4 and 5p (two to a chip) and chips in 5e and 6e.
    [Fact]
    public void All_ChipsFollowFromTheName() => Assert.All(TpuTopology.All, topology =>
    {
        var parts = topology.Variant.Split('-');
        Assert.Equal(int.Parse(parts[1]) / (parts[0] is "v4" or "v5p" ? 2 : 1), topology.Chips);
    });

    [Fact]
    public void Get_Unknown_ListsNearNames()
    {
        var error = Assert.Throws<ArgumentException>(() => ResourceSpec.WithTpu("v5litepod-12"));

        Assert.Contains("'v5litepod-12'", error.Message, StringComparison.Ordinal);
        Assert.Contains("v5litepod-128", error.Message, StringComparison.Ordinal);
        Assert.Contains("v5litepod-16", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Get_OtherCase_IsFoundAmongTheNearNames() =>
        Assert.Contains("v6e-16,", Assert.Throws<ArgumentException>(() => TpuTopology.Get("V6E-16")).Message, StringComparison.Ordinal);
}
