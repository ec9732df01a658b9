using System.Collections.Concurrent;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>A backend in memory: a test says what it offers and what goes wrong.</summary>
internal sealed class ScriptedBackend(string name = "cloud") : IVmBackend
{
    private readonly ConcurrentDictionary<VmId, VmInfo> _vms = new();

    public string Name => name;

    public TimeSpan BootTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The zones of its offers, the best first.</summary>
    public IReadOnlyList<string> Zones { get; set; } = ["zone-1-a", "zone-1-b"];

    /// <summary>What one of its plain machines has.</summary>
    public ResourceSpec Each { get; set; } = new() { Cpu = 4, Memory = ByteSize.FromGiB(4) };

    /// <summary>TPU slices that it has, too.</summary>
    public IReadOnlyList<string> Tpus { get; set; } = [];

    /// <summary>Called with each request before it does anything: throws, waits, or does nothing.</summary>
    public Func<VmRequest, Task> OnAllocate { get; set; } = _ => Task.CompletedTask;

    public Func<VmId, Task> OnRelease { get; set; } = _ => Task.CompletedTask;

    public bool ListsAreComplete { get; set; } = true;

    public ConcurrentQueue<VmRequest> Requests { get; } = new();

    public ConcurrentQueue<VmId> Releases { get; } = new();

    public IReadOnlyCollection<VmInfo> Vms => [.. _vms.Values.OrderBy(vm => vm.Id.ToString(), StringComparer.Ordinal)];

    public void Put(VmInfo vm) => _vms[vm.Id] = vm;

    public void Remove(VmId id) => _vms.TryRemove(id, out _);

    public IReadOnlyList<VmOffer> Offers(ResourceSpec needs)
    {
        if (needs.Device is Device.Tpu tpu)
        {
            var topology = TpuTopology.Get(tpu.Variant);
            return !Tpus.Contains(tpu.Variant) ? [] : Offers(tpu.Variant, Each with { Device = tpu }, topology.Vms, needs);
        }

        return needs.Device is Device.Cpu && needs.CpuMillis <= Each.CpuMillis && needs.Memory <= Each.Memory ? Offers("plain", Each, 1, needs) : [];
    }

    public async Task AllocateAsync(VmRequest request, CancellationToken cancellationToken = default)
    {
        Requests.Enqueue(request);
        await OnAllocate(request).WaitAsync(cancellationToken);
        _vms.TryAdd(request.Id, new VmInfo(request.Id, VmStatus.Running) { Zone = request.Offer.Zone });
    }

    public async Task ReleaseAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        Releases.Enqueue(id);
        await OnRelease(id).WaitAsync(cancellationToken);
        _vms.TryRemove(id, out _);
    }

    public Task<VmInfo?> GetAsync(VmId id, string zone, CancellationToken cancellationToken = default) => Task.FromResult(_vms.GetValueOrDefault(id));

    public Task<VmListing> ListAsync(CancellationToken cancellationToken = default) => Task.FromResult(new VmListing([.. Vms], ListsAreComplete));

    private IReadOnlyList<VmOffer> Offers(string shape, ResourceSpec each, int workers, ResourceSpec needs) =>
    [
        .. Zones.Where(zone => needs.Regions.Count == 0 || needs.Regions.Contains(zone[..^2]))
            .Select(zone => new VmOffer(shape, zone, each with { Preemptible = needs.Preemptible }) { Workers = workers, Scopes = [$"{zone}/{shape}", zone, zone[..^2]] }),
    ];
}
