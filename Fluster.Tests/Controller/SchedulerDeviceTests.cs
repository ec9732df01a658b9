using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Which machines a job may have, and which it gets first.</summary>
public class SchedulerDeviceTests
{
    private readonly SchedulerLab _lab = new();

    [Fact]
    public void Cpu_PlainWorkersFirst_ThenThoseWithDevices()
    {
        _lab.Worker("gpu", cpu: 8, gpus: 4);
        _lab.Worker("plain", cpu: 2);
        _lab.Submit("a", 1);
        _lab.Submit("b", 1);
        _lab.Submit("c", 1);

        Assert.Equal(["a on plain", "b on plain", "c on gpu"], _lab.Plan());
    }

    [Fact]
    public void Container_GoesOnlyWhereAnEngineIs_AndOthersGoAnywhere()
    {
        _lab.Worker("bare", cpu: 8);
        _lab.Submit("image", new ResourceShape { CpuMillis = 1000, Container = true });
        Assert.Empty(_lab.Plan());

        _lab.Worker("engine", cpu: 1, containers: true);
        _lab.Submit("another", new ResourceShape { CpuMillis = 1000, Container = true });
        _lab.Submit("plain", 1);
        Assert.Equal(["image on engine", "plain on bare"], _lab.Plan());

        _lab.Worker("engine", cpu: 1); // it is gone
        Assert.Equal(["plain on bare"], _lab.Plan());
    }

    [Fact]
    public void Gpu_VariantIsExact_AutoTakesAny()
    {
        _lab.Worker("h", gpus: 2, gpu: "h100");
        _lab.Submit("exact", Gpu("a100", 1));
        _lab.Submit("any", Gpu("auto", 1));
        _lab.Submit("right", Gpu("h100", 1));
        _lab.Submit("late", Gpu("h100", 1));

        Assert.Equal(["any on h", "right on h"], _lab.Plan());
    }

    [Fact]
    public void Gpu_IndicesOfLiveAttempts_AreNeverShared_AndComeBackAfterDeath()
    {
        _lab.Worker("h", gpus: 4);
        _lab.Submit("a", Gpu("auto", 2));
        _lab.Submit("b", Gpu("auto", 2));
        _lab.PlanAndPlace();
        Assert.Equal(["0,1", "2,3"], [$"{_lab.Attempt("a").Gpus}", $"{_lab.Attempt("b").Gpus}"]);

        _lab.End("a", MachineLab.Success);
        _lab.Submit("c", Gpu("auto", 1));
        _lab.Submit("d", Gpu("auto", 1));
        _lab.PlanAndPlace();

        Assert.Equal(["0", "1"], [$"{_lab.Attempt("c").Gpus}", $"{_lab.Attempt("d").Gpus}"]);
        Assert.Equal(4, _lab.Machine.Worker("h")!.Used.Gpus.Count);
    }

    [Fact]
    public void Tpu_OneAttemptForEachWorker()
    {
        _lab.Worker("t1", tpu: "v5litepod-16");
        _lab.Worker("t2", tpu: "v5litepod-16");
        _lab.Submit("a", new ResourceShape { TpuVariant = "v5litepod-16" });
        _lab.Submit("other", new ResourceShape { TpuVariant = "v4-8" });
        _lab.Submit("b", new ResourceShape { TpuVariant = "v5litepod-16" });
        _lab.Submit("c", new ResourceShape { TpuVariant = "v5litepod-16" });

        Assert.Equal(["a on t1", "b on t2"], _lab.PlanAndPlace());
    }

    [Fact]
    public void Preemptible_OnlyThoseWhoMay_AndTheyGoThereFirst()
    {
        _lab.Worker("stays", cpu: 2);
        _lab.Worker("spot", cpu: 2, preemptible: true);
        _lab.Submit("careful", 1);
        _lab.Submit("bold", new ResourceShape { CpuMillis = 1000, Preemptible = true });
        _lab.Submit("careful2", 1);
        _lab.Submit("careful3", 1);

        Assert.Equal(["careful on stays", "bold on spot", "careful2 on stays"], _lab.Plan());
    }

    [Fact]
    public void Regions_AnyOfThoseNamed()
    {
        _lab.Worker("w", region: "us-west4");
        _lab.Worker("e", region: "europe-west4");
        _lab.Submit("a", new ResourceShape { CpuMillis = 1, Regions = "europe-west4" });
        _lab.Submit("b", new ResourceShape { CpuMillis = 1, Regions = "asia-east1" });
        _lab.Submit("c", new ResourceShape { CpuMillis = 1, Regions = "asia-east1,us-west4" });

        Assert.Equal(["a on e", "c on w"], _lab.Plan());
    }

    [Fact]
    public void ManyWorkers_TheLeastLoadedOfAll_IsTaken()
    {
        for (var i = 0; i < 40; i++)
        {
            _lab.Worker($"w{i:00}", cpu: 4);
        }

        for (var i = 0; i < 40; i++)
        {
            _lab.Submit($"j{i:00}", 1);
        }

        Assert.Equal(40, _lab.PlanAndPlace().Select(text => text[^3..]).Distinct(StringComparer.Ordinal).Count());
    }

    private static ResourceShape Gpu(string variant, int count) => new() { CpuMillis = 100, GpuVariant = variant, Gpus = count };
}
