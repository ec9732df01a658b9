using System.Globalization;

namespace Fluster.Hosting;

/// <summary>A worker's part of the machine that it shares with others.</summary>
/// <param name="Cpu">Cores.</param>
/// <param name="Memory">Memory, as the worker reads it.</param>
/// <param name="PortRange">Ports for jobs, both ends included.</param>
internal sealed record MachineShare(double Cpu, string Memory, string PortRange)
{
    // The range of ports for jobs (seed 003).
    private const int FirstPort = 30_000;
    private const int LastPort = 40_000;

    // What is left to the system, Redis, the controller and the workers themselves.
    private const double MemoryForJobs = 0.9;

    /// <summary>The part of worker <paramref name="index"/> (from 0) of <paramref name="count"/>.</summary>
    public static MachineShare Of(int index, int count) => Of(
        index, count, Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, FirstEphemeralPort());

    internal static MachineShare Of(int index, int count, int processors, long memory, int firstEphemeral)
    {
        // A range that the kernel also gives to outgoing connections is of no use to jobs; what is below it is divided.
        var last = firstEphemeral is > FirstPort and <= LastPort ? firstEphemeral - 1 : LastPort;
        var ports = (last - FirstPort + 1) / count;
        var first = FirstPort + (index * ports);
        return new MachineShare(
            (double)processors / count,
            string.Create(CultureInfo.InvariantCulture, $"{(long)(memory * MemoryForJobs / count) >> 20}m"),
            string.Create(CultureInfo.InvariantCulture, $"{first}-{first + ports - 1}"));
    }

    private static int FirstEphemeralPort()
    {
        const string Setting = "/proc/sys/net/ipv4/ip_local_port_range";
        return File.Exists(Setting) && int.TryParse(File.ReadAllText(Setting).Split('\t', ' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            ? first
            : int.MaxValue;
    }
}
