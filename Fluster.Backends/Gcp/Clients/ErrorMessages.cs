using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Backends;

/// <summary>What both APIs answer when they refuse.</summary>
internal sealed record GoogleErrorBody(GoogleError? Error);

internal sealed record GoogleError
{
    public int? Code { get; init; }
    public string? Message { get; init; }

    /// <summary>The status as a word, for example <c>NOT_FOUND</c>; always there in Cloud TPU's.</summary>
    public string? Status { get; init; }

    /// <summary>Compute Engine's reasons.</summary>
    public IReadOnlyList<GoogleErrorItem>? Errors { get; init; }

    public IReadOnlyList<JsonElement>? Details { get; init; }
}

internal sealed record GoogleErrorItem
{
    public string? Message { get; init; }
    public string? Domain { get; init; }
    public string? Reason { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ComputeInstance))]
[JsonSerializable(typeof(ComputeInstanceList))]
[JsonSerializable(typeof(ComputeAggregatedList))]
[JsonSerializable(typeof(ComputeMetadata))]
[JsonSerializable(typeof(ComputeOperation))]
[JsonSerializable(typeof(ComputeSetLabels))]
[JsonSerializable(typeof(ComputeSerialOutput))]
[JsonSerializable(typeof(ComputeMachineTypeList))]
[JsonSerializable(typeof(TpuNode))]
[JsonSerializable(typeof(TpuNodeList))]
[JsonSerializable(typeof(TpuQueuedResource))]
[JsonSerializable(typeof(TpuQueuedResourceList))]
[JsonSerializable(typeof(TpuOperation))]
[JsonSerializable(typeof(TpuAcceleratorTypeList))]
[JsonSerializable(typeof(TpuStopNode))]
[JsonSerializable(typeof(GoogleErrorBody))]
internal sealed partial class GcpJson : JsonSerializerContext;
