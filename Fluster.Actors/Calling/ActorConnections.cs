namespace Fluster.Actors;

/// <summary>The connections of this process to servers: one for each address, certificate and token, shared by all clients, closed when none uses it.</summary>
internal sealed class ActorConnections
{
    /// <summary>The largest result that a client takes, in bytes.</summary>
    private const int MaxMessageSize = 64 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Address, string? Certificate, string? Token), Entry> _all = [];
    private readonly Dictionary<ActorConnection, Entry> _entries = [];

    /// <summary>Those that clients use when they are not given others.</summary>
    public static ActorConnections Shared { get; } = new();

    /// <summary>The connection to a server. Every one that is acquired is to be released.</summary>
    /// <param name="endpoint">Where the server is, and what certificate it shows.</param>
    /// <param name="token">Gives the token. Asked again when it is used again: it may have been renewed.</param>
    /// <exception cref="ArgumentException">The address is none.</exception>
    public ActorConnection Acquire(ResolvedEndpoint endpoint, Func<string?> token)
    {
        var key = (endpoint.Address, endpoint.CertificateHash, token());
        lock (_lock)
        {
            if (_all.TryGetValue(key, out var known))
            {
                if (known.Connection.IsUsable)
                {
                    known.Users++;
                    return known.Connection;
                }

                _all.Remove(key);
            }

            var entry = new Entry(key, Open(endpoint, token));
            _all[key] = entry;
            _entries[entry.Connection] = entry;
            return entry.Connection;
        }
    }

    /// <summary>Gives a connection back.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="calls">Whether calls that are open may end first.</param>
    public void Release(ActorConnection connection, OpenCalls calls)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(connection, out var entry) || --entry.Users > 0)
            {
                return;
            }

            _entries.Remove(connection);
            if (_all.TryGetValue(entry.Key, out var there) && there == entry)
            {
                _all.Remove(entry.Key);
            }
        }

        if (calls == OpenCalls.EndFirst)
        {
            connection.Retire();
        }
        else
        {
            connection.Dispose();
        }
    }

    private static ActorConnection Open(ResolvedEndpoint endpoint, Func<string?> token) =>
        endpoint.Address.StartsWith(LocalServers.Scheme, StringComparison.Ordinal)
            ? LocalServers.Connect(endpoint.Address)
            : new SessionClient(new ServerAddress(new Uri(endpoint.Address), endpoint.CertificateHash), token, MaxMessageSize);

    private sealed class Entry((string Address, string? Certificate, string? Token) key, ActorConnection connection)
    {
        public (string Address, string? Certificate, string? Token) Key { get; } = key;

        public ActorConnection Connection { get; } = connection;

        public int Users { get; set; } = 1;
    }
}

/// <summary>What becomes of calls that are open on a connection which nobody uses any more.</summary>
internal enum OpenCalls
{
    /// <summary>They end, each in its own way, and the connection after them.</summary>
    EndFirst,

    /// <summary>They end now.</summary>
    EndNow,
}
