using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Fluster.Worker;

/// <summary>A range of ports, both ends included.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PortRange(int First, int Last)
{
    /// <summary>Reads "30000-40000".</summary>
    /// <exception cref="FormatException">It is not a range of ports.</exception>
    public static PortRange Parse(string text) =>
        text.Split('-') is [var first, var last]
        && int.TryParse(first, NumberStyles.None, null, out var from) && int.TryParse(last, NumberStyles.None, null, out var to)
        && from is > 0 and <= ushort.MaxValue && to <= ushort.MaxValue && from <= to
            ? new PortRange(from, to)
            : throw new FormatException($"'{text}' is not a range of ports: write two numbers from 1 to 65535, as in 30000-40000.");

    public bool Contains(int port) => port >= First && port <= Last;

    /// <summary>The ports from which this machine's kernel takes those of outgoing connections.</summary>
    public static PortRange? Ephemeral()
    {
        try
        {
            var fields = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return new PortRange(int.Parse(fields[0]), int.Parse(fields[1]));
        }
        catch (IOException)
        {
            return null;
        }
    }
}

/// <summary>Ports of one attempt. Disposing gives them back.</summary>
internal sealed class PortLease(ImmutableDictionary<string, int> ports, IReadOnlyList<FileStream> locks) : IDisposable
{
    public static PortLease None { get; } = new(ImmutableDictionary<string, int>.Empty, []);

    /// <summary>The ports by name.</summary>
    public ImmutableDictionary<string, int> Ports { get; } = ports;

    public void Dispose()
    {
        foreach (var held in locks)
        {
            held.Dispose();
        }
    }
}

/// <summary>No port of the range is free.</summary>
internal sealed class PortsExhaustedException(string message) : Exception(message);

/// <summary>
/// Gives out ports: inside the range, outside the kernel's ephemeral range (or a connection of some other program could take one), proven
/// free by binding, and held by a lock file that all workers of the host share, until the attempt's processes are gone.
/// </summary>
/// <param name="range">Where to take them from.</param>
/// <param name="ephemeral">Ports never to give out.</param>
/// <param name="lockDirectory">Shared by all workers of the host.</param>
internal sealed class PortPool(PortRange range, PortRange? ephemeral, string lockDirectory)
{
    private readonly Lock _gate = new();
    private int _next = range.First;

    /// <summary>The directory that the workers of this host share.</summary>
    public static string DefaultLockDirectory { get; } = Path.Combine(Path.GetTempPath(), "fluster-ports");

    /// <exception cref="PortsExhaustedException">There are not so many.</exception>
    public PortLease Take(IReadOnlyCollection<string> names)
    {
        if (names.Count == 0)
        {
            return PortLease.None;
        }

        var ports = ImmutableDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
        var locks = new List<FileStream>();
        try
        {
            CreateLockDirectory();
            foreach (var name in names)
            {
                var (port, held) = TakeOne();
                ports.Add(name, port);
                locks.Add(held);
            }

            return new PortLease(ports.ToImmutable(), locks);
        }
        catch
        {
            locks.ForEach(held => held.Dispose());
            throw;
        }
    }

    private (int Port, FileStream Held) TakeOne()
    {
        lock (_gate)
        {
            // Round and round, so that a port that was just given back rests before it is used again.
            for (var tried = 0; tried <= range.Last - range.First; tried++)
            {
                var port = _next;
                _next = port == range.Last ? range.First : port + 1;
                if (ephemeral?.Contains(port) != true && TryLock(port) is { } held)
                {
                    if (IsFree(port))
                    {
                        return (port, held);
                    }

                    held.Dispose();
                }
            }
        }

        var without = ephemeral is { } taken && (range.Contains(taken.First) || taken.Contains(range.First))
            ? $" without {taken.First}-{taken.Last}, which the kernel gives to outgoing connections"
            : "";
        throw new PortsExhaustedException($"No port is free in {range.First}-{range.Last}{without}.");
    }

    private void CreateLockDirectory()
    {
        if (Directory.Exists(lockDirectory))
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(lockDirectory);
            return;
        }

        const UnixFileMode Everybody = (UnixFileMode)0b111_111_111;
        Directory.CreateDirectory(lockDirectory);
        File.SetUnixFileMode(lockDirectory, Everybody | UnixFileMode.StickyBit); // workers of other users share it
    }

    private FileStream? TryLock(int port)
    {
        try
        {
            // The lock goes with the process: a worker that dies holds nothing.
            var path = Path.Combine(lockDirectory, port.ToString(CultureInfo.InvariantCulture));
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null; // another worker has it
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.ExclusiveAddressUse = true;
            socket.Bind(new IPEndPoint(IPAddress.Any, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
