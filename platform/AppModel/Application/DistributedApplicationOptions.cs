namespace Aspire.Hosting;

/// <summary>How a builder is made.</summary>
public sealed class DistributedApplicationOptions
{
    /// <summary>The arguments that the AppHost was started with.</summary>
    public string[]? Args { get; set; }

    /// <summary>The AppHost's assembly. Default: the entry assembly.</summary>
    public string? AssemblyName { get; set; }

    /// <summary>No dashboard is served. A resource that waits for one that has failed then fails too: nobody is there to start that one again. Default: false.</summary>
    public bool DisableDashboard { get; set; }

    /// <summary>The directory of the AppHost's project. Default: where the AppHost was built from.</summary>
    public string? ProjectDirectory { get; set; }
}
