namespace Fluster.Controller;

/// <summary>What is needed or there, in words.</summary>
internal static class ShapeText
{
    public static string Of(ResourceShape shape)
    {
        var parts = new List<string> { Cores(shape.CpuMillis), Memory(shape.MemoryBytes) };
        if (shape.DiskBytes > 0)
        {
            parts.Add(Disk(shape.DiskBytes));
        }

        if (shape.HasDevice)
        {
            parts.Add(Device(shape));
        }

        if (shape.Container)
        {
            parts.Add("a container engine");
        }

        if (shape.Regions.Length > 0)
        {
            parts.Add($"region {shape.Regions.Replace(",", " or ", StringComparison.Ordinal)}");
        }

        return string.Join(", ", parts);
    }

    public static string Cores(long millis) => millis == 1000 ? "1 core" : $"{millis / 1000m:0.###} cores";

    public static string Memory(long bytes) => $"{new ByteSize(bytes)} of memory";

    public static string Disk(long bytes) => $"{new ByteSize(bytes)} of disk";

    public static string Device(ResourceShape shape) => shape.TpuVariant.Length > 0
        ? $"a TPU {shape.TpuVariant}"
        : $"{Count(shape.Gpus, "GPU")}{(shape.GpuVariant is "" or "auto" ? "" : $" {shape.GpuVariant}")}";

    public static string Count(long count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";

    /// <summary>"a", "a and b", "a, b and 3 more".</summary>
    public static string List(IReadOnlyList<string> items, int most = 3) => items.Count switch
    {
        0 => "",
        1 => items[0],
        _ when items.Count <= most => $"{string.Join(", ", items.Take(items.Count - 1))} and {items[^1]}",
        _ => $"{string.Join(", ", items.Take(most))} and {items.Count - most} more",
    };

    /// <summary>The shape as users write it.</summary>
    public static ResourceSpec ToSpec(ResourceShape shape) => new()
    {
        CpuMillis = shape.CpuMillis,
        Memory = new ByteSize(shape.MemoryBytes),
        Disk = new ByteSize(shape.DiskBytes),
        Device = shape.Gpus > 0 ? new Device.Gpu(shape.GpuVariant.Length == 0 ? "auto" : shape.GpuVariant, shape.Gpus)
            : shape.TpuVariant.Length > 0 ? new Device.Tpu(shape.TpuVariant)
            : new Device.Cpu(),
        Preemptible = shape.Preemptible,
        Regions = shape.Regions.Length == 0 ? [] : shape.Regions.Split(','),
    };
}
