namespace Fluster.Controller;

/// <summary>Resources from the wire to what the rules and the scheduler compare.</summary>
internal static class ShapeWire
{
    public static ResourceShape ToShape(this V1.ResourceSpec? resources) => resources is null
        ? ResourceShape.None
        : new ResourceShape
        {
            CpuMillis = Math.Max(0, resources.CpuMillis),
            MemoryBytes = Math.Max(0, resources.MemoryBytes),
            DiskBytes = Math.Max(0, resources.DiskBytes),
            GpuVariant = resources.Device?.Gpu?.Variant ?? "",
            Gpus = Math.Max(0, resources.Device?.Gpu?.Count ?? 0),
            TpuVariant = resources.Device?.Tpu?.Variant ?? "",
            Preemptible = resources.Preemptible,
            Regions = string.Join(',', resources.Regions.Order(StringComparer.Ordinal)),
        };
}
