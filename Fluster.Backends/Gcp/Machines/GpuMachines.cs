namespace Fluster.Backends;

/// <summary>A GPU that Compute Engine has, and the names that jobs may use for it.</summary>
/// <param name="Name">Its name in the API, for example <c>nvidia-h100-80gb</c>.</param>
/// <param name="Variants">What jobs call it; any case.</param>
internal sealed record GpuModel(string Name, params string[] Variants)
{
    /// <summary>How many of it an n1 machine may have; empty for those that only come with machine types of their own.</summary>
    public IReadOnlyList<int> AttachedCounts { get; init; } = [];
}

/// <summary>GPUs and the machines that have them.</summary>
internal static class GpuMachines
{
    private const string L4 = "nvidia-l4";
    private const string A100 = "nvidia-tesla-a100";
    private const string A100Large = "nvidia-a100-80gb";
    private const string H100 = "nvidia-h100-80gb";
    private const string H100Mega = "nvidia-h100-mega-80gb";
    private const string H200 = "nvidia-h200-141gb";
    private const string B200 = "nvidia-b200";
    private const string Rtx = "nvidia-rtx-pro-6000";

    /// <summary>The cheapest first: that is the order for jobs that take any.</summary>
    public static IReadOnlyList<GpuModel> Models { get; } =
    [
        new("nvidia-tesla-t4", "t4") { AttachedCounts = [1, 2, 4] },
        new(L4, "l4"),
        new("nvidia-tesla-p4", "p4") { AttachedCounts = [1, 2, 4] },
        new("nvidia-tesla-p100", "p100") { AttachedCounts = [1, 2, 4] },
        new("nvidia-tesla-v100", "v100") { AttachedCounts = [1, 2, 4, 8] },
        new(Rtx, "rtx-pro-6000", "rtx6000"),
        new(A100, "a100", "a100-40gb"),
        new(A100Large, "a100-80gb"),
        new(H100, "h100", "h100-80gb"),
        new(H100Mega, "h100-mega", "h100-mega-80gb"),
        new(H200, "h200", "h200-141gb"),
        new(B200, "b200"),
    ];

    /// <summary>Machine types that come with GPUs. Memory in GiB.</summary>
    public static IReadOnlyList<MachineType> Types { get; } =
    [
        Of("g2-standard-4", 4, 16, L4, 1), Of("g2-standard-8", 8, 32, L4, 1), Of("g2-standard-12", 12, 48, L4, 1), Of("g2-standard-16", 16, 64, L4, 1), Of("g2-standard-32", 32, 128, L4, 1),
        Of("g2-standard-24", 24, 96, L4, 2), Of("g2-standard-48", 48, 192, L4, 4), Of("g2-standard-96", 96, 384, L4, 8),
        Of("a2-highgpu-1g", 12, 85, A100, 1), Of("a2-highgpu-2g", 24, 170, A100, 2), Of("a2-highgpu-4g", 48, 340, A100, 4), Of("a2-highgpu-8g", 96, 680, A100, 8), Of("a2-megagpu-16g", 96, 1360, A100, 16),
        Of("a2-ultragpu-1g", 12, 170, A100Large, 1), Of("a2-ultragpu-2g", 24, 340, A100Large, 2), Of("a2-ultragpu-4g", 48, 680, A100Large, 4), Of("a2-ultragpu-8g", 96, 1360, A100Large, 8),
        Of("a3-highgpu-1g", 26, 234, H100, 1), Of("a3-highgpu-2g", 52, 468, H100, 2), Of("a3-highgpu-4g", 104, 936, H100, 4), Of("a3-highgpu-8g", 208, 1872, H100, 8),
        Of("a3-edgegpu-8g", 208, 1872, H100, 8), Of("a3-megagpu-8g", 208, 1872, H100Mega, 8), Of("a3-ultragpu-8g", 224, 2952, H200, 8),
        Of("a4-highgpu-8g", 224, 3968, B200, 8),
        Of("g4-standard-48", 48, 180, Rtx, 1), Of("g4-standard-96", 96, 360, Rtx, 2), Of("g4-standard-192", 192, 720, Rtx, 4), Of("g4-standard-384", 384, 1440, Rtx, 8),
    ];

    /// <summary>The models that a job takes: those of this name, or all for <c>auto</c>.</summary>
    public static IEnumerable<GpuModel> ModelsFor(string variant) => variant == "auto"
        ? Models
        : Models.Where(model => string.Equals(model.Name, variant, StringComparison.OrdinalIgnoreCase) || model.Variants.Contains(variant, StringComparer.OrdinalIgnoreCase));

    /// <summary>The smallest machine with so many GPUs of a model on which the rest fits, too; null when there is none.</summary>
    public static MachineShape? Choose(GpuModel model, int count, long cpuMillis, ByteSize memory)
    {
        if (model.AttachedCounts.Count > 0)
        {
            var attached = model.AttachedCounts.Where(number => number >= count).Take(1).ToList();
            return attached is [var gpus] && MachineTypes.FindFamily("n1")!.Choose(Math.Max(cpuMillis, 1000), memory) is { } machine
                ? new MachineShape(machine) { AttachedGpu = model.Name, AttachedGpus = gpus }
                : null;
        }

        var needed = MachineType.TotalMiB(memory);
        return Types
            .Where(type => type.Gpu == model.Name && type.Gpus >= count && type.Cpus * 1000L >= cpuMillis && type.MemoryMiB >= needed)
            .OrderBy(type => type.Gpus).ThenBy(type => type.Cpus).ThenBy(type => type.MemoryMiB).ThenBy(type => type.Name, StringComparer.Ordinal)
            .Select(type => new MachineShape(type))
            .FirstOrDefault();
    }

    private static MachineType Of(string name, int cpus, int gib, string gpu, int gpus) => new(name, cpus, gib * 1024) { Gpu = gpu, Gpus = gpus };
}
