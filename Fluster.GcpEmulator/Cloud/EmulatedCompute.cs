using System.Globalization;

namespace Fluster.GcpEmulator;

/// <summary>What Compute Engine does. Under the cloud's lock.</summary>
internal sealed class EmulatedCompute(EmulatedCloud cloud)
{
    public EmulatedOperation Insert(string project, string zone, ComputeInstance body, string? requestId, FailNext? failure)
    {
        if (cloud.Repeated(project, requestId) is { } repeated)
        {
            return repeated;
        }

        var type = Check(project, zone, body);
        var key = (project, zone, body.Name!);
        var path = $"projects/{project}/zones/{zone}/instances/{body.Name}";
        if (cloud.Instances.ContainsKey(key))
        {
            throw new EmulatorException(409, "alreadyExists", $"The resource '{path}' already exists");
        }

        CheckQuota(project, zone, type, body);
        var id = cloud.NextId();
        var instance = new EmulatedInstance(project, Complete(project, zone, id, body));
        cloud.Instances[key] = instance;
        var made = new MadeResource("instances", project, zone, instance.Name, type.Name, cloud.Instances.Count);
        cloud.Made.Add(made);

        var problem = failure is not null
            ? new EmulatedProblem(failure.Code, failure.RpcCode, failure.Message) { LeavesMachine = failure.Mode == "operation-leave" }
            : cloud.Faults.StockoutFor(zone, type.Name) is not null
                ? new EmulatedProblem("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", 8, $"The zone 'projects/{project}/zones/{zone}' does not have enough resources available to fulfill the request. Try a different zone, or try again later.")
                : null;
        return cloud.Begin(project, zone, "insert", path, id, requestId, () => Run(instance), problem, onFailed: () =>
        {
            if (problem!.LeavesMachine)
            {
                Run(instance);
            }
            else
            {
                made.Failed = true;
                cloud.Instances.Remove(key);
            }
        });
    }

    public EmulatedInstance Get(string project, string zone, string nameOrId)
    {
        cloud.CheckZone(zone);
        return cloud.Instances.GetValueOrDefault((project, zone, nameOrId))
            ?? cloud.Instances.Values.FirstOrDefault(instance => instance.Project == project && instance.Zone == zone && instance.Resource.Id == nameOrId)
            ?? throw EmulatorException.NotFound($"projects/{project}/zones/{zone}/instances/{nameOrId}");
    }

    /// <summary>The machines that clients list: those of slices, too, as Google does.</summary>
    public IEnumerable<ComputeInstance> All(string project) =>
        cloud.Instances.Values.Where(instance => instance.Project == project).Select(instance => instance.Resource)
            .Concat(cloud.Nodes.Values.Where(node => node.Project == project).SelectMany(Mirror))
            .OrderBy(instance => instance.Zone, StringComparer.Ordinal).ThenBy(instance => instance.Name, StringComparer.Ordinal);

    public EmulatedOperation Delete(string project, string zone, string name, string? requestId, FailNext? failure)
    {
        if (cloud.Repeated(project, requestId) is { } repeated)
        {
            return repeated;
        }

        var instance = Get(project, zone, name);
        var path = $"projects/{project}/zones/{zone}/instances/{instance.Name}";
        var problem = failure is null ? null : new EmulatedProblem(failure.Code, failure.RpcCode, failure.Message);
        if (problem is null)
        {
            instance.IsDeleting = true;
            instance.Resource = instance.Resource with { Status = "STOPPING" };
        }

        return cloud.Begin(project, zone, "delete", path, instance.Resource.Id!, requestId, () => Remove(instance), problem);
    }

    public EmulatedOperation SetLabels(string project, string zone, string name, ComputeSetLabels body, string? requestId)
    {
        if (cloud.Repeated(project, requestId) is { } repeated)
        {
            return repeated;
        }

        var instance = Get(project, zone, name);
        CheckFingerprint(body.LabelFingerprint, instance.Resource.LabelFingerprint, "Labels fingerprint either invalid or resource labels have changed");
        CheckLabels(body.Labels);
        instance.Resource = instance.Resource with { Labels = body.Labels, LabelFingerprint = Fingerprint() };
        return cloud.Begin(project, zone, "setLabels", $"projects/{project}/zones/{zone}/instances/{name}", instance.Resource.Id!, requestId, () => { });
    }

    public EmulatedOperation SetMetadata(string project, string zone, string name, ComputeMetadata body, string? requestId)
    {
        if (cloud.Repeated(project, requestId) is { } repeated)
        {
            return repeated;
        }

        var instance = Get(project, zone, name);
        CheckFingerprint(body.Fingerprint, instance.Resource.Metadata?.Fingerprint, "Supplied fingerprint does not match current metadata fingerprint.");
        CheckMetadata(body);
        instance.Resource = instance.Resource with { Metadata = body with { Fingerprint = Fingerprint(), Kind = "compute#metadata" } };
        if (instance.Machine is { } machine)
        {
            machine.Attributes.Clear();
            foreach (var item in body.Items ?? [])
            {
                machine.Attributes[item.Key] = item.Value ?? "";
            }
        }

        return cloud.Begin(project, zone, "setMetadata", $"projects/{project}/zones/{zone}/instances/{name}", instance.Resource.Id!, requestId, () => { });
    }

    /// <summary>The cloud takes a machine away: it is told, and after the notice it stops, or is deleted, as it was made.</summary>
    public void Preempt(EmulatedInstance instance, TimeSpan notice)
    {
        if (instance.Machine is { } machine)
        {
            machine.IsPreempted = true;
        }

        cloud.Later(notice, () =>
        {
            if (!cloud.Instances.ContainsValue(instance) || instance.IsDeleting)
            {
                return;
            }

            if (instance.Resource.Scheduling?.InstanceTerminationAction == "DELETE")
            {
                Remove(instance);
            }
            else
            {
                instance.Resource = instance.Resource with { Status = "TERMINATED", LastStopTimestamp = cloud.NowText };
                if (instance.Machine is { } stopped)
                {
                    cloud.PowerOff(stopped);
                }
            }
        });
    }

    private void Run(EmulatedInstance instance)
    {
        if (instance.IsDeleting || !cloud.Instances.ContainsValue(instance))
        {
            return;
        }

        var resource = instance.Resource;
        var network = resource.NetworkInterfaces![0];
        var machine = new EmulatedMachine(instance.Name)
        {
            Address = cloud.NextAddress(),
            ExternalAddress = network.AccessConfigs is { Count: > 0 } ? cloud.NextExternalAddress() : "",
            Zone = instance.Zone,
            Project = instance.Project,
            Id = resource.Id!,
            MachineType = GcpNames.LastPart(resource.MachineType),
            IsSpot = instance.IsSpot,
            Attributes = (resource.Metadata?.Items ?? []).ToDictionary(item => item.Key, item => item.Value ?? "", StringComparer.Ordinal),
        };
        instance.Machine = machine;
        instance.Resource = resource with
        {
            Status = "RUNNING",
            LastStartTimestamp = cloud.NowText,
            NetworkInterfaces =
            [
                network with
                {
                    NetworkIP = machine.Address,
                    AccessConfigs = network.AccessConfigs is { Count: > 0 } configs ? [.. configs.Select(config => config with { NatIP = machine.ExternalAddress })] : null,
                },
            ],
        };
        cloud.Boot(machine);
    }

    private void Remove(EmulatedInstance instance)
    {
        cloud.Instances.Remove((instance.Project, instance.Zone, instance.Name));
        if (instance.Machine is { } machine)
        {
            cloud.PowerOff(machine);
        }
    }

    private MachineType Check(string project, string zone, ComputeInstance body)
    {
        cloud.CheckZone(zone);
        if (!GcpNames.IsResource(body.Name))
        {
            throw EmulatorException.Invalid("resource.name", body.Name ?? "", "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'");
        }

        var typeName = GcpNames.LastPart(body.MachineType);
        var type = MachineTypes.Find(typeName);
        if (type is null || !body.MachineType!.EndsWith($"zones/{zone}/machineTypes/{typeName}", StringComparison.Ordinal))
        {
            throw EmulatorException.Invalid("resource.machineType", body.MachineType ?? "", "The referenced resource does not exist.");
        }

        if (body.Disks?.Where(disk => disk.Boot == true).ToList() is not [var boot] || !HasOneSource(boot))
        {
            throw EmulatorException.Invalid("resource.disks", body.Disks is null ? "" : "disks", "A machine needs one boot disk, with one source.");
        }

        if (boot.InitializeParams?.DiskSizeGb is { } size && (!int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var gb) || gb < 10))
        {
            throw EmulatorException.Invalid("resource.disks[0].initializeParams.diskSizeGb", size, "Disk size cannot be smaller than the image size (10 GB).");
        }

        if (body.NetworkInterfaces is not { Count: > 0 })
        {
            throw EmulatorException.Invalid("resource.networkInterfaces", "", "At least one network interface is required.");
        }

        if (body.ServiceAccounts is { Count: > 1 })
        {
            throw EmulatorException.Invalid("resource.serviceAccounts", "", "At most one service account may be specified.");
        }

        var hasGpus = type.Gpus > 0 || body.GuestAccelerators is { Count: > 0 };
        if (body.GuestAccelerators is { Count: > 0 } && type.Family != "n1")
        {
            throw EmulatorException.Invalid("resource.guestAccelerators", type.Name, "This machine type cannot have accelerators attached.");
        }

        var isSpot = body.Scheduling is { ProvisioningModel: "SPOT" } or { Preemptible: true };
        if ((isSpot || hasGpus) && body.Scheduling?.OnHostMaintenance != "TERMINATE")
        {
            throw EmulatorException.Invalid("resource.scheduling.onHostMaintenance", body.Scheduling?.OnHostMaintenance ?? "", "Spot machines and machines with accelerators must be terminated for maintenance.");
        }

        if (isSpot && body.Scheduling?.AutomaticRestart != false)
        {
            throw EmulatorException.Invalid("resource.scheduling.automaticRestart", "true", "Scheduling must have automatic restart disabled for spot machines.");
        }

        CheckLabels(body.Labels);
        CheckMetadata(body.Metadata);
        return type;
    }

    private static bool HasOneSource(ComputeAttachedDisk disk) =>
        new[] { disk.Source, disk.InitializeParams?.SourceImage, disk.InitializeParams?.SourceSnapshot }.Count(source => source is { Length: > 0 }) == 1;

    private static void CheckLabels(IReadOnlyDictionary<string, string>? labels)
    {
        if (labels?.FirstOrDefault(label => !GcpLabels.IsKey(label.Key) || !GcpLabels.IsValue(label.Value)) is { Key: not null } wrong)
        {
            throw EmulatorException.Invalid("resource.labels", $"{wrong.Key}={wrong.Value}", "Label keys and values can only contain lowercase letters, digits, underscores and dashes.");
        }
    }

    private static void CheckMetadata(ComputeMetadata? metadata)
    {
        foreach (var item in metadata?.Items ?? [])
        {
            if (item.Key.Length is 0 or > 128 || !item.Key.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            {
                throw EmulatorException.Invalid("resource.metadata.items.key", item.Key, "Must be a match of regex '[a-zA-Z0-9-_]{1,128}'");
            }

            if (item.Value?.Length > 256 * 1024)
            {
                throw EmulatorException.Invalid("resource.metadata.items.value", item.Key, "Metadata values may be at most 262144 bytes.");
            }
        }
    }

    private void CheckQuota(string project, string zone, MachineType type, ComputeInstance body)
    {
        var region = GcpNames.RegionOf(zone);
        var others = cloud.Instances.Values.Where(instance => instance.Project == project).Select(instance => (Region: GcpNames.RegionOf(instance.Zone), Type: MachineTypes.Find(GcpNames.LastPart(instance.Resource.MachineType))!, instance.Resource)).ToList();
        var here = others.Where(other => other.Region == region).ToList();
        Check("CPUS", region, here.Sum(other => other.Type.Cpus) + type.Cpus);
        Check("INSTANCES", region, here.Count + 1);
        Check("GPUS_ALL_REGIONS", "global", others.Sum(other => Gpus(other.Type, other.Resource)) + Gpus(type, body));

        void Check(string metric, string where, long wanted)
        {
            if (cloud.Faults.Quotas.TryGetValue((metric, where), out var limit) && wanted > limit)
            {
                throw new EmulatorException(403, "quotaExceeded", $"Quota '{metric}' exceeded. Limit: {limit}.0 {(where == "global" ? "globally" : $"in region {where}")}.") { Domain = "usageLimits" };
            }
        }

        static int Gpus(MachineType type, ComputeInstance resource) => type.Gpus + (resource.GuestAccelerators?.Sum(accelerator => accelerator.AcceleratorCount ?? 0) ?? 0);
    }

    private ComputeInstance Complete(string project, string zone, string id, ComputeInstance body) => body with
    {
        Kind = "compute#instance",
        Id = id,
        Status = "PROVISIONING",
        Zone = $"{Link(project)}/zones/{zone}",
        SelfLink = $"{Link(project)}/zones/{zone}/instances/{body.Name}",
        CreationTimestamp = cloud.NowText,
        MachineType = $"{Link(project)}/zones/{zone}/machineTypes/{GcpNames.LastPart(body.MachineType)}",
        LabelFingerprint = Fingerprint(),
        Metadata = (body.Metadata ?? new ComputeMetadata()) with { Fingerprint = Fingerprint(), Kind = "compute#metadata" },
        Tags = (body.Tags ?? new ComputeTags()) with { Fingerprint = Fingerprint() },
        Disks = [.. body.Disks!.Select((disk, index) => new ComputeAttachedDisk { Boot = disk.Boot, AutoDelete = disk.AutoDelete, DiskSizeGb = disk.InitializeParams?.DiskSizeGb, DeviceName = $"persistent-disk-{index}", Source = $"{Link(project)}/zones/{zone}/disks/{body.Name}" })],
        NetworkInterfaces = [body.NetworkInterfaces![0] with { Name = "nic0" }],
    };

    /// <summary>A slice's hosts as they show among the machines.</summary>
    private static IEnumerable<ComputeInstance> Mirror(EmulatedNode node) => node.Machines.Select((machine, index) => new ComputeInstance
    {
        Kind = "compute#instance",
        Id = machine.Id,
        Name = $"t1v-n-{machine.Id[^8..]}-w-{index}",
        Status = "RUNNING",
        Zone = $"{Link(node.Project)}/zones/{node.Zone}",
        MachineType = $"{Link(node.Project)}/zones/{node.Zone}/machineTypes/{machine.MachineType}",
        Labels = new Dictionary<string, string>(node.Resource.Labels ?? [], StringComparer.Ordinal) { [GcpLabels.TpuCores] = "8" },
        NetworkInterfaces = [new ComputeNetworkInterface { Name = "nic0", NetworkIP = machine.Address }],
    });

    private static void CheckFingerprint(string? sent, string? current, string message)
    {
        if (sent != current)
        {
            throw new EmulatorException(412, "conditionNotMet", message);
        }
    }

    private static string Fingerprint() => Convert.ToBase64String(Guid.NewGuid().ToByteArray().AsSpan(0, 8));

    public static string Link(string project) => $"https://www.googleapis.com/compute/v1/projects/{project}";
}
