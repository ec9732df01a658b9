namespace Fluster.Worker;

/// <summary>Whom the worker believes, by what it remembers: the cluster that it belongs to and that cluster's key.</summary>
/// <param name="memory">What it remembers.</param>
/// <param name="workerId">Who it is.</param>
/// <param name="configuredToken">The token that it was started with.</param>
/// <param name="time">The clock.</param>
internal sealed class ClusterTrust(ClusterMemory memory, string workerId, string configuredToken, TimeProvider time)
{
    /// <summary>Whether a controller proved, with the key that the worker knows, that the worker is to leave its cluster for that controller's.</summary>
    public bool IsAdopted(V1.WorkerWelcome welcome)
    {
        if (welcome.Adoption.Length == 0 || memory.Cluster is not { } cluster || memory.ClusterKey.Length == 0)
        {
            return false;
        }

        using var key = KeyOf(memory.ClusterKey);
        return key?.Verify(welcome.Adoption, time.GetUtcNow(), out _) is { Role: TokenRoles.Adoption } claims
            && claims.Subject == cluster.ClusterId
            && claims.Cluster == welcome.ClusterId
            && claims.Worker == workerId;
    }

    /// <summary>Keeps a renewed token, also over restarts.</summary>
    /// <param name="token">The new one.</param>
    /// <param name="clusterKey">The key that the controller says is the cluster's; believed only by a worker that knows none.</param>
    /// <returns>Whether it is a token of this worker's cluster: another controller must not be able to take the good one away.</returns>
    public bool Keep(string token, string clusterKey)
    {
        using var key = KeyOf(memory.ClusterKey.Length > 0 ? memory.ClusterKey : clusterKey);
        if (key?.Verify(token, time.GetUtcNow(), out _) is not { Role: TokenRoles.Worker } claims || claims.Worker != workerId)
        {
            return false;
        }

        memory.KeepToken(token, configuredToken);
        return true;
    }

    private static ClusterKey? KeyOf(string pem)
    {
        try
        {
            return ClusterKey.Parse(pem);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
