using Fluster.Backends;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The tables of machine types, and the rule by which one is chosen.</summary>
public class MachineTypesTests
{
    [Theory]
    [InlineData("n2-standard-4", 4, 16)]
    [InlineData("n2-highmem-128", 128, 864)]
    [InlineData("n2-highcpu-96", 96, 96)]
    [InlineData("e2-standard-32", 32, 128)]
    [InlineData("c3-highcpu-22", 22, 44)]
    [InlineData("c3d-highcpu-30", 30, 59)]
    [InlineData("c4-standard-2", 2, 7)]
    [InlineData("c4-highmem-2", 2, 15)]
    [InlineData("c4d-standard-16", 16, 62)]
    [InlineData("c4a-standard-72", 72, 288)]
    [InlineData("t2d-standard-60", 60, 240)]
    [InlineData("n2d-standard-224", 224, 896)]
    [InlineData("a2-highgpu-1g", 12, 85)]
    [InlineData("a3-ultragpu-8g", 224, 2952)]
    [InlineData("n2-custom-6-49152", 6, 48)]
    [InlineData("custom-10-66560", 10, 65)]
    public void Find_Known_HasItsCpusAndMemory(string name, int cpus, int gib)
    {
        var type = MachineTypes.Find(name);

        Assert.NotNull(type);
        Assert.Equal((name, cpus, gib * 1024), (type.Name, type.Cpus, type.MemoryMiB));
    }

    [Theory]
    [InlineData("n2-standard-3")]
    [InlineData("n2-highcpu-128")]
    [InlineData("e2-highmem-32")]
    [InlineData("n2-custom-3-4096")]
    [InlineData("n2-custom-34-65536")] // from 32 on in steps of 4
    [InlineData("n2-custom-4-40960")] // more than 8 GiB for each CPU
    [InlineData("n2-custom-4-4000")] // no multiple of 256 MiB
    [InlineData("c3-custom-4-8192")]
    [InlineData("custom-3-4096")]
    [InlineData("")]
    [InlineData("n2-custom-4-8192-ext")]
    public void Find_WhatGoogleDoesNotHave_FindsNothing(string name) => Assert.Null(MachineTypes.Find(name));

    [Fact]
    public void Names_AreEachThereOnce_AndNone_IsOfAnotherFamily()
    {
        Assert.Equal(MachineTypes.All.Count, MachineTypes.All.Select(type => type.Name).Distinct(StringComparer.Ordinal).Count());
        Assert.All(MachineTypes.Families, family => Assert.All(family.Types, type => Assert.Equal(family.Name, type.Family)));
        Assert.All(MachineTypes.All, type => Assert.True(type.UsableMemory.Bytes < type.MemoryMiB * (1L << 20), type.Name));
    }

    /// <summary>The least CPUs, then the least memory; nine tenths of it, or all but 1 GiB, are the jobs'.</summary>
    [Theory]
    [InlineData("n2", 4, 8, "n2-standard-4")]
    [InlineData("n2", 4, 14, "n2-standard-4")] // 14.4 of 16
    [InlineData("n2", 4, 15, "n2-highmem-4")]
    [InlineData("n2", 4, 2, "n2-highcpu-4")]
    [InlineData("n2", 5, 4, "n2-highcpu-8")]
    [InlineData("n2", 33, 120, "n2-standard-48")]
    [InlineData("n2", 2, 40, "n2-custom-6-45568")] // n2-highmem-8 would leave three quarters of its CPUs idle
    [InlineData("n2", 34, 50, "n2-highcpu-48+")] // waste of memory alone is no reason where highcpu fits
    [InlineData("c3", 2, 40, "c3-highmem-8")] // no custom machines in this family
    [InlineData("n1", 1, 2, "n1-standard-1")]
    [InlineData("c4", 2, 3, "c4-highcpu-2")] // 4 GiB, of which jobs can use 3
    public void Choose_TakesTheSmallestThatFits(string family, int cpus, int gib, string expected)
    {
        var type = MachineTypes.FindFamily(family)!.Choose(cpus * 1000, ByteSize.FromGiB(gib));

        Assert.NotNull(type);
        Assert.True(type.Cpus >= cpus && type.UsableMemory >= ByteSize.FromGiB(gib), type.ToString());
        if (!expected.EndsWith('+'))
        {
            Assert.Equal(expected, type.Name);
        }
    }

    [Fact]
    public void Choose_MoreThanThereIs_FindsNothing()
    {
        Assert.Null(MachineTypes.FindFamily("n2")!.Choose(129_000, ByteSize.FromGiB(1)));
        Assert.Null(MachineTypes.FindFamily("t2d")!.Choose(1000, ByteSize.FromGiB(300)));
    }

    /// <summary>Whatever is asked for: what is chosen has it, is a machine that Google makes, and no smaller one of the table would do.</summary>
    [Fact]
    public void Choose_AnyNeeds_FitsAndIsTheSmallest()
    {
        var random = new Random(TestScale.Seed);
        for (var round = 0; round < 2000; round++)
        {
            var family = MachineTypes.Families[random.Next(MachineTypes.Families.Count)];
            var (millis, memory) = (random.Next(1, 100_000), ByteSize.FromMiB(random.Next(1, 400_000)));
            if (family.Choose(millis, memory) is { } type)
            {
                Assert.True(type.Cpus * 1000 >= millis && type.UsableMemory >= memory, $"seed {TestScale.Seed}: {type} for {millis} {memory}");
                Assert.Equal(type, MachineTypes.Find(type.Name));
                Assert.DoesNotContain(family.Types, other => !other.IsShared && other.Cpus < type.Cpus && other.Cpus * 1000 >= millis && other.UsableMemory >= memory);
            }
            else
            {
                Assert.DoesNotContain(family.Types, other => !other.IsShared && other.Cpus * 1000 >= millis && other.MemoryMiB >= MachineType.TotalMiB(memory));
            }
        }
    }

    [Theory]
    [InlineData("l4", 1, 4, 8, "g2-standard-4")]
    [InlineData("l4", 1, 30, 8, "g2-standard-32")]
    [InlineData("l4", 2, 1, 1, "g2-standard-24")]
    [InlineData("l4", 3, 1, 1, "g2-standard-48")]
    [InlineData("a100", 1, 1, 1, "a2-highgpu-1g")]
    [InlineData("a100", 16, 1, 1, "a2-megagpu-16g")]
    [InlineData("A100-80GB", 2, 1, 1, "a2-ultragpu-2g")]
    [InlineData("h100", 1, 1, 1, "a3-highgpu-1g")]
    [InlineData("h200", 8, 1, 1, "a3-ultragpu-8g")]
    [InlineData("b200", 1, 1, 1, "a4-highgpu-8g")]
    [InlineData("t4", 2, 2, 4, "n1-standard-2+nvidia-tesla-t4x2")]
    [InlineData("v100", 3, 2, 4, "n1-standard-2+nvidia-tesla-v100x4")]
    [InlineData("nvidia-l4", 1, 1, 1, "g2-standard-4")]
    public void Choose_Gpus_TakesTheSmallestMachineWithThem(string variant, int count, int cpus, int gib, string expected)
    {
        var model = Assert.Single(GpuMachines.ModelsFor(variant));

        var shape = GpuMachines.Choose(model, count, cpus * 1000, ByteSize.FromGiB(gib));

        Assert.Equal(expected, shape?.ToString());
        Assert.True(shape!.Gpus >= count);
        Assert.Equal(model.Name, shape.Gpu);
        Assert.Equal(shape, MachineShape.Find(expected));
    }

    [Fact]
    public void Choose_MoreGpusThanAnyMachineHas_FindsNothing()
    {
        Assert.Null(GpuMachines.Choose(GpuMachines.ModelsFor("t4").Single(), 8, 1000, ByteSize.FromGiB(1)));
        Assert.Null(GpuMachines.Choose(GpuMachines.ModelsFor("h100").Single(), 9, 1000, ByteSize.FromGiB(1)));
        Assert.Empty(GpuMachines.ModelsFor("voodoo2"));
        Assert.Equal(GpuMachines.Models, GpuMachines.ModelsFor("auto"));
    }

    [Theory]
    [InlineData("n2-standard-4+")]
    [InlineData("n2-standard-4+x2")]
    [InlineData("n2-standard-4+nvidia-tesla-t4x0")]
    [InlineData("n2-standard-4+nvidia-tesla-t4x2+more")]
    public void Shape_ThatIsNone_IsNotFound(string text) => Assert.Null(MachineShape.Find(text));

    [Theory]
    [InlineData("v4-8", "V4", "tpu-ubuntu2204-base", "2x2x1", 240, 407)]
    [InlineData("v5litepod-1", "V5LITE_POD", "v2-alpha-tpuv5-lite", "1x1", 24, 48)]
    [InlineData("v5litepod-8", "V5LITE_POD", "v2-alpha-tpuv5-lite", "2x4", 224, 384)]
    [InlineData("v5litepod-16", "V5LITE_POD", "v2-alpha-tpuv5-lite", "4x4", 112, 192)]
    [InlineData("v5p-12288", "V5P", "v2-alpha-tpuv5", "16x16x24", 208, 448)]
    [InlineData("v6e-8", "V6E", "v2-alpha-tpuv6e", "2x4", 360, 1440)]
    [InlineData("v6e-256", "V6E", "v2-alpha-tpuv6e", "16x16", 180, 720)]
    public void Tpu_OfEveryGeneration_HasItsMachines(string variant, string generation, string runtime, string chips, int cpus, int gib)
    {
        var machine = TpuMachines.Find(variant);

        Assert.NotNull(machine);
        Assert.Equal((generation, runtime, chips, cpus, gib), (machine.Generation, machine.RuntimeVersion, machine.Chips, machine.Cpus, machine.MemoryGiB));
    }

    /// <summary>The product of a topology's sides is its chips, for all 39.</summary>
    [Fact]
    public void Tpu_All39_HaveTopologiesWithTheirChips()
    {
        Assert.Equal(39, TpuMachines.All.Count);
        Assert.All(TpuMachines.All, machine => Assert.Equal(machine.Topology.Chips, machine.Chips.Split('x').Aggregate(1, (product, side) => product * int.Parse(side))));
        Assert.All(TpuMachines.All, machine => Assert.Equal(machine.Topology.Chips, machine.Topology.Vms * machine.Topology.ChipsPerVm));
    }
}
