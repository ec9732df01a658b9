namespace Fluster.Backends;

/// <summary>
/// The machine types of Compute Engine from which machines are chosen, after its catalogue of August 2026. The API is not asked: a choice has to
/// be there within the pass of the planner that needs it, and a type that a zone does not have is blocked there by the answer to the first try.
/// </summary>
internal static class MachineTypes
{
    private static readonly int[] s_c3d = [4, 8, 16, 30, 60, 90, 180, 360];

    /// <summary>Plain machines: those that are chosen by CPUs and memory.</summary>
    public static IReadOnlyList<MachineFamily> Families { get; } =
    [
        new("e2", [.. Sized("e2-standard", 4, 2, 4, 8, 16, 32), .. Sized("e2-highmem", 8, 2, 4, 8, 16), .. Sized("e2-highcpu", 1, 2, 4, 8, 16, 32),
            new("e2-micro", 2, 1024) { IsShared = true }, new("e2-small", 2, 2048) { IsShared = true }, new("e2-medium", 2, 4096) { IsShared = true }])
        {
            Custom = new("e2-custom-", Steps(2, 32, 2), 512, 8192),
        },
        new("n1", [.. Sized("n1-standard", 3.75, 1, 2, 4, 8, 16, 32, 64, 96), .. Sized("n1-highmem", 6.5, 2, 4, 8, 16, 32, 64, 96), .. Sized("n1-highcpu", 0.9, 2, 4, 8, 16, 32, 64, 96)])
        {
            Custom = new("custom-", [1, .. Steps(2, 96, 2)], 922, 6656), // 0.9 and 6.5 GiB
        },
        new("n2", [.. Sized("n2-standard", 4, 2, 4, 8, 16, 32, 48, 64, 80, 96, 128), .. Sized("n2-highmem", 8, 2, 4, 8, 16, 32, 48, 64, 80, 96), new("n2-highmem-128", 128, 864 * 1024),
            .. Sized("n2-highcpu", 1, 2, 4, 8, 16, 32, 48, 64, 80, 96)])
        {
            Custom = new("n2-custom-", [.. Steps(2, 32, 2), .. Steps(36, 128, 4)], 512, 8192),
        },
        new("n2d", [.. Sized("n2d-standard", 4, 2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224), .. Sized("n2d-highmem", 8, 2, 4, 8, 16, 32, 48, 64, 80, 96),
            .. Sized("n2d-highcpu", 1, 2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224)])
        {
            Custom = new("n2d-custom-", [2, 4, 8, 16, 32, 48, 64, 80, 96], 512, 8192),
        },
        new("n4", Kinds("n4", 4, 8, 2, 2, 4, 8, 16, 32, 48, 64, 80))
        {
            Custom = new("n4-custom-", Steps(2, 80, 2), 2048, 8192),
        },
        new("n4d", Kinds("n4d", 4, 8, 2, 2, 4, 8, 16, 32, 48, 64, 80, 96)),
        new("c3", Kinds("c3", 4, 8, 2, 4, 8, 22, 44, 88, 176)),
        new("c3d", [.. Sized("c3d-standard", 4, s_c3d), .. Sized("c3d-highmem", 8, s_c3d), .. s_c3d.Zip([8, 16, 32, 59, 118, 177, 354, 708], (cpus, gib) => new MachineType($"c3d-highcpu-{cpus}", cpus, gib * 1024))]),
        new("c4", Kinds("c4", 3.75, 7.75, 2, 2, 4, 8, 16, 24, 32, 48, 96, 144, 192, 288)),
        new("c4a", Kinds("c4a", 4, 8, 2, 1, 2, 4, 8, 16, 32, 48, 64, 72)),
        new("c4d", Kinds("c4d", 3.875, 7.875, 1.875, 2, 4, 8, 16, 32, 48, 64, 96, 192, 384)),
        new("t2d", [.. Sized("t2d-standard", 4, 1, 2, 4, 8, 16, 32, 48, 60)]),
    ];

    /// <summary>All of them, those with GPUs too; not the custom ones.</summary>
    public static IReadOnlyList<MachineType> All { get; } = [.. Families.SelectMany(family => family.Types), .. GpuMachines.Types];

    private static readonly Dictionary<string, MachineType> s_byName = All.ToDictionary(type => type.Name, StringComparer.Ordinal);

    public static MachineFamily? FindFamily(string name) => Families.FirstOrDefault(family => family.Name == name);

    /// <summary>The type of this name, custom ones too; null when there is none.</summary>
    public static MachineType? Find(string name) =>
        s_byName.GetValueOrDefault(name) ?? Families.Select(family => family.Custom?.Find(name)).FirstOrDefault(type => type is not null);

    private static List<MachineType> Kinds(string family, double standard, double highmem, double highcpu, params int[] sizes) =>
        [.. Sized($"{family}-standard", standard, sizes), .. Sized($"{family}-highmem", highmem, sizes), .. Sized($"{family}-highcpu", highcpu, sizes)];

    /// <summary>One type for each number of CPUs. Families with odd ratios give whole GiB from 4 up, n1 gives what it says.</summary>
    private static IEnumerable<MachineType> Sized(string name, double gibPerCpu, params int[] sizes) =>
        sizes.Select(cpus => new MachineType($"{name}-{cpus}", cpus, name.StartsWith("n1-", StringComparison.Ordinal)
            ? (int)Math.Round(gibPerCpu * cpus * 1024)
            : (int)Math.Floor(gibPerCpu * cpus) * 1024));

    private static IReadOnlyList<int> Steps(int first, int last, int step) => [.. Enumerable.Range(0, (last - first) / step + 1).Select(index => first + index * step)];
}
