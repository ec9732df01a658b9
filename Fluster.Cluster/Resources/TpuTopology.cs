namespace Fluster.Cluster;

/// <summary>How a TPU slice is made up. Only <see cref="Vms"/> and <see cref="ChipsPerVm"/> drive scheduling.</summary>
/// <param name="Variant">The slice's name, for example <c>v5litepod-16</c>.</param>
/// <param name="Chips">The chips of the whole slice.</param>
/// <param name="Hosts">The physical hosts under it, as the seeds' table has them.</param>
/// <param name="Vms">The virtual machines, each with a worker of its own.</param>
/// <param name="ChipsPerVm">The chips that each virtual machine sees.</param>
public sealed record TpuTopology(string Variant, int Chips, int Hosts, int Vms, int ChipsPerVm)
{
    private const int MostNearNames = 5;

    /// <summary>The known slices: 39 of the generations v4, v5e, v5p and v6e (seed 003, stage 1; its 34 is a miscount).</summary>
    public static IReadOnlyList<TpuTopology> All { get; } =
    [
        new("v4-8", 4, 1, 1, 4),
        new("v4-16", 8, 2, 2, 4),
        new("v4-32", 16, 4, 4, 4),
        new("v4-64", 32, 8, 8, 4),
        new("v4-128", 64, 16, 16, 4),
        new("v4-256", 128, 32, 32, 4),
        new("v4-512", 256, 64, 64, 4),
        new("v4-1024", 512, 128, 128, 4),
        new("v4-2048", 1024, 256, 256, 4),
        new("v4-4096", 2048, 512, 512, 4),
        new("v5litepod-1", 1, 1, 1, 1),
        new("v5litepod-2", 2, 1, 1, 2),
        new("v5litepod-4", 4, 1, 1, 4),
        new("v5litepod-8", 8, 1, 1, 8),
        new("v5litepod-16", 16, 2, 4, 4),
        new("v5litepod-32", 32, 4, 8, 4),
        new("v5litepod-64", 64, 8, 16, 4),
        new("v5litepod-128", 128, 16, 32, 4),
        new("v5litepod-256", 256, 32, 64, 4),
        new("v5p-8", 4, 1, 1, 4),
        new("v5p-16", 8, 2, 2, 4),
        new("v5p-32", 16, 4, 4, 4),
        new("v5p-64", 32, 8, 8, 4),
        new("v5p-128", 64, 16, 16, 4),
        new("v5p-256", 128, 32, 32, 4),
        new("v5p-512", 256, 64, 64, 4),
        new("v5p-1024", 512, 128, 128, 4),
        new("v5p-2048", 1024, 256, 256, 4),
        new("v5p-4096", 2048, 512, 512, 4),
        new("v5p-8192", 4096, 1024, 1024, 4),
        new("v5p-12288", 6144, 1536, 1536, 4),
        new("v6e-1", 1, 1, 1, 1),
        new("v6e-4", 4, 1, 1, 4),
        new("v6e-8", 8, 1, 1, 8),
        new("v6e-16", 16, 4, 4, 4),
        new("v6e-32", 32, 8, 8, 4),
        new("v6e-64", 64, 16, 16, 4),
        new("v6e-128", 128, 32, 32, 4),
        new("v6e-256", 256, 64, 64, 4),
    ];

    /// <summary>The slice of this name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists near names.</exception>
    public static TpuTopology Get(string variant) => Find(variant)
        ?? throw new ArgumentException($"There is no TPU variant '{variant}'. Near names: {string.Join(", ", Near(variant))}.", nameof(variant));

    /// <summary>The slice of this name; null when there is none.</summary>
    public static TpuTopology? Find(string? variant) => All.FirstOrDefault(topology => topology.Variant == variant);

    private static IEnumerable<string> Near(string? variant) =>
        NearNames.Of(variant ?? "", All.Select(topology => topology.Variant), MostNearNames);
}
