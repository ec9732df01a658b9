namespace Fluster.Cluster;

/// <summary>Finds the cluster that a program means when it names none.</summary>
internal static class ClientEnvironment
{
    /// <summary>What to do where there is no cluster, without the full stop: of the next sentence or of this one.</summary>
    public const string HowToStart =
        "Start one with 'fluster cluster up' (in a checkout of Fluster also with 'dotnet run --project Fluster.AppHost'), or name one that runs with 'fluster login'";

    /// <summary>The cluster that the environment names; else the context of that name, or the current one, of the context file.</summary>
    /// <exception cref="InvalidOperationException">There is none; the message says what to start.</exception>
    public static FlusterClientOptions Find(string? contextName = null) =>
        (contextName is null ? FromVariables() : null) ?? FromContextFile(ClusterContextFile.Location, contextName);

    /// <summary>The cluster that the environment names, else the current one of the context file; null when there is none, or it ended with its program and left its entry.</summary>
    /// <exception cref="InvalidOperationException">The context file cannot be read.</exception>
    public static FlusterClientOptions? FindRunning() => FromVariables() ?? FindRunning(ClusterContextFile.Location);

    /// <summary>The current cluster of a context file; null when there is none, or it ended with its program and left its entry.</summary>
    /// <exception cref="InvalidOperationException">The file cannot be read.</exception>
    public static FlusterClientOptions? FindRunning(string path) =>
        ClusterContextFile.Read(path) is { Current: { } current } file && file.Contexts.TryGetValue(current, out var entry) && entry is { Address.Length: > 0, IsLeftOver: false }
            ? FromContextFile(path, current)
            : null;

    /// <summary>The cluster that this process's environment names, as it is set for every job; null when it names none.</summary>
    public static FlusterClientOptions? FromVariables()
    {
        var address = FlusterEnvironment.Get(FlusterEnvironment.ControllerAddress) ?? FlusterEnvironment.Get(FlusterEnvironment.ClusterAddress);
        return address is null ? null : new FlusterClientOptions
        {
            Address = address,
            Token = FlusterEnvironment.Get(FlusterEnvironment.Token),
            ClusterKey = FlusterEnvironment.Get(FlusterEnvironment.ClusterKey),
            Namespace = FlusterEnvironment.Get(FlusterEnvironment.Namespace) is { } name ? Namespace.Parse(name) : Namespace.Default,
            ExpectController = FlusterEnvironment.Get(FlusterEnvironment.JobId) is not null,
            Source = $"the environment variable {FlusterEnvironment.ControllerAddress}",
        };
    }

    public static FlusterClientOptions FromContextFile(string path, string? contextName)
    {
        var file = ClusterContextFile.Read(path) ?? throw new InvalidOperationException(
            $"There is no cluster to speak to: {FlusterEnvironment.ControllerAddress} is not set and {path} does not exist. {HowToStart}.");
        var name = contextName ?? file.Current ?? "";
        if (!file.Contexts.TryGetValue(name, out var entry) || entry.Address.Length == 0)
        {
            throw new InvalidOperationException(file.Contexts.Count == 0
                ? $"There is no cluster to speak to: {path} knows none. {HowToStart}."
                : $"{path} knows no cluster '{name}'; it knows {string.Join(", ", file.Contexts.Keys.Order(StringComparer.Ordinal))}.");
        }

        return new FlusterClientOptions
        {
            Address = entry.Address,
            Token = entry.Token,
            ClusterKey = entry.ClusterKey,
            CertificateHash = entry.Certificate,
            Namespace = string.IsNullOrEmpty(entry.Namespace) ? Namespace.Default : Namespace.Parse(entry.Namespace),
            Source = $"the context '{name}' of {path}",
        };
    }
}
