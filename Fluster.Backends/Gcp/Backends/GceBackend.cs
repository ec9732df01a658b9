using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Fluster.Backends;

/// <summary>Machines of Compute Engine (seed 003, stage 10).</summary>
internal sealed partial class GceBackend(string name, GcpOptions options, string clusterId, ComputeClient compute, ILogger<GceBackend> logger) : IVmBackend
{
    /// <summary>How long making or removing a machine may take before it is told as it is. Google says ten minutes are far beyond the usual.</summary>
    private static readonly TimeSpan s_operationPatience = TimeSpan.FromMinutes(10);

    public string Name => name;

    public TimeSpan BootTimeout { get; } = options.BootTimeout ?? TimeSpan.FromSeconds(300);

    public IReadOnlyList<VmOffer> Offers(ResourceSpec needs) =>
    [
        .. from choice in Choices(needs)
           from zone in options.Zones
           where needs.Regions.Count == 0 || needs.Regions.Contains(GcpNames.RegionOf(zone))
           select Offer(choice.Shape, choice.Device, zone, needs),
    ];

    public async Task AllocateAsync(VmRequest request, CancellationToken cancellationToken = default)
    {
        var place = GcpPlace.Of(name, request.Offer);
        var shape = MachineShape.Find(request.Offer.Shape)
            ?? throw new VmException(VmFailureKind.Invalid, $"{name}: there is no machine '{request.Offer.Shape}'.") { Scope = place.ShapeScope };
        try
        {
            var operation = await compute.InsertAsync(place.Zone, GceMachine.Of(request, shape, options), request.RequestId, cancellationToken);
            await compute.CompleteAsync(place.Zone, operation, s_operationPatience, cancellationToken);
            Log.Made(logger, request.Id, place.Zone, request.Offer.Shape);
        }
        catch (GcpApiException error) when (error.IsAlreadyExists)
        {
            await AdoptAsync(request, place, error, cancellationToken);
        }
        catch (GcpApiException error)
        {
            throw place.Failure(error, await MayExistAsync(request.Id, place, error, cancellationToken));
        }
    }

    public async Task ReleaseAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        var place = new GcpPlace(name, zone);
        try
        {
            // The one before the last try may have been answered with an operation that failed; its id would only tell of that again.
            if (await FindAsync(id, zone, cancellationToken) is { } instance && !await DeleteAsync(instance, zone, DeleteId(instance, zone), cancellationToken)
                && await FindAsync(id, zone, cancellationToken) is { } left && !await DeleteAsync(left, zone, Guid.NewGuid(), cancellationToken))
            {
                throw new VmException(VmFailureKind.Transient, $"{name} in {zone}: {id} is still there after its removal.") { MayExist = true };
            }
        }
        catch (GcpApiException error)
        {
            throw place.Failure(error, mayExist: true);
        }
    }

    public async Task<VmInfo?> GetAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        try
        {
            return await FindAsync(id, zone, cancellationToken) is { } instance ? Describe(instance) : null;
        }
        catch (GcpApiException error)
        {
            throw new GcpPlace(name, zone).Failure(error);
        }
    }

    public async Task<VmListing> ListAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            var list = await compute.ListAllAsync(GcpLabels.FilterFor(clusterId), cancellationToken);

            // The filter says the same; what removes machines does not rely on it alone.
            var ours = list.Items.Where(instance => GcpLabels.AreOf(clusterId, instance.Labels) && instance.Labels?.ContainsKey(GcpLabels.TpuCores) != true);
            return new VmListing([.. ours.Select(Describe).OfType<VmInfo>()], list.IsComplete);
        }
        catch (GcpApiException error)
        {
            throw new GcpPlace(name, "").Failure(error);
        }
    }

    private IEnumerable<(MachineShape Shape, Device Device)> Choices(ResourceSpec needs)
    {
        switch (needs.Device)
        {
            case Device.Cpu when ChooseType(needs) is { } type:
                yield return (new MachineShape(type), needs.Device);
                break;
            case Device.Gpu gpu when options.GpuImage.Length > 0:
                foreach (var model in GpuMachines.ModelsFor(gpu.Variant))
                {
                    if (GpuMachines.Choose(model, gpu.Count, needs.CpuMillis, needs.Memory) is { } shape)
                    {
                        // The worker says of itself what the job asks for: jobs name a model in more than one way.
                        yield return (shape, new Device.Gpu(gpu.Variant == "auto" ? model.Variants[0] : gpu.Variant, shape.Gpus));
                    }
                }

                break;
        }
    }

    private MachineType? ChooseType(ResourceSpec needs) =>
        MachineTypes.Find(options.MachineType) is { Gpus: 0 } usual && needs.CpuMillis <= usual.Cpus * 1000L && needs.Memory <= usual.UsableMemory
            ? usual
            : MachineTypes.FindFamily(options.MachineFamily)?.Choose(needs.CpuMillis, needs.Memory);

    private VmOffer Offer(MachineShape shape, Device device, string zone, ResourceSpec needs)
    {
        var isSpot = options.Spot && needs.Preemptible;
        return new VmOffer(shape.ToString(), zone, new ResourceSpec
        {
            CpuMillis = shape.Type.Cpus * 1000L,
            Memory = shape.Type.UsableMemory,
            Disk = ByteSize.FromGiB(GceMachine.DiskGb(needs.Disk, options) - (GceMachine.SystemDisk.Bytes >> 30)),
            Device = device,
            Preemptible = isSpot,
            Regions = [GcpNames.RegionOf(zone)],
        })
        {
            Scopes = new GcpPlace(name, zone, shape.ToString(), isSpot).Scopes,
        };
    }

    /// <summary>A machine of the name is there: an earlier try made it, if it is this cluster's.</summary>
    private async Task AdoptAsync(VmRequest request, GcpPlace place, GcpApiException error, CancellationToken cancellationToken)
    {
        try
        {
            var instance = await compute.FindAsync(place.Zone, request.Id.ToString(), cancellationToken);
            if (instance is null)
            {
                throw new VmException(VmFailureKind.Transient, $"{name} in {place.Zone}: {error.Message} It is not there now.", error) { MayExist = true };
            }

            if (!GcpLabels.AreOf(clusterId, instance.Labels))
            {
                throw place.Failure(error);
            }
        }
        catch (GcpApiException unknown)
        {
            throw place.Failure(unknown, mayExist: true);
        }
    }

    /// <summary>A create has failed: whatever it left is removed. Creates that say "not found" have been seen to leave machines that run.</summary>
    /// <returns>Whether there may be something all the same.</returns>
    private async Task<bool> MayExistAsync(VmId id, GcpPlace place, GcpApiException error, CancellationToken cancellationToken)
    {
        if (error is { Status: not null, IsTransient: false } and ({ IsPermission: true } or { IsInvalid: true }))
        {
            return false; // refused before anything was done
        }

        try
        {
            var instance = await FindAsync(id, place.Zone, cancellationToken);
            var isGone = instance is null || await DeleteAsync(instance, place.Zone, Guid.NewGuid(), cancellationToken);
            return !isGone || error.LeavesOpen;
        }
        catch (GcpApiException unknown)
        {
            Log.NotCleaned(logger, id, place.Zone, unknown.Message);
            return true;
        }
    }

    /// <summary>A machine of this cluster; null when there is none of the name, or somebody else's.</summary>
    private async Task<ComputeInstance?> FindAsync(VmId id, string zone, CancellationToken cancellationToken) =>
        await compute.FindAsync(zone, id.ToString(), cancellationToken) is { } instance && GcpLabels.AreOf(clusterId, instance.Labels) ? instance : null;

    /// <returns>Whether it is gone.</returns>
    private async Task<bool> DeleteAsync(ComputeInstance instance, string zone, Guid requestId, CancellationToken cancellationToken)
    {
        try
        {
            var operation = await compute.DeleteAsync(zone, instance.Name!, requestId, cancellationToken);
            operation = await compute.CompleteAsync(zone, operation, s_operationPatience, cancellationToken);
            var isGone = operation.Status == ComputeOperation.Done && await IsGoneAsync(instance, zone, cancellationToken);
            if (isGone)
            {
                Log.Removed(logger, instance.Name!, zone);
            }

            return isGone;
        }
        catch (GcpApiException error) when (error.IsNotFound)
        {
            return true;
        }
        catch (GcpApiException error) when (error.Status is null && !error.IsUnanswered)
        {
            Log.DeleteFailed(logger, instance.Name!, zone, error.Message); // an operation that failed: the next try is another one
            return false;
        }
    }

    private async Task<bool> IsGoneAsync(ComputeInstance instance, string zone, CancellationToken cancellationToken) =>
        await compute.FindAsync(zone, instance.Name!, cancellationToken) is not { } now || now.Id != instance.Id;

    /// <summary>The same for every try at removing this machine; another one for the next machine of the name.</summary>
    private static Guid DeleteId(ComputeInstance instance, string zone) =>
        new(SHA256.HashData(Encoding.UTF8.GetBytes($"delete {zone} {instance.Name} {instance.Id}")).AsSpan(0, 16));

    private static VmInfo? Describe(ComputeInstance instance)
    {
        if (!VmId.TryParse(instance.Name, out var id))
        {
            return null; // with our labels, and not a name of ours: somebody copied them
        }

        var network = instance.NetworkInterfaces is [var first, ..] ? first : null;
        var gpu = instance.GuestAccelerators is [{ AcceleratorCount: > 0 } attached] ? $"+{GcpNames.LastPart(attached.AcceleratorType)}x{attached.AcceleratorCount}" : "";
        var status = StatusOf(instance.Status);
        return new VmInfo(id, status)
        {
            Zone = GcpNames.LastPart(instance.Zone),
            Shape = GcpNames.LastPart(instance.MachineType) + gpu,
            Addresses = network?.NetworkIP is { Length: > 0 } address ? [address] : [],
            CreatedAt = DateTimeOffset.TryParse(instance.CreationTimestamp, CultureInfo.InvariantCulture, out var created) ? created : null,
            IsPreempted = status is VmStatus.Stopped or VmStatus.Stopping && instance.Scheduling is { ProvisioningModel: "SPOT" } or { Preemptible: true },
            Detail = instance.StatusMessage ?? "",
        };
    }

    public static VmStatus StatusOf(string? status) => status switch
    {
        "PROVISIONING" or "STAGING" or "PENDING" or "REPAIRING" => VmStatus.Creating,
        "RUNNING" => VmStatus.Running,
        "STOPPING" or "PENDING_STOP" or "SUSPENDING" or "DEPROVISIONING" => VmStatus.Stopping,
        "TERMINATED" or "STOPPED" or "SUSPENDED" => VmStatus.Stopped,
        _ => VmStatus.Unknown,
    };

    private static partial class Log
    {
        [LoggerMessage(540, LogLevel.Information, "Compute Engine made {Vm} in {Zone}: {Shape}.")]
        public static partial void Made(ILogger logger, VmId vm, string zone, string shape);

        [LoggerMessage(541, LogLevel.Information, "Compute Engine removed {Vm} in {Zone}.")]
        public static partial void Removed(ILogger logger, string vm, string zone);

        [LoggerMessage(542, LogLevel.Warning, "What a failed create of {Vm} in {Zone} may have left was not removed: {Problem}")]
        public static partial void NotCleaned(ILogger logger, VmId vm, string zone, string problem);

        [LoggerMessage(543, LogLevel.Warning, "Removing {Vm} in {Zone} failed: {Problem}")]
        public static partial void DeleteFailed(ILogger logger, string vm, string zone, string problem);
    }
}
