using System.Globalization;

namespace Fluster.Backends;

/// <summary>What there is of a slice: its node, its queued resource, both, or nothing.</summary>
internal sealed record FoundSlice(TpuNode? Node, TpuQueuedResource? Resource, string ClusterId)
{
    /// <summary>Whether there is anything, and it is this cluster's.</summary>
    public bool IsOurs =>
        (Node is not null || Resource is not null)
        && (Node is null || GcpLabels.AreOf(ClusterId, Node.Labels))
        && (Resource is null || Resource.Tpu?.NodeSpec?.All(spec => GcpLabels.AreOf(ClusterId, spec.Node?.Labels)) == true);

    public string StateText => $"node {Node?.State ?? "gone"}, queued resource {Resource?.State?.State ?? "gone"}";

    public VmInfo Describe(VmId id, string zone)
    {
        var spec = Resource?.Tpu?.NodeSpec is [var first, ..] ? first.Node : null;
        var endpoints = Node?.NetworkEndpoints ?? [];
        return new VmInfo(id, Status)
        {
            Zone = zone,
            Shape = Node?.AcceleratorType ?? spec?.AcceleratorType ?? "",
            Addresses = [.. endpoints.Select(endpoint => endpoint.IpAddress ?? "").Where(address => address.Length > 0)],
            CreatedAt = DateTimeOffset.TryParse(Resource?.CreateTime ?? Node?.CreateTime, CultureInfo.InvariantCulture, out var created) ? created : null,
            IsPreempted = Node?.State is "PREEMPTED" || Resource?.State is { State: "SUSPENDING" or "SUSPENDED", StateInitiator: not "USER" },
            Detail = Resource?.State?.FailedData?.Error?.Message ?? Node?.HealthDescription ?? "",
        };
    }

    /// <summary>
    /// Only what is known to live lives: preempted slices have been seen in other states than the one of that name. While the two disagree, the worse one counts.
    /// </summary>
    private VmStatus Status => (Node?.State, Resource?.State?.State) switch
    {
        ("DELETING", _) or (_, "DELETING") => VmStatus.Stopping,
        (_, "SUSPENDED" or "SUSPENDING" or "FAILED") => VmStatus.Stopped,
        ("READY", _) => Node?.NetworkEndpoints is { Count: > 0 } endpoints && endpoints.All(endpoint => endpoint.IpAddress is { Length: > 0 }) ? VmStatus.Running : VmStatus.Creating,
        ("CREATING" or "STARTING" or "RESTARTING" or "REIMAGING" or "REPAIRING", _) => VmStatus.Creating,
        ("UNKNOWN" or "STATE_UNSPECIFIED", _) => VmStatus.Unknown,
        (null, "CREATING" or "ACCEPTED" or "WAITING_FOR_RESOURCES" or "PROVISIONING") => VmStatus.Creating,
        (null, "ACTIVE") => VmStatus.Stopped, // its node was removed behind its back
        (null, _) => VmStatus.Unknown,
        _ => VmStatus.Stopped,
    };
}
