using Fluster.Cluster;

namespace Fluster.Redis;

/// <summary>The endpoints as they were after one commit. Immutable: what it answers belongs together.</summary>
internal interface IEndpointView
{
    /// <summary>Grows by every commit of one start of the controller.</summary>
    long Version { get; }

    /// <summary>The endpoints of exactly this name. Empty when there is none.</summary>
    IReadOnlyList<RegisteredEndpoint> Named(EndpointName name);

    /// <summary>Every name that has an endpoint.</summary>
    IEnumerable<EndpointName> Names();
}

/// <summary>What endpoints are found by.</summary>
internal readonly record struct EndpointName(Namespace Namespace, string Name);
