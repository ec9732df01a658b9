using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What a task asks for (seed 003, stage 1).</summary>
public class ResourceSpecTests
{
    [Fact]
    public void Default_IsATenthOfACoreAnd256MiB()
    {
        var resources = new ResourceSpec();

        Assert.Equal(100, resources.CpuMillis);
        Assert.Equal(0.1, resources.Cpu);
        Assert.Equal(ByteSize.FromMiB(256), resources.Memory);
        Assert.Equal(0, resources.Disk.Bytes);
        Assert.IsType<Device.Cpu>(resources.Device);
        Assert.False(resources.Preemptible);
        Assert.Empty(resources.Regions);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.1, 100)]
    [InlineData(0.1 + 0.2, 300)] // 0.30000000000000004
    [InlineData(1, 1000)]
    [InlineData(2.5, 2500)]
    [InlineData(0.0005, 1)]
    [InlineData(1.0001, 1001)]
    [InlineData(64, 64000)]
    public void Cpu_Cores_AreKeptInThousandths(double cores, long millis) => Assert.Equal(millis, new ResourceSpec { Cpu = cores }.CpuMillis);

    [Theory]
    [InlineData(-0.1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e30)]
    public void Cpu_NotAnAmount_IsRefused(double cores) => Assert.Throws<ArgumentOutOfRangeException>(() => new ResourceSpec { Cpu = cores });

    [Fact]
    public void WithCpu_IsOneCoreAnd2GiB()
    {
        Assert.Equal(new ResourceSpec { Cpu = 1, Memory = "2g" }, ResourceSpec.WithCpu());
        Assert.Equal(new ResourceSpec { Cpu = 4, Memory = "16g" }, ResourceSpec.WithCpu(4, "16g"));
    }

    [Fact]
    public void WithGpu_NamesTheModelOrAny()
    {
        Assert.Equal(new Device.Gpu("auto", 1), ResourceSpec.WithGpu().Device);
        Assert.Equal(new Device.Gpu("h100", 8), ResourceSpec.WithGpu("h100", 8).Device);
        Assert.Throws<ArgumentOutOfRangeException>(() => ResourceSpec.WithGpu("h100", 0));
        Assert.Throws<ArgumentException>(() => ResourceSpec.WithGpu(" "));
    }

    [Fact]
    public void WithTpu_KnowsItsSlice()
    {
        var device = Assert.IsType<Device.Tpu>(ResourceSpec.WithTpu("v5litepod-16").Device);

        Assert.Equal((16, 4, 4), (device.Topology.Chips, device.Topology.Vms, device.Topology.ChipsPerVm));
        Assert.Equal(new Device.Tpu("v5litepod-16"), device);
    }

    [Fact]
    public void Equals_SameContent_IsEqual()
    {
        var one = new ResourceSpec { Cpu = 2, Regions = ["europe-west4", "us-central1"] };

        Assert.Equal(one, new ResourceSpec { Cpu = 2, Regions = ["europe-west4", "us-central1"] });
        Assert.NotEqual(one, one with { Regions = ["us-central1", "europe-west4"] });
        Assert.NotEqual(one, one with { Device = new Device.Gpu() });
    }

    [Fact]
    public void ToString_SaysWhatIsAskedFor() => Assert.Equal(
        "0.5 cpu, 2 GiB, disk 10 GiB, gpu h100 x2, preemptible, in europe-west4",
        new ResourceSpec { Cpu = 0.5, Memory = "2g", Disk = "10g", Device = new Device.Gpu("h100", 2), Preemptible = true, Regions = ["europe-west4"] }.ToString());
}
