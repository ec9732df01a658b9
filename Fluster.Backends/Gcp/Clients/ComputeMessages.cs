namespace Fluster.Backends;

// Compute Engine's messages, as far as they are used; names are the API's. 64-bit numbers travel as text. What is null is not sent.

internal sealed record ComputeInstance
{
    public string? Kind { get; init; }
    public string? Id { get; init; }
    public string? Name { get; init; }
    public string? Description { get; init; }
    public string? Status { get; init; }
    public string? StatusMessage { get; init; }
    public string? Zone { get; init; }
    public string? SelfLink { get; init; }
    public string? CreationTimestamp { get; init; }
    public string? LastStartTimestamp { get; init; }
    public string? LastStopTimestamp { get; init; }
    public string? MachineType { get; init; }
    public string? Hostname { get; init; }
    public string? LabelFingerprint { get; init; }
    public Dictionary<string, string>? Labels { get; init; }
    public ComputeTags? Tags { get; init; }
    public ComputeMetadata? Metadata { get; init; }
    public IReadOnlyList<ComputeAttachedDisk>? Disks { get; init; }
    public IReadOnlyList<ComputeNetworkInterface>? NetworkInterfaces { get; init; }
    public IReadOnlyList<ComputeServiceAccount>? ServiceAccounts { get; init; }
    public IReadOnlyList<ComputeAccelerator>? GuestAccelerators { get; init; }
    public ComputeScheduling? Scheduling { get; init; }
    public ComputeShielded? ShieldedInstanceConfig { get; init; }
}

internal sealed record ComputeTags(IReadOnlyList<string>? Items = null, string? Fingerprint = null);

internal sealed record ComputeMetadata
{
    public string? Kind { get; init; }
    public string? Fingerprint { get; init; }
    public IReadOnlyList<ComputeMetadataItem>? Items { get; init; }

    /// <summary>What is written under a key; null when nothing is.</summary>
    public string? Find(string key) => Items?.FirstOrDefault(item => item.Key == key)?.Value;
}

internal sealed record ComputeMetadataItem(string Key, string? Value);

internal sealed record ComputeAttachedDisk
{
    public bool? Boot { get; init; }
    public bool? AutoDelete { get; init; }
    public string? Source { get; init; }
    public string? DeviceName { get; init; }
    public string? DiskSizeGb { get; init; }
    public ComputeDiskParameters? InitializeParams { get; init; }
}

internal sealed record ComputeDiskParameters
{
    public string? DiskName { get; init; }
    public string? SourceImage { get; init; }
    public string? SourceSnapshot { get; init; }
    public string? DiskSizeGb { get; init; }
    public string? DiskType { get; init; }
    public Dictionary<string, string>? Labels { get; init; }
}

internal sealed record ComputeNetworkInterface
{
    public string? Name { get; init; }
    public string? Network { get; init; }
    public string? Subnetwork { get; init; }
    public string? NetworkIP { get; init; }
    public IReadOnlyList<ComputeAccessConfig>? AccessConfigs { get; init; }
}

internal sealed record ComputeAccessConfig
{
    public string? Type { get; init; }
    public string? Name { get; init; }
    public string? NatIP { get; init; }
}

internal sealed record ComputeServiceAccount(string? Email, IReadOnlyList<string>? Scopes);

internal sealed record ComputeAccelerator(string? AcceleratorType, int? AcceleratorCount);

internal sealed record ComputeScheduling
{
    public string? ProvisioningModel { get; init; }
    public bool? Preemptible { get; init; }
    public bool? AutomaticRestart { get; init; }
    public string? OnHostMaintenance { get; init; }
    public string? InstanceTerminationAction { get; init; }
    public ComputeDuration? MaxRunDuration { get; init; }
}

internal sealed record ComputeDuration(string? Seconds, int? Nanos = null);

internal sealed record ComputeShielded(bool? EnableSecureBoot, bool? EnableVtpm, bool? EnableIntegrityMonitoring);

internal sealed record ComputeInstanceList
{
    public string? Kind { get; init; }
    public string? Id { get; init; }
    public string? SelfLink { get; init; }
    public IReadOnlyList<ComputeInstance>? Items { get; init; }
    public string? NextPageToken { get; init; }
    public ComputeWarning? Warning { get; init; }
}

internal sealed record ComputeAggregatedList
{
    public string? Kind { get; init; }
    public string? Id { get; init; }
    public string? SelfLink { get; init; }
    public Dictionary<string, ComputeScopedList>? Items { get; init; }
    public string? NextPageToken { get; init; }
    public IReadOnlyList<string>? Unreachables { get; init; }
    public ComputeWarning? Warning { get; init; }
}

internal sealed record ComputeScopedList
{
    public IReadOnlyList<ComputeInstance>? Instances { get; init; }
    public ComputeWarning? Warning { get; init; }
}

internal sealed record ComputeWarning(string? Code, string? Message)
{
    /// <summary>The warning of every zone that has nothing: no warning at all.</summary>
    public const string NoResults = "NO_RESULTS_ON_PAGE";
}

internal sealed record ComputeOperation
{
    public const string Done = "DONE";

    public string? Kind { get; init; }
    public string? Id { get; init; }
    public string? Name { get; init; }
    public string? ClientOperationId { get; init; }
    public string? OperationType { get; init; }
    public string? Status { get; init; }
    public int? Progress { get; init; }
    public string? TargetId { get; init; }
    public string? TargetLink { get; init; }
    public string? User { get; init; }
    public string? Zone { get; init; }
    public string? InsertTime { get; init; }
    public string? StartTime { get; init; }
    public string? EndTime { get; init; }
    public string? SelfLink { get; init; }
    public int? HttpErrorStatusCode { get; init; }
    public string? HttpErrorMessage { get; init; }
    public ComputeOperationError? Error { get; init; }
}

internal sealed record ComputeOperationError(IReadOnlyList<ComputeOperationProblem>? Errors);

internal sealed record ComputeOperationProblem
{
    public string? Code { get; init; }
    public string? Message { get; init; }
    public string? Location { get; init; }
    public IReadOnlyList<ComputeProblemDetail>? ErrorDetails { get; init; }
}

internal sealed record ComputeProblemDetail
{
    public ComputeQuotaInfo? QuotaInfo { get; init; }
    public ComputeErrorInfo? ErrorInfo { get; init; }
}

internal sealed record ComputeQuotaInfo
{
    public string? MetricName { get; init; }
    public string? LimitName { get; init; }
    public double? Limit { get; init; }
    public Dictionary<string, string>? Dimensions { get; init; }
}

internal sealed record ComputeErrorInfo(string? Reason, string? Domain, Dictionary<string, string>? Metadatas);

internal sealed record ComputeSetLabels(Dictionary<string, string>? Labels, string? LabelFingerprint);

internal sealed record ComputeSerialOutput
{
    public string? Kind { get; init; }
    public string? SelfLink { get; init; }
    public string? Contents { get; init; }
    public string? Start { get; init; }
    public string? Next { get; init; }
}

internal sealed record ComputeMachineType
{
    public string? Kind { get; init; }
    public string? Id { get; init; }
    public string? Name { get; init; }
    public int? GuestCpus { get; init; }
    public int? MemoryMb { get; init; }
    public bool? IsSharedCpu { get; init; }
    public string? Zone { get; init; }
    public string? SelfLink { get; init; }
    public IReadOnlyList<ComputeMachineGpus>? Accelerators { get; init; }
}

internal sealed record ComputeMachineGpus(string? GuestAcceleratorType, int? GuestAcceleratorCount);

internal sealed record ComputeMachineTypeList
{
    public string? Kind { get; init; }
    public string? Id { get; init; }
    public string? SelfLink { get; init; }
    public IReadOnlyList<ComputeMachineType>? Items { get; init; }
    public string? NextPageToken { get; init; }
    public ComputeWarning? Warning { get; init; }
}
