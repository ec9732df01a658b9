using System.Globalization;

namespace Fluster.Backends;

/// <summary>A request to Compute Engine for one machine.</summary>
internal static class GceMachine
{
    /// <summary>What of the boot disk is the system's.</summary>
    public static readonly ByteSize SystemDisk = ByteSize.FromGiB(15);

    public static ComputeInstance Of(VmRequest request, MachineShape shape, GcpOptions options)
    {
        var zone = request.Offer.Zone;
        var labels = GcpLabels.For(request, options);
        return new ComputeInstance
        {
            Name = request.Id.ToString(),
            Description = $"A worker of the Fluster cluster {request.ClusterId}.",
            MachineType = $"zones/{zone}/machineTypes/{shape.Type.Name}",
            Labels = labels,
            Tags = new ComputeTags(options.Tags.Count > 0 ? [.. options.Tags] : ["fluster-worker"]),
            Disks =
            [
                new ComputeAttachedDisk
                {
                    Boot = true,
                    AutoDelete = true, // a disk that stays would be attached to the next machine of the name
                    InitializeParams = new ComputeDiskParameters
                    {
                        SourceImage = shape.Gpus > 0 ? options.GpuImage : options.Image,
                        DiskSizeGb = DiskGb(request.Offer.Resources.Disk, options).ToString(CultureInfo.InvariantCulture),
                        DiskType = $"zones/{zone}/diskTypes/{(options.DiskType.Length > 0 ? options.DiskType : shape.Type.NeedsHyperdisk ? "hyperdisk-balanced" : "pd-balanced")}",
                        Labels = labels,
                    },
                },
            ],
            NetworkInterfaces = [Network(GcpNames.RegionOf(zone), options)],
            ServiceAccounts = [new ComputeServiceAccount(options.ServiceAccount, options.Scopes.Count > 0 ? [.. options.Scopes] : ["https://www.googleapis.com/auth/cloud-platform"])],
            GuestAccelerators = shape.AttachedGpus > 0 ? [new ComputeAccelerator($"zones/{zone}/acceleratorTypes/{shape.AttachedGpu}", shape.AttachedGpus)] : null,
            Scheduling = Scheduling(shape, request.Offer.Resources.Preemptible),
            Metadata = new ComputeMetadata
            {
                Items =
                [
                    new ComputeMetadataItem("startup-script", StartupScript.Write(request, options)),
                    new ComputeMetadataItem("serial-port-logging-enable", "true"), // what the script says is kept when the machine is gone
                ],
            },
        };
    }

    /// <summary>The boot disk's size: as large as the settings say, or as the offer's tasks need.</summary>
    public static long DiskGb(ByteSize forJobs, GcpOptions options) =>
        Math.Max(ToGb(ByteSize.Parse(options.DiskSize).Bytes), ToGb(forJobs.Bytes + SystemDisk.Bytes));

    private static long ToGb(long bytes) => (bytes + (1L << 30) - 1) >> 30;

    private static ComputeNetworkInterface Network(string region, GcpOptions options) => new()
    {
        // A subnetwork names its network; both together would have to agree.
        Network = options.Subnetwork.Length > 0 ? null : options.Network.Contains('/', StringComparison.Ordinal) ? options.Network : $"global/networks/{options.Network}",
        Subnetwork = options.Subnetwork.Length == 0 ? null : options.Subnetwork.Contains('/', StringComparison.Ordinal) ? options.Subnetwork : $"regions/{region}/subnetworks/{options.Subnetwork}",
        AccessConfigs = options.ExternalAddress ? [new ComputeAccessConfig { Type = "ONE_TO_ONE_NAT", Name = "External NAT" }] : null,
    };

    /// <summary>
    /// A machine that may be taken away is deleted then: stopped, it would keep its name and disk. Machines with GPUs cannot be moved to another host.
    /// </summary>
    private static ComputeScheduling? Scheduling(MachineShape shape, bool isSpot) => (isSpot, shape.Gpus > 0) switch
    {
        (true, _) => new ComputeScheduling { ProvisioningModel = "SPOT", AutomaticRestart = false, OnHostMaintenance = "TERMINATE", InstanceTerminationAction = "DELETE" },
        (false, true) => new ComputeScheduling { ProvisioningModel = "STANDARD", OnHostMaintenance = "TERMINATE" },
        _ => null,
    };
}
