namespace Fluster.GcpEmulator;

/// <summary>A machine of Compute Engine.</summary>
internal sealed class EmulatedInstance(string project, ComputeInstance resource)
{
    public string Project => project;

    public string Zone => GcpNames.LastPart(Resource.Zone);

    public string Name => Resource.Name!;

    /// <summary>What the API tells of it.</summary>
    public ComputeInstance Resource { get; set; } = resource;

    public EmulatedMachine? Machine { get; set; }

    /// <summary>Whether it is being deleted: nothing else happens to it any more.</summary>
    public bool IsDeleting { get; set; }

    public bool IsSpot => Resource.Scheduling is { ProvisioningModel: "SPOT" } or { Preemptible: true };
}

/// <summary>A slice of Cloud TPU with its machines.</summary>
internal sealed class EmulatedNode(string project, string zone, string id, TpuNode resource)
{
    public string Project => project;

    public string Zone => zone;

    public string Id => id;

    public TpuNode Resource { get; set; } = resource;

    /// <summary>One for each host, when it is made.</summary>
    public IReadOnlyList<EmulatedMachine> Machines { get; set; } = [];

    public bool IsDeleting { get; set; }
}

/// <summary>A request for a slice.</summary>
internal sealed class EmulatedQueuedResource(string project, string zone, string id, TpuQueuedResource resource, DateTimeOffset validUntil)
{
    public string Project => project;

    public string Zone => zone;

    public string Id => id;

    public DateTimeOffset ValidUntil => validUntil;

    public TpuQueuedResource Resource { get; set; } = resource;

    public string State => Resource.State?.State ?? "";

    public string NodeId => Resource.Tpu!.NodeSpec![0].NodeId!;
}

/// <summary>The inside of a machine: what its metadata server answers. Values change while others wait for that.</summary>
internal sealed class EmulatedMachine(string host)
{
    /// <summary>Its name among all hosts; the hosts of a slice have its name and their number.</summary>
    public string Host => host;

    public required string Address { get; init; }

    public required string Zone { get; init; }

    public required string Project { get; init; }

    public required string Id { get; init; }

    public required string MachineType { get; init; }

    public string ExternalAddress { get; init; } = "";

    public bool IsSpot { get; init; }

    /// <summary>What users write on a machine, and on TPU what the slice says to its hosts.</summary>
    public Dictionary<string, string> Attributes { get; init; } = new(StringComparer.Ordinal);

    public bool IsPreempted { get; set; }

    public string MaintenanceEvent { get; set; } = "NONE";

    /// <summary>Whether it is there any more.</summary>
    public bool IsGone { get; set; }

    public string Script => Attributes.GetValueOrDefault("startup-script", "");
}
