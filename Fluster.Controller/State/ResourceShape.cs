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

    /// <summary>A worker's chips of a TPU go to one attempt as a whole.</summary>
    public int Tpus => TpuVariant.Length > 0 ? 1 : 0;

    public bool HasDevice => Gpus > 0 || TpuVariant.Length > 0;

    /// <summary>Of a request: may run where it can be preempted. Of a worker: can be preempted.</summary>
    public bool Preemptible { get; init; }

    /// <summary>Of a request: runs in a container. Of a worker: has an engine for them that answers.</summary>
    public bool Container { get; init; }

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
internal readonly record struct ResourceUse(long CpuMillis, long MemoryBytes, long DiskBytes, GpuSet Gpus, int Tpus)
{
    /// <param name="shape">What an attempt asked for.</param>
    /// <param name="gpus">Which GPUs it was given.</param>
    public ResourceUse Plus(ResourceShape shape, GpuSet gpus) =>
        new(CpuMillis + shape.CpuMillis, MemoryBytes + shape.MemoryBytes, DiskBytes + shape.DiskBytes, Gpus.With(gpus), Tpus + shape.Tpus);

    public ResourceUse Minus(ResourceShape shape, GpuSet gpus) =>
        new(CpuMillis - shape.CpuMillis, MemoryBytes - shape.MemoryBytes, DiskBytes - shape.DiskBytes, Gpus.Without(gpus), Tpus - shape.Tpus);
}
