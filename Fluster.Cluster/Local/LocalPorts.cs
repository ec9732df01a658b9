using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Fluster.Cluster;

/// <summary>
/// The ports of one attempt by name. Each is proven free and kept from everybody by a socket that listens on it, until the job asks which one it is; given to
/// nobody else in this process until the attempt has ended.
/// </summary>
internal sealed class LocalPorts : IReadOnlyDictionary<string, int>, IDisposable
{
    private static readonly Lock s_gate = new();
    private static readonly HashSet<int> s_given = [];
    private static int s_next;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _ports = new(PortName.Comparer);
    private readonly Dictionary<int, Socket> _held = [];

    private LocalPorts()
    {
    }

    public int Count => _ports.Count;

    public IEnumerable<string> Keys => _ports.Keys;

    public IEnumerable<int> Values => _ports.Values;

    public int this[string key] => TryGetValue(key, out var port) ? port : throw new KeyNotFoundException($"There is no port '{key}'.");

    /// <exception cref="IOException">No port is free.</exception>
    public static LocalPorts Take(IReadOnlyCollection<string> names, int first, int last)
    {
        var ports = new LocalPorts();
        try
        {
            foreach (var name in names)
            {
                ports._ports.Add(name, ports.TakeOne(first, last));
            }

            return ports;
        }
        catch
        {
            ports.Dispose();
            throw;
        }
    }

    public bool ContainsKey(string key) => _ports.ContainsKey(key);

    /// <summary>Tells the port and leaves it to the job.</summary>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out int value)
    {
        var found = _ports.TryGetValue(key, out value);
        if (found)
        {
            Release(value);
        }

        return found;
    }

    /// <summary>The ports as a reader sees them, who does not use them.</summary>
    public Dictionary<string, int> ToStatus() => new(_ports, StringComparer.Ordinal);

    public void ReleaseAll()
    {
        foreach (var port in _ports.Values)
        {
            Release(port);
        }
    }

    public IEnumerator<KeyValuePair<string, int>> GetEnumerator()
    {
        ReleaseAll();
        return _ports.GetEnumerator();
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
        ReleaseAll();
        lock (s_gate)
        {
            s_given.ExceptWith(_ports.Values);
        }
    }

    private void Release(int port)
    {
        lock (_gate)
        {
            if (_held.Remove(port, out var socket))
            {
                socket.Dispose();
            }
        }
    }

    private int TakeOne(int first, int last)
    {
        lock (s_gate)
        {
            // Round and round, so that a port that was just given back rests before it is used again.
            for (var tried = first; tried <= last; tried++)
            {
                s_next = s_next < first || s_next >= last ? first : s_next + 1;
                if (!s_given.Contains(s_next) && Bind(s_next) is { } socket)
                {
                    s_given.Add(s_next);
                    _held.Add(s_next, socket);
                    return s_next;
                }
            }
        }

        throw new IOException($"No port is free in {first}-{last}.");
    }

    private static Socket? Bind(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.ExclusiveAddressUse = true;
            socket.Bind(new IPEndPoint(IPAddress.Any, port));
            socket.Listen(1); // sockets of .NET may share a port on which none listens
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }
}
