namespace Fluster.Controller;

/// <summary>The changes of several steps, folded: each record once, as it is after the last one.</summary>
internal sealed class Batch
{
    public ClusterMeta? Meta { get; private set; }

    public Dictionary<long, JobRecord> Jobs { get; } = [];

    public Dictionary<long, TaskRecord> Tasks { get; } = [];

    public Dictionary<long, AttemptRecord> Attempts { get; } = [];

    public Dictionary<long, WorkerRecord> Workers { get; } = [];

    /// <summary>Null: removed.</summary>
    public Dictionary<long, EndpointRecord?> Endpoints { get; } = [];

    /// <summary>The names under which endpoints came or went.</summary>
    public HashSet<EndpointKey> EndpointKeys { get; } = [];

    public bool IsEmpty =>
        Meta is null && Jobs.Count == 0 && Tasks.Count == 0 && Attempts.Count == 0 && Workers.Count == 0 && Endpoints.Count == 0;

    public void Add(ClusterChanges changes)
    {
        Meta = changes.Meta ?? Meta;
        foreach (var (uid, job) in changes.Jobs.Records)
        {
            Jobs[uid] = job;
        }

        foreach (var (uid, task) in changes.Tasks.Records)
        {
            Tasks[uid] = task;
        }

        foreach (var (uid, attempt) in changes.Attempts.Records)
        {
            Attempts[uid] = attempt;
        }

        foreach (var (uid, worker) in changes.Workers.Records)
        {
            Workers[uid] = worker;
        }

        foreach (var endpoint in changes.RemovedEndpoints)
        {
            Endpoints[endpoint.Uid] = null;
            EndpointKeys.Add(endpoint.Key);
        }

        foreach (var (uid, endpoint) in changes.Endpoints.Records)
        {
            Endpoints[uid] = endpoint;
            EndpointKeys.Add(endpoint.Key);
        }
    }
}
