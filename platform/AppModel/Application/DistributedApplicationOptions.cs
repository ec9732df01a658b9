namespace Aspire.Hosting;

/// <summary>How a builder is made.</summary>
public sealed class DistributedApplicationOptions
{
    /// <summary>The arguments that the AppHost was started with.</summary>
    public string[]? Args { get; set; }

    /// <summary>Whether the dashboard may be served over plain http on addresses that other machines can reach. Default: false, unless <c>ASPIRE_ALLOW_UNSECURED_TRANSPORT</c> says so.</summary>
    public bool AllowUnsecuredTransport { get; set; }

    /// <summary>The AppHost's assembly. Default: the entry assembly.</summary>
    public string? AssemblyName { get; set; }

    /// <summary>What the dashboard calls the application. Default: the AppHost's name.</summary>
    public string? DashboardApplicationName { get; set; }

    /// <summary>No dashboard is served. A resource that waits for one that has failed then fails too: nobody is there to start that one again. Default: false.</summary>
    public bool DisableDashboard { get; set; }

    /// <summary>The directory of the AppHost's project. Default: where the AppHost was built from.</summary>
    public string? ProjectDirectory { get; set; }
}
