namespace Fluster.Backends;

/// <summary>A type of machine of Compute Engine.</summary>
/// <param name="Name">As the API takes it, for example <c>n2-standard-4</c> or <c>n2-custom-6-49152</c>.</param>
/// <param name="Cpus">Virtual CPUs.</param>
/// <param name="MemoryMiB">Memory; Google's GB are GiB.</param>
internal sealed record MachineType(string Name, int Cpus, int MemoryMiB)
{
    /// <summary>What a worker leaves to the system and itself at least.</summary>
    private const int LeastReserveMiB = 1024;

    /// <summary>The GPUs that come with it. Those of n1 machines are attached: <see cref="MachineShape"/>.</summary>
    public int Gpus { get; init; }

    /// <summary>Their name in the API, for example <c>nvidia-l4</c>; empty without GPUs.</summary>
    public string Gpu { get; init; } = "";

    /// <summary>Whether its CPUs are shared with others.</summary>
    public bool IsShared { get; init; }

    public string Family => Name.StartsWith("custom-", StringComparison.Ordinal) ? "n1" : Name[..Name.IndexOf('-', StringComparison.Ordinal)];

    /// <summary>Memory that jobs can use: nine tenths, as a worker offers them by itself, and 1 GiB less at least.</summary>
    public ByteSize UsableMemory => ByteSize.FromMiB(UsableMiB(MemoryMiB));

    /// <summary>Whether Google takes only hyperdisks for it.</summary>
    public bool NeedsHyperdisk => Family is "n4" or "n4d" or "c4" or "c4a" or "c4d" or "a4" or "a4x" or "g4" || Name.StartsWith("a3-ultragpu", StringComparison.Ordinal);

    /// <summary>The memory that jobs can use of so much.</summary>
    public static int UsableMiB(int total) => Math.Max(0, Math.Min(total - total / 10 - 1, total - LeastReserveMiB));

    /// <summary>The least memory of a machine of which jobs can use so much.</summary>
    public static long TotalMiB(ByteSize usable)
    {
        var mib = (usable.Bytes + (1 << 20) - 1) >> 20;
        return Math.Max(mib * 10 / 9 + 2, mib + LeastReserveMiB);
    }
}

/// <summary>A machine type with the GPUs that are attached to it, if any: the word for it in offers, for example <c>n1-standard-8+nvidia-tesla-t4x2</c>.</summary>
/// <param name="Type">The machine type.</param>
internal sealed record MachineShape(MachineType Type)
{
    /// <summary>GPUs that are attached to a machine type without any; empty for none.</summary>
    public string AttachedGpu { get; init; } = "";

    public int AttachedGpus { get; init; }

    public int Gpus => Type.Gpus + AttachedGpus;

    public string Gpu => AttachedGpus > 0 ? AttachedGpu : Type.Gpu;

    /// <summary>Reads <see cref="ToString"/> back; null for anything else.</summary>
    public static MachineShape? Find(string text)
    {
        if (text.Split('+') is not [var name, .. var attached] || attached.Length > 1 || MachineTypes.Find(name) is not { } type)
        {
            return null;
        }

        if (attached is not [var gpus])
        {
            return new MachineShape(type);
        }

        var by = gpus.LastIndexOf('x');
        return by > 0 && int.TryParse(gpus.AsSpan(by + 1), out var count) && count > 0
            ? new MachineShape(type) { AttachedGpu = gpus[..by], AttachedGpus = count }
            : null;
    }

    /// <inheritdoc/>
    public override string ToString() => AttachedGpus > 0 ? $"{Type.Name}+{AttachedGpu}x{AttachedGpus}" : Type.Name;
}
