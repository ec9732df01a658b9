namespace Fluster.Backends;

/// <summary>A family of machine types: its sizes, and how much memory comes with each virtual CPU.</summary>
internal sealed record MachineFamily(string Name, IReadOnlyList<MachineType> Types)
{
    /// <summary>What sizes one may ask for oneself; null where there are only those of the table.</summary>
    public CustomMachines? Custom { get; init; }

    /// <summary>
    /// The smallest machine on which so much fits; null when there is none. One of the table, unless more than half of its CPUs or memory would
    /// lie idle and a custom machine is smaller.
    /// </summary>
    public MachineType? Choose(long cpuMillis, ByteSize memory)
    {
        var needed = MachineType.TotalMiB(memory);
        var standard = Types
            .Where(type => !type.IsShared && type.Cpus * 1000L >= cpuMillis && type.MemoryMiB >= needed)
            .OrderBy(type => type.Cpus).ThenBy(type => type.MemoryMiB).ThenBy(type => type.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        var isWasteful = standard is null || cpuMillis * 2 < standard.Cpus * 1000L || needed * 2 < standard.MemoryMiB;
        if (!isWasteful || Custom?.Choose(cpuMillis, needed) is not { } custom)
        {
            return standard;
        }

        return standard is null || custom.Cpus <= standard.Cpus && custom.MemoryMiB <= standard.MemoryMiB && custom.Name != standard.Name ? custom : standard;
    }
}

/// <summary>The machines of a family whose CPUs and memory one may choose.</summary>
/// <param name="Prefix">How their names begin: <c>n2-custom-</c>.</param>
/// <param name="Cpus">The numbers of CPUs that there are, in order.</param>
/// <param name="LeastMiB">The least memory for each CPU.</param>
/// <param name="MostMiB">The most memory for each CPU.</param>
internal sealed record CustomMachines(string Prefix, IReadOnlyList<int> Cpus, int LeastMiB, int MostMiB)
{
    /// <summary>Memory comes in these steps.</summary>
    private const int StepMiB = 256;

    public MachineType? Choose(long cpuMillis, long memoryMiB)
    {
        foreach (var cpus in Cpus.Where(cpus => cpus * 1000L >= cpuMillis))
        {
            var memory = RoundUp(Math.Max(memoryMiB, (long)cpus * LeastMiB));
            if (memory <= (long)cpus * MostMiB)
            {
                return new MachineType($"{Prefix}{cpus}-{memory}", cpus, (int)memory);
            }
        }

        return null;
    }

    /// <summary>The machine of this name; null when it is not one of these.</summary>
    public MachineType? Find(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal) || name[Prefix.Length..].Split('-') is not [var first, var second])
        {
            return null;
        }

        return int.TryParse(first, out var cpus) && int.TryParse(second, out var memory) && Cpus.Contains(cpus)
            && memory % StepMiB == 0 && memory >= (long)cpus * LeastMiB && memory <= (long)cpus * MostMiB
            ? new MachineType(name, cpus, memory)
            : null;
    }

    private static long RoundUp(long mib) => (mib + StepMiB - 1) / StepMiB * StepMiB;
}
