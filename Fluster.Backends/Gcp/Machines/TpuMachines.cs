namespace Fluster.Backends;

/// <summary>What Cloud TPU calls a slice, and what each of its machines has.</summary>
/// <param name="Topology">How the slice is made up.</param>
/// <param name="Generation">The type in the API's accelerator configuration: V4, V5LITE_POD, V5P, V6E.</param>
/// <param name="RuntimeVersion">The software that its machines run.</param>
/// <param name="Cpus">Virtual CPUs of each machine.</param>
/// <param name="MemoryGiB">Memory of each machine.</param>
internal sealed record TpuMachine(TpuTopology Topology, string Generation, string RuntimeVersion, int Cpus, int MemoryGiB)
{
    /// <summary>How the chips are connected, as the API writes it: <c>4x4</c>, <c>2x2x2</c>.</summary>
    public string Chips => TpuMachines.ChipsOf(Topology);

    /// <summary>Memory of each machine that jobs can use.</summary>
    public ByteSize UsableMemory => ByteSize.FromMiB(MachineType.UsableMiB(MemoryGiB * 1024));
}

/// <summary>The machines of TPU slices (the 39 of <see cref="TpuTopology.All"/>).</summary>
internal static class TpuMachines
{
    /// <summary>What is free of a TPU machine's 100 GB boot disk at least.</summary>
    public static readonly ByteSize UsableDisk = ByteSize.FromGiB(50);

    public static IReadOnlyList<TpuMachine> All { get; } = [.. TpuTopology.All.Select(Of)];

    private static readonly Dictionary<string, TpuMachine> s_byName = All.ToDictionary(machine => machine.Topology.Variant, StringComparer.Ordinal);

    public static TpuMachine? Find(string variant) => s_byName.GetValueOrDefault(variant);

    /// <summary>How the chips of a slice are connected.</summary>
    public static string ChipsOf(TpuTopology topology) => topology.Variant.StartsWith("v4-", StringComparison.Ordinal) || topology.Variant.StartsWith("v5p-", StringComparison.Ordinal)
        ? topology.Chips switch
        {
            4 => "2x2x1",
            8 => "2x2x2",
            16 => "2x2x4",
            32 => "2x4x4",
            64 => "4x4x4",
            128 => "4x4x8",
            256 => "4x8x8",
            512 => "8x8x8",
            1024 => "8x8x16",
            2048 => "8x16x16",
            4096 => "16x16x16",
            6144 => "16x16x24",
            _ => throw new ArgumentException($"The topology of {topology.Variant} is not known.", nameof(topology)),
        }
        : topology.Chips switch
        {
            1 => "1x1",
            2 => "1x2", // not among Google's own shapes: the API may refuse it
            4 => "2x2",
            8 => "2x4",
            16 => "4x4",
            32 => "4x8",
            64 => "8x8",
            128 => "8x16",
            256 => "16x16",
            _ => throw new ArgumentException($"The topology of {topology.Variant} is not known.", nameof(topology)),
        };

    private static TpuMachine Of(TpuTopology topology)
    {
        var (cpus, memory) = (Generation(topology), topology.ChipsPerVm) switch
        {
            ("V4", _) => (240, 407),
            ("V5LITE_POD", 1) => (24, 48),
            ("V5LITE_POD", 2 or 4) => (112, 192),
            ("V5LITE_POD", 8) => (224, 384),
            ("V5P", _) => (208, 448),
            ("V6E", 1) => (44, 176),
            ("V6E", 4) => (180, 720),
            ("V6E", 8) => (360, 1440),
            var unknown => throw new ArgumentException($"The machines of {topology.Variant} are not known ({unknown}).", nameof(topology)),
        };
        return new TpuMachine(topology, Generation(topology), Runtime(topology), cpus, memory);
    }

    private static string Generation(TpuTopology topology) => topology.Variant.Split('-')[0] switch
    {
        "v4" => "V4",
        "v5litepod" => "V5LITE_POD",
        "v5p" => "V5P",
        "v6e" => "V6E",
        var unknown => throw new ArgumentException($"There is no TPU generation '{unknown}'.", nameof(topology)),
    };

    private static string Runtime(TpuTopology topology) => Generation(topology) switch
    {
        "V5LITE_POD" => "v2-alpha-tpuv5-lite",
        "V5P" => "v2-alpha-tpuv5",
        "V6E" => "v2-alpha-tpuv6e",
        _ => "tpu-ubuntu2204-base",
    };
}
