namespace Aspire.Hosting.ApplicationModel;

/// <summary>Who asks for a value.</summary>
public class ValueProviderContext
{
    /// <summary>What the AppHost was started for.</summary>
    public DistributedApplicationExecutionContext? ExecutionContext { get; init; }

    /// <summary>The resource that asks.</summary>
    public IResource? Caller { get; init; }

    /// <summary>The network that it asks from.</summary>
    public NetworkIdentifier? Network { get; init; }
}

/// <summary>Names a network.</summary>
public record NetworkIdentifier(string Value);

/// <summary>The networks that everybody knows.</summary>
public static class KnownNetworkIdentifiers
{
    /// <summary>This machine.</summary>
    public static readonly NetworkIdentifier LocalhostNetwork = new("localhost");

    /// <summary>The network of the application's containers.</summary>
    public static readonly NetworkIdentifier DefaultAspireContainerNetwork = new("aspire-container-network");

    /// <summary>Everywhere.</summary>
    public static readonly NetworkIdentifier PublicInternet = new(".internet");
}
