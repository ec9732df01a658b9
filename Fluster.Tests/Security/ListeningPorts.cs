using System.Globalization;
using System.Runtime.Versioning;

namespace Fluster.Tests;

/// <summary>On which TCP and UDP ports a process can be reached, as the kernel tells it.</summary>
[SupportedOSPlatform("linux")]
internal static class ListeningPorts
{
    private const string Listening = "0A";
    private const string Bound = "07"; // a UDP socket that has a port

    public static IReadOnlyList<int> Of(int processId)
    {
        var sockets = Directory.EnumerateFiles($"/proc/{processId}/fd")
            .Select(descriptor => new FileInfo(descriptor).LinkTarget ?? "")
            .Where(target => target.StartsWith("socket:[", StringComparison.Ordinal))
            .Select(target => target["socket:[".Length..^1])
            .ToHashSet(StringComparer.Ordinal);
        return [.. Table(processId, "tcp", Listening).Concat(Table(processId, "tcp6", Listening)).Concat(Table(processId, "udp", Bound)).Concat(Table(processId, "udp6", Bound))
            .Where(entry => sockets.Contains(entry.Socket)).Select(entry => entry.Port).Order()];
    }

    private static IEnumerable<(int Port, string Socket)> Table(int processId, string name, string state) =>
        File.Exists($"/proc/{processId}/net/{name}")
            ? from line in File.ReadLines($"/proc/{processId}/net/{name}").Skip(1)
              let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
              where fields[3] == state
              select (int.Parse(fields[1].Split(':')[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture), fields[9])
            : [];
}
