using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Backends;

// Cloud TPU's messages, as far as they are used; names are the API's. Unlike Compute Engine's, an answer leaves out whatever is false, 0 or empty.

internal sealed record TpuNode
{
    public string? Name { get; init; }
    public string? Description { get; init; }
    public string? AcceleratorType { get; init; }
    public TpuAcceleratorConfig? AcceleratorConfig { get; init; }
    public string? RuntimeVersion { get; init; }
    public string? State { get; init; }
    public string? Health { get; init; }
    public string? HealthDescription { get; init; }
    public string? CreateTime { get; init; }
    public string? Id { get; init; }
    public string? ApiVersion { get; init; }
    public string? QueuedResource { get; init; }
    public TpuNetworkConfig? NetworkConfig { get; init; }
    public IReadOnlyList<TpuNetworkEndpoint>? NetworkEndpoints { get; init; }
    public TpuSchedulingConfig? SchedulingConfig { get; init; }
    public TpuServiceAccount? ServiceAccount { get; init; }
    public Dictionary<string, string>? Labels { get; init; }
    public IReadOnlyList<string>? Tags { get; init; }
    public Dictionary<string, string>? Metadata { get; init; }
    public TpuShielded? ShieldedInstanceConfig { get; init; }
}

internal sealed record TpuAcceleratorConfig(string? Type, string? Topology);

internal sealed record TpuNetworkConfig
{
    public string? Network { get; init; }
    public string? Subnetwork { get; init; }
    public bool? EnableExternalIps { get; init; }
    public bool? CanIpForward { get; init; }
}

internal sealed record TpuNetworkEndpoint
{
    public string? IpAddress { get; init; }
    public int? Port { get; init; }
    public TpuAccessConfig? AccessConfig { get; init; }
}

internal sealed record TpuAccessConfig(string? ExternalIp = null);

internal sealed record TpuSchedulingConfig
{
    public bool? Preemptible { get; init; }
    public bool? Reserved { get; init; }
    public bool? Spot { get; init; }
}

/// <summary>Singular, and a singular "scope" in it: not Compute Engine's.</summary>
internal sealed record TpuServiceAccount(string? Email, IReadOnlyList<string>? Scope);

internal sealed record TpuShielded(bool? EnableSecureBoot = null);

internal sealed record TpuNodeList
{
    public IReadOnlyList<TpuNode>? Nodes { get; init; }
    public string? NextPageToken { get; init; }
    public IReadOnlyList<string>? Unreachable { get; init; }
}

internal sealed record TpuQueuedResource
{
    public string? Name { get; init; }
    public string? CreateTime { get; init; }
    public TpuSpecs? Tpu { get; init; }
    public TpuSpot? Spot { get; init; }
    public TpuGuaranteed? Guaranteed { get; init; }
    public TpuQueueingPolicy? QueueingPolicy { get; init; }
    public string? ReservationName { get; init; }
    public TpuQueueState? State { get; init; }
}

internal sealed record TpuSpecs(IReadOnlyList<TpuNodeSpec>? NodeSpec);

internal sealed record TpuNodeSpec
{
    public string? Parent { get; init; }
    public string? NodeId { get; init; }
    public TpuNode? Node { get; init; }
}

internal sealed record TpuSpot;

internal sealed record TpuGuaranteed
{
    public string? MinDuration { get; init; }
}

internal sealed record TpuQueueingPolicy
{
    /// <summary>Seconds with an <c>s</c>.</summary>
    public string? ValidUntilDuration { get; init; }
}

internal sealed record TpuQueueState
{
    public string? State { get; init; }
    public string? StateInitiator { get; init; }
    public TpuFailedData? FailedData { get; init; }
}

internal sealed record TpuFailedData(RpcStatus? Error);

internal sealed record TpuQueuedResourceList
{
    public IReadOnlyList<TpuQueuedResource>? QueuedResources { get; init; }
    public string? NextPageToken { get; init; }
    public IReadOnlyList<string>? Unreachable { get; init; }
}

/// <summary>An operation of Cloud TPU. "done" is absent while it runs.</summary>
internal sealed record TpuOperation
{
    public string? Name { get; init; }
    public bool? Done { get; init; }
    public TpuOperationMetadata? Metadata { get; init; }
    public RpcStatus? Error { get; init; }
    public JsonElement? Response { get; init; }
}

internal sealed record TpuOperationMetadata
{
    [JsonPropertyName("@type")]
    public string? Type { get; init; }
    public string? ApiVersion { get; init; }
    public string? CreateTime { get; init; }
    public string? EndTime { get; init; }
    public string? Target { get; init; }
    public string? Verb { get; init; }
}

internal sealed record TpuAcceleratorTypeList
{
    public IReadOnlyList<TpuAcceleratorType>? AcceleratorTypes { get; init; }
    public string? NextPageToken { get; init; }
    public IReadOnlyList<string>? Unreachable { get; init; }
}

internal sealed record TpuAcceleratorType
{
    public string? Name { get; init; }
    public string? Type { get; init; }
    public IReadOnlyList<TpuAcceleratorConfig>? AcceleratorConfigs { get; init; }
}

internal sealed record TpuStopNode;

/// <summary>google.rpc.Status.</summary>
internal sealed record RpcStatus
{
    public int? Code { get; init; }
    public string? Message { get; init; }
    public IReadOnlyList<JsonElement>? Details { get; init; }
}
