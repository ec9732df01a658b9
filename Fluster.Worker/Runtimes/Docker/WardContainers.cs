namespace Fluster.Worker;

/// <summary>The containers of one run of a worker, found again by their labels.</summary>
internal static class WardContainers
{
    public const string WardLabel = "fluster.ward";
    public const string DirectoryLabel = "fluster.directory";
    public const string FenceLabel = "fluster.fence";

    /// <summary>Kills and removes all of them.</summary>
    /// <param name="engine">Where they are.</param>
    /// <param name="label">By which they are found.</param>
    /// <param name="value">What it is.</param>
    /// <param name="isKept">Whether the container of a fence is left alone; asked when it was found.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Whether there were none.</returns>
    public static async Task<bool> RemoveAsync(DockerEngine engine, string label, string value, Func<string, bool> isKept, CancellationToken cancellationToken)
    {
        var found = (await engine.ListAsync(label, value, cancellationToken))
            .Where(container => container.Labels?.GetValueOrDefault(FenceLabel) is not { } fence || !isKept(fence))
            .ToList();
        await Task.WhenAll(found.Select(container => engine.RemoveAsync(container.Id, cancellationToken)));
        return found.Count == 0;
    }

    /// <summary>The same for a process that has nothing else to do. An engine that is not there has no containers that could be ended.</summary>
    public static bool Remove(string socket, string ward)
    {
        if (!File.Exists(socket))
        {
            return true;
        }

        using var engine = new DockerEngine(socket);
        try
        {
            return RemoveAsync(engine, WardLabel, ward, static _ => false, CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (DockerEngineException exception)
        {
            return exception.Status is null; // else it is there and could not do it now: once more
        }
    }
}
