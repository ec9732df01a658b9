namespace Fluster.Cluster;

/// <summary>What one task needs of the machine that it runs on.</summary>
public sealed record ResourceSpec
{
    /// <summary>Cores, in thousandths. Default: 100 (0.1 core).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long CpuMillis
    {
        get;
        init => field = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A task cannot need less than no core.");
    } = 100;

    /// <summary>Cores; kept in thousandths, rounded up. Default: 0.1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative, not a number, or out of all proportion.</exception>
    public double Cpu
    {
        get => CpuMillis / 1000.0;
        // A hair below the next thousandth is a rounding error of the caller's arithmetic, not a wish for more.
        init => CpuMillis = value is >= 0 and <= 1e9
            ? (long)Math.Ceiling(Math.Round(value * 1000, 6))
            : throw new ArgumentOutOfRangeException(nameof(value), value, "Cores are a number from 0.");
    }

    /// <summary>Memory. Default: 256 MiB.</summary>
    public ByteSize Memory { get; init; } = ByteSize.FromMiB(256);

    /// <summary>Disk in the task's working directory. Default: 0, not asked for.</summary>
    public ByteSize Disk { get; init; }

    /// <summary>The kind of machine. Default: any.</summary>
    public Device Device { get; init; } = new Device.Cpu();

    /// <summary>May run on a machine that the cloud can take away at any moment. Default: false.</summary>
    public bool Preemptible { get; init; }

    /// <summary>Regions that it may run in. Default: none, any.</summary>
    public IReadOnlyList<string> Regions { get; init; } = [];

    /// <summary>One core and 2 GB, no accelerator (seed 003, stage 1).</summary>
    public static ResourceSpec WithCpu(double cpu = 1, ByteSize? memory = null) =>
        new() { Cpu = cpu, Memory = memory ?? ByteSize.FromGiB(2) };

    /// <summary>GPUs with one core and 2 GB (seed 003, stage 1).</summary>
    /// <exception cref="ArgumentException">The variant is empty or the count less than 1.</exception>
    public static ResourceSpec WithGpu(string variant = "auto", int count = 1, double cpu = 1, ByteSize? memory = null) =>
        WithCpu(cpu, memory) with { Device = new Device.Gpu(variant, count) };

    /// <summary>A TPU slice, with one core and 2 GB on each of its machines (seed 003, stage 1).</summary>
    /// <exception cref="ArgumentException">There is no such slice; the message lists near names.</exception>
    public static ResourceSpec WithTpu(string variant, double cpu = 1, ByteSize? memory = null) =>
        WithCpu(cpu, memory) with { Device = new Device.Tpu(variant) };

    /// <inheritdoc/>
    public bool Equals(ResourceSpec? other) =>
        other is not null && CpuMillis == other.CpuMillis && Memory == other.Memory && Disk == other.Disk && Device == other.Device
        && Preemptible == other.Preemptible && Regions.SequenceEqual(other.Regions, StringComparer.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(CpuMillis, Memory, Disk, Device, Preemptible, Regions.Count);

    /// <summary>As a person reads it: <c>0.1 cpu, 256 MiB</c>.</summary>
    public override string ToString()
    {
        var text = $"{Cpu:0.###} cpu, {Memory}";
        text += Disk.Bytes > 0 ? $", disk {Disk}" : "";
        text += Device is Device.Cpu ? "" : $", {Device}";
        text += Preemptible ? ", preemptible" : "";
        return Regions.Count > 0 ? $"{text}, in {string.Join(" or ", Regions)}" : text;
    }
}
