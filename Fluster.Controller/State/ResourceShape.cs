namespace Fluster.Controller;

/// <summary>What a task needs, or what a worker has, in integers: milli-cores, bytes, devices.</summary>
internal sealed record ResourceShape
{
    public static ResourceShape None { get; } = new();

    public long CpuMillis { get; init; }

    public long MemoryBytes { get; init; }

    public long DiskBytes { get; init; }

    /// <summary>The kind of GPU; "auto" in a request means any. Empty: none.</summary>
    public string GpuVariant { get; init; } = "";

    public int Gpus { get; init; }

    /// <summary>The kind of TPU. Empty: none.</summary>
    public string TpuVariant { get; init; } = "";

    /// <summary>Of a request: may run where it can be preempted. Of a worker: can be preempted.</summary>
    public bool Preemptible { get; init; }

    /// <summary>Regions in which it may run, in order, joined by a comma. Empty: any.</summary>
    public string Regions { get; init; } = "";

    public bool AllowsRegion(string region)
    {
        if (Regions.Length == 0)
        {
            return true;
        }

        foreach (var part in Regions.AsSpan().Split(','))
        {
            if (Regions.AsSpan(part).SequenceEqual(region))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>What the attempts on a worker hold of it until they are known to be dead.</summary>
internal readonly record struct ResourceUse(long CpuMillis, long MemoryBytes, long DiskBytes, int Gpus)
{
    public ResourceUse Plus(ResourceShape shape) =>
        new(CpuMillis + shape.CpuMillis, MemoryBytes + shape.MemoryBytes, DiskBytes + shape.DiskBytes, Gpus + shape.Gpus);

    public ResourceUse Minus(ResourceShape shape) =>
        new(CpuMillis - shape.CpuMillis, MemoryBytes - shape.MemoryBytes, DiskBytes - shape.DiskBytes, Gpus - shape.Gpus);
}
