namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>How names become addresses.</summary>
public sealed class ServiceDiscoveryOptions
{
    /// <summary>Whether every scheme in an address is acceptable. Default: true.</summary>
    public bool AllowAllSchemes { get; set; } = true;

    /// <summary>The acceptable schemes when <see cref="AllowAllSchemes"/> is false.</summary>
    public IList<string> AllowedSchemes { get; set; } = [];
}

/// <summary>Where the configuration has its services.</summary>
public sealed class ConfigurationServiceEndpointProviderOptions
{
    /// <summary>The section with one child per service. Default: "Services".</summary>
    public string SectionName { get; set; } = "Services";
}
