using System.Collections.Concurrent;

namespace Fluster.Controller;

/// <summary>The workers that can be reached now, and what was last heard of each. Not part of the state: it is found out again.</summary>
internal sealed class WorkerLinks(TimeProvider time)
{
    public const string NotConnected = "is not connected";

    private readonly ConcurrentDictionary<long, WorkerConnection> _connections = new();
    private readonly ConcurrentDictionary<long, WorkerNews> _news = new();
    private long _version;

    /// <summary>Called when a worker came, went, or takes work or not.</summary>
    public Action Changed { get; set; } = () => { };

    /// <summary>Whether the cluster's own rules give a worker work now: one in quarantine gets none.</summary>
    public Func<long, bool> IsTrusted { get; set; } = _ => true;

    public int Count => _connections.Count;

    /// <summary>Whether work sent to a worker reaches it now, and it wants some.</summary>
    public bool TakesWork(long workerUid) => _connections.ContainsKey(workerUid) && IsTrusted(workerUid) && (!_news.TryGetValue(workerUid, out var news) || news.Health?.AcceptsWork != false);

    /// <summary>Whether the last that a worker said is that it takes no work: its disk is full, for example, or its machine is being taken away, after which it is not heard of again.</summary>
    public bool Refuses(long workerUid) => _news.TryGetValue(workerUid, out var news) && news.Health?.AcceptsWork == false;

    public bool IsConnected(long workerUid) => _connections.ContainsKey(workerUid);

    /// <summary>Why a worker gets no work now, to be read after its name; null: it does.</summary>
    public string? Obstacle(WorkerRecord worker) => worker.State switch
    {
        WorkerState.Lost => "is lost",
        WorkerState.Suspect => "has not been heard of for a while",
        _ when !_connections.ContainsKey(worker.Uid) => NotConnected,
        _ when !TakesWork(worker.Uid) => NewsOf(worker.Uid)?.Health?.Problems is { Count: > 0 } problems ? $"takes no work: {problems[0]}" : "takes no work",
        _ => null,
    };

    public WorkerNews? NewsOf(long workerUid) => _news.GetValueOrDefault(workerUid);

    /// <summary>The version of the next frame: it grows for the life of the controller, over all connections.</summary>
    public long NextVersion() => Interlocked.Increment(ref _version);

    /// <summary>What the worker is to hold has changed. Never waits.</summary>
    public void Update(long workerUid)
    {
        if (_connections.TryGetValue(workerUid, out var connection))
        {
            connection.Update();
        }
    }

    /// <summary>A worker's connection is there; an older one of the same worker ends.</summary>
    public void Attach(WorkerConnection connection)
    {
        WorkerConnection? older = null;
        _connections.AddOrUpdate(connection.WorkerUid, connection, (_, present) =>
        {
            older = present;
            return connection;
        });
        older?.Close();
        Heard(connection.WorkerUid, null);
        Changed();
    }

    public void Detach(WorkerConnection connection)
    {
        if (_connections.TryRemove(KeyValuePair.Create(connection.WorkerUid, connection)))
        {
            Changed();
        }
    }

    public void Heard(long workerUid, V1.WorkerHealth? health)
    {
        var before = _news.GetValueOrDefault(workerUid);
        _news[workerUid] = new WorkerNews(time.GetUtcNow(), health ?? before?.Health);
        if (health is not null && (before?.Health?.AcceptsWork ?? true) != health.AcceptsWork)
        {
            Changed();
        }
    }

    /// <summary>Ends every connection: the controller stops.</summary>
    public void CloseAll()
    {
        foreach (var connection in _connections.Values)
        {
            connection.Close();
        }
    }
}

/// <summary>What was last heard of a worker.</summary>
internal sealed record WorkerNews(DateTimeOffset HeardAt, V1.WorkerHealth? Health);
