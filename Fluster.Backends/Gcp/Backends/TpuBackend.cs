using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Fluster.Backends;

/// <summary>
/// Slices of Cloud TPU (seed 003, stage 11), one for each <see cref="VmId"/>. A slice is asked for by a queued resource, because only that takes a request id; the slice itself, the
/// node, comes and goes with it, as a rule: both are looked for, and both are removed.
/// </summary>
internal sealed partial class TpuBackend(string name, GcpOptions options, string clusterId, TpuClient tpu, GcpConnection connection, ILogger<TpuBackend> logger) : IVmBackend
{
    private const double PauseGrowth = 1.5;
    private const int RpcDeadlineExceeded = 4;

    private static readonly TimeSpan s_operationPatience = TimeSpan.FromMinutes(10);

    public string Name => name;

    public TimeSpan BootTimeout { get; } = options.BootTimeout ?? TimeSpan.FromHours(1);

    public IReadOnlyList<VmOffer> Offers(ResourceSpec needs) =>
        needs.Device is Device.Tpu device && TpuMachines.Find(device.Variant) is { } machine
        && needs.CpuMillis <= machine.Cpus * 1000L && needs.Memory <= machine.UsableMemory && needs.Disk <= TpuMachines.UsableDisk
            ? [.. options.Zones.Where(zone => needs.Regions.Count == 0 || needs.Regions.Contains(GcpNames.RegionOf(zone))).Select(zone => Offer(machine, device, zone, options.Spot && needs.Preemptible))]
            : [];

    public async Task AllocateAsync(VmRequest request, CancellationToken cancellationToken = default)
    {
        var place = GcpPlace.Of(name, request.Offer);
        var machine = TpuMachines.Find(request.Offer.Shape) ?? throw new VmException(VmFailureKind.Invalid, $"{name}: there is no slice '{request.Offer.Shape}'.") { Scope = place.ShapeScope };
        try
        {
            try
            {
                var operation = await tpu.CreateQueuedResourceAsync(place.Zone, request.Id.ToString(), TpuSlice.Of(request, machine, options), request.RequestId, cancellationToken);
                await tpu.CompleteAsync(place.Zone, operation, s_operationPatience, cancellationToken);
            }
            catch (GcpApiException error) when (error.IsAlreadyExists)
            {
                if (await FindAsync(request.Id, place.Zone, cancellationToken) is not { IsOurs: true })
                {
                    throw place.Failure(error);
                }
            }

            await LeaveQueueAsync(request.Id, place, cancellationToken);
            Log.Made(logger, request.Id, place.Zone, request.Offer.Shape);
        }
        catch (GcpApiException error)
        {
            throw place.Failure(error, await MayExistAsync(request.Id, place, error, cancellationToken));
        }
    }

    public async Task ReleaseAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        try
        {
            await RemoveAsync(id, zone, cancellationToken);
        }
        catch (GcpApiException error)
        {
            throw new GcpPlace(name, zone).Failure(error, mayExist: true);
        }
    }

    public async Task<VmInfo?> GetAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        try
        {
            return await FindAsync(id, zone, cancellationToken) is { IsOurs: true } found ? found.Describe(id, zone) : null;
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
            var nodes = await tpu.ListNodesAsync(TpuClient.AllZones, cancellationToken);
            var resources = await tpu.ListQueuedResourcesAsync(TpuClient.AllZones, cancellationToken);
            var parts = nodes.Items.Select(node => (Key: PlaceOf(node.Name), Found: new FoundSlice(node, null, clusterId)))
                .Concat(resources.Items.Select(resource => (Key: PlaceOf(resource.Name), Found: new FoundSlice(null, resource, clusterId))));
            var slices = parts
                .GroupBy(part => part.Key)
                .Select(group => (group.Key, Found: new FoundSlice(group.FirstOrDefault(part => part.Found.Node is not null).Found?.Node, group.FirstOrDefault(part => part.Found.Resource is not null).Found?.Resource, clusterId)))
                .Where(slice => slice.Found.IsOurs)
                .OrderBy(slice => slice.Key.Name, StringComparer.Ordinal);
            return new VmListing(
                [.. slices.Select(slice => VmId.TryParse(slice.Key.Name, out var id) ? slice.Found.Describe(id, slice.Key.Zone) : null).OfType<VmInfo>()],
                nodes.IsComplete && resources.IsComplete);
        }
        catch (GcpApiException error)
        {
            throw new GcpPlace(name, "").Failure(error);
        }
    }

    private VmOffer Offer(TpuMachine machine, Device.Tpu device, string zone, bool isSpot) => new(device.Variant, zone, new ResourceSpec
    {
        CpuMillis = machine.Cpus * 1000L,
        Memory = machine.UsableMemory,
        Disk = TpuMachines.UsableDisk,
        Device = device,
        Preemptible = isSpot,
        Regions = [GcpNames.RegionOf(zone)],
    })
    {
        Workers = machine.Topology.Vms,
        Scopes = new GcpPlace(name, zone, device.Variant, isSpot).Scopes,
    };

    /// <summary>
    /// Waits until the slice is being made: until then another zone may be quicker. Not until it is there, which the operation of its node does not tell reliably anyway.
    /// </summary>
    private async Task LeaveQueueAsync(VmId id, GcpPlace place, CancellationToken cancellationToken)
    {
        var start = connection.Time.GetTimestamp();
        for (var pause = connection.Retry.First; ; pause = pause * PauseGrowth < connection.Retry.Longest ? pause * PauseGrowth : connection.Retry.Longest)
        {
            var resource = await tpu.FindQueuedResourceAsync(place.Zone, id.ToString(), cancellationToken)
                ?? throw new GcpApiException("RESOURCE_NOT_FOUND", $"The queued resource {id} is gone before it was there.");
            switch (resource.State?.State)
            {
                case "PROVISIONING" or "ACTIVE":
                    return;
                case "FAILED" when resource.State.FailedData?.Error is { Code: RpcDeadlineExceeded } late:
                    throw new GcpApiException("insufficientCapacity", late.Message ?? $"The slice {id} was not had in time."); // it was valid until then
                case "FAILED":
                    throw resource.State.FailedData?.Error is { } error ? GcpApiException.FromStatus(error) : new GcpApiException("", $"The queued resource {id} failed, and does not say why.");
                case "SUSPENDING" or "SUSPENDED":
                    throw new GcpApiException("UNSUPPORTED_OPERATION", $"The slice {id} was taken away while it was being made.");
                case "DELETING":
                    throw new GcpApiException("RESOURCE_NOT_READY", $"The queued resource {id} is being removed.");
            }

            if (connection.Time.GetElapsedTime(start) > options.TpuQueueTimeout)
            {
                throw new GcpApiException("insufficientCapacity", $"The slice {id} has waited for capacity for {options.TpuQueueTimeout}.");
            }

            await Task.Delay(pause, connection.Time, cancellationToken);
        }
    }

    /// <returns>Whether there may be something all the same.</returns>
    private async Task<bool> MayExistAsync(VmId id, GcpPlace place, GcpApiException error, CancellationToken cancellationToken)
    {
        if (error is { Status: not null, IsTransient: false } and ({ IsPermission: true } or { IsInvalid: true }))
        {
            return false; // refused before anything was done
        }

        try
        {
            await RemoveAsync(id, place.Zone, cancellationToken);
            return error.LeavesOpen;
        }
        catch (Exception unknown) when (unknown is GcpApiException or VmException)
        {
            Log.NotCleaned(logger, id, place.Zone, unknown.Message);
            return true;
        }
    }

    /// <summary>Removes the queued resource, by force and so with its node, and a node that stays. Preempted nodes stay, and count for the quota.</summary>
    private async Task RemoveAsync(VmId id, string zone, CancellationToken cancellationToken)
    {
        var start = connection.Time.GetTimestamp();
        var pause = connection.Retry.First;
        GcpApiException? last = null;
        Guid? requestId = null;
        while (await FindAsync(id, zone, cancellationToken) is { IsOurs: true } found)
        {
            if (connection.Time.GetElapsedTime(start) > s_operationPatience)
            {
                throw new VmException(VmFailureKind.Transient, $"{name} in {zone}: {id} is still there: {last?.Message ?? found.StateText}", last) { MayExist = true };
            }

            try
            {
                var operation = found.Resource is { State.State: not "DELETING" }
                    ? await tpu.DeleteQueuedResourceAsync(zone, id.ToString(), isForced: true, (requestId = requestId is null ? DeleteId(found.Resource) : Guid.NewGuid()).Value, cancellationToken)
                    : found is { Resource: null, Node.State: not "DELETING" } ? await tpu.DeleteNodeAsync(zone, id.ToString(), cancellationToken) : null;
                if (operation is not null)
                {
                    await tpu.CompleteAsync(zone, operation, s_operationPatience, cancellationToken);
                    Log.Removed(logger, id, zone);
                    continue;
                }
            }
            catch (GcpApiException error) when (error.IsNotFound || error.IsNotReady || error is { Status: null, IsUnanswered: false })
            {
                last = error; // gone, on its way, or an operation that failed: look again
            }

            await Task.Delay(pause, connection.Time, cancellationToken);
            pause = pause * PauseGrowth < connection.Retry.Longest ? pause * PauseGrowth : connection.Retry.Longest;
        }
    }

    private async Task<FoundSlice> FindAsync(VmId id, string zone, CancellationToken cancellationToken) => new(
        await tpu.FindNodeAsync(zone, id.ToString(), cancellationToken),
        await tpu.FindQueuedResourceAsync(zone, id.ToString(), cancellationToken),
        clusterId);

    /// <summary>The zone and name in <c>projects/P/locations/Z/nodes/N</c>.</summary>
    private static (string Zone, string Name) PlaceOf(string? path) => path?.Split('/') is [_, _, _, var zone, _, var name] ? (zone, name) : ("", "");

    /// <summary>The same for the first try at removing this one, by whoever; one that failed would only tell of that again.</summary>
    private static Guid DeleteId(TpuQueuedResource resource) =>
        new(SHA256.HashData(Encoding.UTF8.GetBytes($"delete {resource.Name} {resource.CreateTime}")).AsSpan(0, 16));

    private static partial class Log
    {
        [LoggerMessage(545, LogLevel.Information, "Cloud TPU makes {Vm} in {Zone}: {Shape}.")]
        public static partial void Made(ILogger logger, VmId vm, string zone, string shape);

        [LoggerMessage(546, LogLevel.Information, "Cloud TPU removed {Vm} in {Zone}.")]
        public static partial void Removed(ILogger logger, VmId vm, string zone);

        [LoggerMessage(547, LogLevel.Warning, "What a failed create of {Vm} in {Zone} may have left was not removed: {Problem}")]
        public static partial void NotCleaned(ILogger logger, VmId vm, string zone, string problem);
    }
}
