namespace Fluster.Backends;

/// <summary>The part of Cloud TPU's API (v2) that Fluster uses.</summary>
internal sealed class TpuClient(GcpConnection connection, Uri baseUri, string project)
{
    /// <summary>In place of a zone in lists: all of them.</summary>
    public const string AllZones = "-";

    private const int PageSize = 500;

    private const double PauseGrowth = 1.5;

    /// <summary>Makes a slice. The API knows no request id here: the name is what makes it one.</summary>
    public Task<TpuOperation> CreateNodeAsync(string zone, string id, TpuNode node, CancellationToken cancellationToken) =>
        connection.SendAsync(HttpMethod.Post, In(zone, $"nodes?nodeId={Uri.EscapeDataString(id)}"), node, GcpJson.Default.TpuNode, GcpJson.Default.TpuOperation, cancellationToken);

    /// <summary>A slice; null when there is none of that name.</summary>
    public Task<TpuNode?> FindNodeAsync(string zone, string id, CancellationToken cancellationToken) =>
        connection.FindAsync(In(zone, $"nodes/{Uri.EscapeDataString(id)}"), GcpJson.Default.TpuNode, cancellationToken);

    /// <summary>The slices of a zone, or of all. There is no filter: who asks picks.</summary>
    public async Task<GcpList<TpuNode>> ListNodesAsync(string zone, CancellationToken cancellationToken)
    {
        var found = new List<TpuNode>();
        var isComplete = true;
        for (var page = new Pages(); page.Next();)
        {
            var list = await connection.GetAsync(In(zone, $"nodes?pageSize={PageSize}{page.Query}"), GcpJson.Default.TpuNodeList, cancellationToken);
            found.AddRange(list.Nodes ?? []);
            isComplete &= list.Unreachable is not { Count: > 0 };
            page.After(list.NextPageToken);
        }

        return new GcpList<TpuNode>(found, isComplete);
    }

    public Task<TpuOperation> DeleteNodeAsync(string zone, string id, CancellationToken cancellationToken) =>
        connection.DeleteAsync(In(zone, $"nodes/{Uri.EscapeDataString(id)}"), GcpJson.Default.TpuOperation, cancellationToken);

    public Task<TpuOperation> StopNodeAsync(string zone, string id, CancellationToken cancellationToken) =>
        connection.SendAsync(HttpMethod.Post, In(zone, $"nodes/{Uri.EscapeDataString(id)}:stop"), new TpuStopNode(), GcpJson.Default.TpuStopNode, GcpJson.Default.TpuOperation, cancellationToken);

    /// <summary>Replaces the labels of a slice. Not while it is being made.</summary>
    public Task<TpuOperation> SetNodeLabelsAsync(string zone, string id, IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken) =>
        connection.SendAsync(
            HttpMethod.Patch,
            In(zone, $"nodes/{Uri.EscapeDataString(id)}?updateMask=labels"),
            new TpuNode { Labels = new Dictionary<string, string>(labels, StringComparer.Ordinal) },
            GcpJson.Default.TpuNode,
            GcpJson.Default.TpuOperation,
            cancellationToken);

    public Task<TpuOperation> CreateQueuedResourceAsync(string zone, string id, TpuQueuedResource resource, Guid requestId, CancellationToken cancellationToken) =>
        connection.SendAsync(
            HttpMethod.Post,
            In(zone, $"queuedResources?queuedResourceId={Uri.EscapeDataString(id)}&requestId={requestId:D}"),
            resource,
            GcpJson.Default.TpuQueuedResource,
            GcpJson.Default.TpuOperation,
            cancellationToken);

    /// <summary>A request for a slice; null when there is none of that name.</summary>
    public Task<TpuQueuedResource?> FindQueuedResourceAsync(string zone, string id, CancellationToken cancellationToken) =>
        connection.FindAsync(In(zone, $"queuedResources/{Uri.EscapeDataString(id)}"), GcpJson.Default.TpuQueuedResource, cancellationToken);

    public async Task<GcpList<TpuQueuedResource>> ListQueuedResourcesAsync(string zone, CancellationToken cancellationToken)
    {
        var found = new List<TpuQueuedResource>();
        var isComplete = true;
        for (var page = new Pages(); page.Next();)
        {
            var list = await connection.GetAsync(In(zone, $"queuedResources?pageSize={PageSize}{page.Query}"), GcpJson.Default.TpuQueuedResourceList, cancellationToken);
            found.AddRange(list.QueuedResources ?? []);
            isComplete &= list.Unreachable is not { Count: > 0 };
            page.After(list.NextPageToken);
        }

        return new GcpList<TpuQueuedResource>(found, isComplete);
    }

    /// <param name="zone">Where.</param>
    /// <param name="id">Its name.</param>
    /// <param name="isForced">Whether its slice goes with it; without that, one that has a slice is refused.</param>
    /// <param name="requestId">The same for every try.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    public Task<TpuOperation> DeleteQueuedResourceAsync(string zone, string id, bool isForced, Guid requestId, CancellationToken cancellationToken) =>
        connection.DeleteAsync(In(zone, $"queuedResources/{Uri.EscapeDataString(id)}?{(isForced ? "force=true&" : "")}requestId={requestId:D}"), GcpJson.Default.TpuOperation, cancellationToken);

    /// <summary>The slices that a zone offers.</summary>
    public async Task<IReadOnlyList<TpuAcceleratorType>> ListAcceleratorTypesAsync(string zone, CancellationToken cancellationToken)
    {
        var found = new List<TpuAcceleratorType>();
        for (var page = new Pages(); page.Next();)
        {
            var list = await connection.GetAsync(In(zone, $"acceleratorTypes?pageSize={PageSize}{page.Query}"), GcpJson.Default.TpuAcceleratorTypeList, cancellationToken);
            found.AddRange(list.AcceleratorTypes ?? []);
            page.After(list.NextPageToken);
        }

        return found;
    }

    public Task<TpuOperation> GetOperationAsync(string zone, string operation, CancellationToken cancellationToken) =>
        connection.GetAsync(In(zone, $"operations/{Uri.EscapeDataString(GcpNames.LastPart(operation))}"), GcpJson.Default.TpuOperation, cancellationToken);

    /// <summary>Asks for an operation until it is done, or until patience ends.</summary>
    /// <returns>The operation, done or not.</returns>
    /// <exception cref="GcpApiException">It is done, with an error.</exception>
    public async Task<TpuOperation> CompleteAsync(string zone, TpuOperation operation, TimeSpan patience, CancellationToken cancellationToken)
    {
        var start = connection.Time.GetTimestamp();
        for (var pause = connection.Retry.First; operation.Done != true && connection.Time.GetElapsedTime(start) < patience; pause = Longer(pause))
        {
            await Task.Delay(pause, connection.Time, cancellationToken);
            operation = await GetOperationAsync(zone, operation.Name ?? throw new GcpApiException("", "An operation without a name was answered.") { IsUnanswered = true }, cancellationToken);
        }

        return operation is { Done: true, Error: { } error } ? throw GcpApiException.FromStatus(error) : operation;
    }

    private TimeSpan Longer(TimeSpan pause) => pause * PauseGrowth < connection.Retry.Longest ? pause * PauseGrowth : connection.Retry.Longest;

    private Uri In(string zone, string rest) => new(baseUri, $"v2/projects/{Uri.EscapeDataString(project)}/locations/{Uri.EscapeDataString(zone)}/{rest}");
}
