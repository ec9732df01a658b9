using System.Collections.Concurrent;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>The servers of this process that are called without a socket, as those of jobs in a local client are.</summary>
internal static class LocalServers
{
    /// <summary>How their addresses begin.</summary>
    public const string Scheme = "local://";

    private static readonly ConcurrentDictionary<string, LocalServer> s_all = new(StringComparer.Ordinal);
    private static long s_numbers;

    public static LocalServer Open(ActorTable actors)
    {
        var server = new LocalServer(new Uri($"{Scheme}localhost/{Interlocked.Increment(ref s_numbers)}"), actors);
        s_all[server.Address.ToString()] = server;
        return server;
    }

    public static void Close(LocalServer server)
    {
        server.IsStopped = true;
        s_all.TryRemove(server.Address.ToString(), out _);
    }

    /// <exception cref="ClusterException">There is none at this address.</exception>
    public static ActorConnection Connect(string address) => new LocalConnection(
        s_all.TryGetValue(address, out var server) ? server : new LocalServer(new Uri(address), new ActorTable(TimeProvider.System)) { IsStopped = true });
}

/// <summary>A server that is called within its process.</summary>
internal sealed class LocalServer(Uri address, ActorTable actors)
{
    private volatile bool _stopped;
    private volatile bool _draining;

    public Uri Address { get; } = address;

    public ActorTable Actors { get; } = actors;

    /// <summary>It takes no more calls, and those that it has are answered whatever becomes of its endpoints.</summary>
    public bool IsDraining
    {
        get => _draining;
        set => _draining = value;
    }

    public bool IsStopped
    {
        get => _stopped;
        set => _stopped = value;
    }
}
