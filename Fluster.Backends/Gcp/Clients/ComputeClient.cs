namespace Fluster.Backends;

/// <summary>What a list told, and whether there is more that it could not tell.</summary>
internal sealed record GcpList<T>(IReadOnlyList<T> Items, bool IsComplete);

/// <summary>The part of Compute Engine's API (v1) that Fluster uses.</summary>
internal sealed class ComputeClient(GcpConnection connection, Uri baseUri, string project)
{
    private const int PageSize = 500;

    /// <summary>How often somebody else may write in between before this gives up.</summary>
    private const int MostConflicts = 10;

    private const double PauseGrowth = 1.5;

    public Task<ComputeOperation> InsertAsync(string zone, ComputeInstance instance, Guid requestId, CancellationToken cancellationToken) =>
        connection.SendAsync(HttpMethod.Post, Zonal(zone, $"instances?requestId={requestId:D}"), instance, GcpJson.Default.ComputeInstance, GcpJson.Default.ComputeOperation, cancellationToken);

    /// <summary>A machine; null when there is none of that name.</summary>
    public Task<ComputeInstance?> FindAsync(string zone, string name, CancellationToken cancellationToken) =>
        connection.FindAsync(Instance(zone, name), GcpJson.Default.ComputeInstance, cancellationToken);

    /// <summary>The machines of a zone that pass a filter (AIP-160).</summary>
    public async Task<GcpList<ComputeInstance>> ListAsync(string zone, string filter, CancellationToken cancellationToken)
    {
        var found = new List<ComputeInstance>();
        var isComplete = true;
        for (var page = new Pages(); page.Next();)
        {
            var list = await connection.GetAsync(Zonal(zone, $"instances?{Query(filter, page)}"), GcpJson.Default.ComputeInstanceList, cancellationToken);
            found.AddRange(list.Items ?? []);
            isComplete &= IsHarmless(list.Warning);
            page.After(list.NextPageToken);
        }

        return new GcpList<ComputeInstance>(found, isComplete);
    }

    /// <summary>The machines of all zones that pass a filter (AIP-160).</summary>
    public async Task<GcpList<ComputeInstance>> ListAllAsync(string filter, CancellationToken cancellationToken)
    {
        var found = new List<ComputeInstance>();
        var isComplete = true;
        for (var page = new Pages(); page.Next();)
        {
            var list = await connection.GetAsync(Global($"aggregated/instances?{Query(filter, page)}"), GcpJson.Default.ComputeAggregatedList, cancellationToken);
            found.AddRange((list.Items ?? []).OrderBy(scope => scope.Key, StringComparer.Ordinal).SelectMany(scope => scope.Value.Instances ?? []));
            isComplete &= IsHarmless(list.Warning) && list.Unreachables is not { Count: > 0 } && (list.Items ?? []).Values.All(scope => IsHarmless(scope.Warning));
            page.After(list.NextPageToken);
        }

        return new GcpList<ComputeInstance>(found, isComplete);
    }

    public Task<ComputeOperation> DeleteAsync(string zone, string name, Guid requestId, CancellationToken cancellationToken) =>
        connection.DeleteAsync(Zonal(zone, $"instances/{Uri.EscapeDataString(name)}?requestId={requestId:D}"), GcpJson.Default.ComputeOperation, cancellationToken);

    public Task<ComputeOperation> GetOperationAsync(string zone, string operation, CancellationToken cancellationToken) =>
        connection.GetAsync(Zonal(zone, $"operations/{Uri.EscapeDataString(operation)}"), GcpJson.Default.ComputeOperation, cancellationToken);

    /// <summary>Waits for an operation for as long as Google holds the request: about two minutes, or less.</summary>
    public Task<ComputeOperation> WaitForOperationAsync(string zone, string operation, CancellationToken cancellationToken) =>
        connection.AskAsync(Zonal(zone, $"operations/{Uri.EscapeDataString(operation)}/wait"), GcpJson.Default.ComputeOperation, cancellationToken);

    /// <summary>Waits until an operation is done, or until patience ends.</summary>
    /// <returns>The operation, done or not.</returns>
    /// <exception cref="GcpApiException">It is done, with an error.</exception>
    public async Task<ComputeOperation> CompleteAsync(string zone, ComputeOperation operation, TimeSpan patience, CancellationToken cancellationToken)
    {
        var start = connection.Time.GetTimestamp();
        var pause = connection.Retry.First;
        while (operation.Status != ComputeOperation.Done && connection.Time.GetElapsedTime(start) < patience)
        {
            var asked = connection.Time.GetTimestamp();
            operation = await WaitForOperationAsync(zone, operation.Name ?? throw new GcpApiException("", "An operation without a name was answered.") { IsUnanswered = true }, cancellationToken);
            if (operation.Status != ComputeOperation.Done && connection.Time.GetElapsedTime(asked) < pause)
            {
                // The wait is best effort: where it does not wait, this does.
                await Task.Delay(pause, connection.Time, cancellationToken);
                pause = pause * PauseGrowth < connection.Retry.Longest ? pause * PauseGrowth : connection.Retry.Longest;
            }
        }

        return operation is { Status: ComputeOperation.Done, Error.Errors: [_, ..] } ? throw GcpApiException.FromOperation(operation) : operation;
    }

    /// <summary>Changes the labels of a machine. The API replaces all of them: they are read, changed and written, again when somebody else wrote in between.</summary>
    public Task<ComputeOperation> SetLabelsAsync(string zone, string name, Func<IReadOnlyDictionary<string, string>, Dictionary<string, string>> change, CancellationToken cancellationToken) =>
        ChangeAsync(zone, name, (instance, requestId) => connection.SendAsync(
            HttpMethod.Post,
            Zonal(zone, $"instances/{Uri.EscapeDataString(name)}/setLabels?requestId={requestId:D}"),
            new ComputeSetLabels(change(instance.Labels ?? []), instance.LabelFingerprint),
            GcpJson.Default.ComputeSetLabels,
            GcpJson.Default.ComputeOperation,
            cancellationToken), cancellationToken);

    /// <summary>Writes a machine's metadata under one key, as <see cref="SetLabelsAsync"/> writes labels; null takes it away.</summary>
    public Task<ComputeOperation> SetMetadataAsync(string zone, string name, string key, string? value, CancellationToken cancellationToken) =>
        ChangeAsync(zone, name, (instance, requestId) => connection.SendAsync(
            HttpMethod.Post,
            Zonal(zone, $"instances/{Uri.EscapeDataString(name)}/setMetadata?requestId={requestId:D}"),
            new ComputeMetadata
            {
                Fingerprint = instance.Metadata?.Fingerprint,
                Items = [.. (instance.Metadata?.Items ?? []).Where(item => item.Key != key), .. value is null ? (ComputeMetadataItem[])[] : [new ComputeMetadataItem(key, value)]],
            },
            GcpJson.Default.ComputeMetadata,
            GcpJson.Default.ComputeOperation,
            cancellationToken), cancellationToken);

    /// <summary>What the machine wrote to its console, from a position on.</summary>
    public Task<ComputeSerialOutput> GetSerialPortAsync(string zone, string name, long start, CancellationToken cancellationToken) =>
        connection.GetAsync(Zonal(zone, $"instances/{Uri.EscapeDataString(name)}/serialPort?port=1&start={start}"), GcpJson.Default.ComputeSerialOutput, cancellationToken);

    /// <summary>The machine types that a zone has.</summary>
    public async Task<IReadOnlyList<ComputeMachineType>> ListMachineTypesAsync(string zone, CancellationToken cancellationToken)
    {
        var found = new List<ComputeMachineType>();
        for (var page = new Pages(); page.Next();)
        {
            var list = await connection.GetAsync(Zonal(zone, $"machineTypes?maxResults={PageSize}{page.Query}"), GcpJson.Default.ComputeMachineTypeList, cancellationToken);
            found.AddRange(list.Items ?? []);
            page.After(list.NextPageToken);
        }

        return found;
    }

    private async Task<ComputeOperation> ChangeAsync(string zone, string name, Func<ComputeInstance, Guid, Task<ComputeOperation>> write, CancellationToken cancellationToken)
    {
        for (var conflicts = 0; ; conflicts++)
        {
            var instance = await connection.GetAsync(Instance(zone, name), GcpJson.Default.ComputeInstance, cancellationToken);
            try
            {
                return await write(instance, Guid.NewGuid());
            }
            catch (GcpApiException exception) when (exception.IsConflict && conflicts < MostConflicts)
            {
                // Somebody else wrote in between: read again, and not all of them at the same moment.
#pragma warning disable CA5394 // Spreads load; nothing secret comes of it.
                await Task.Delay(connection.Retry.First * (conflicts * Random.Shared.NextDouble()), connection.Time, cancellationToken);
#pragma warning restore CA5394
            }
        }
    }

    private static bool IsHarmless(ComputeWarning? warning) => warning is null || warning.Code == ComputeWarning.NoResults;

    private static string Query(string filter, Pages page) =>
        $"maxResults={PageSize}&returnPartialSuccess=true{(filter.Length > 0 ? $"&filter={Uri.EscapeDataString(filter)}" : "")}{page.Query}";

    private Uri Instance(string zone, string name) => Zonal(zone, $"instances/{Uri.EscapeDataString(name)}");

    private Uri Zonal(string zone, string rest) => Global($"zones/{Uri.EscapeDataString(zone)}/{rest}");

    private Uri Global(string rest) => new(baseUri, $"projects/{Uri.EscapeDataString(project)}/{rest}");
}

/// <summary>The pages of a list, one after the other.</summary>
internal sealed class Pages
{
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private string? _token = "";

    /// <summary>What a request for this page adds to its query.</summary>
    public string Query => _token is { Length: > 0 } ? $"&pageToken={Uri.EscapeDataString(_token)}" : "";

    /// <summary>Whether there is another one.</summary>
    public bool Next() => _token is not null;

    /// <param name="token">What the page said of the next one.</param>
    public void After(string? token) => _token = token switch
    {
        null or "" => null,
        _ when _seen.Add(token) => token,
        _ => throw new GcpApiException("", "A list came around to a page that it had before.") { IsUnanswered = true },
    };
}
