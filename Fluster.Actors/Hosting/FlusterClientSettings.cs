namespace Fluster.Actors;

/// <summary>How a service speaks to a cluster. Bound from <c>Fluster:Client</c>, then <c>Fluster:Client:{name}</c>, then <c>ConnectionStrings:{name}</c>, then the delegate.</summary>
public sealed class FlusterClientSettings
{
    /// <summary>
    /// <c>Endpoint=http://host:7071;Token=…;Namespace=…</c>, or the address alone. Default: the cluster that the environment or the context file names
    /// (<see cref="Fluster.Cluster.FlusterClient.FromEnvironment"/>).
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>The token, where it is kept apart from the connection string. Secret. Default: that of the connection string.</summary>
    public string? Token { get; set; }

    /// <summary>The namespace of jobs and look-ups. Default: that of the connection string, else "default".</summary>
    public string? Namespace { get; set; }

    /// <summary>How long a call is tried again while the controller cannot be reached. Default: 30 seconds.</summary>
    public TimeSpan RetryTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Registers no health check. Default: false.</summary>
    public bool DisableHealthChecks { get; set; }
}
