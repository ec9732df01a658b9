namespace Fluster.Controller;

/// <summary>A backend, and how much of it the cluster may use.</summary>
/// <param name="Backend">Makes the machines.</param>
internal sealed record VmSource(IVmBackend Backend)
{
    public string Name => Backend.Name;

    /// <summary>Machines that are always there.</summary>
    public int Min { get; init; }

    /// <summary>Machines that there may be in all, those that are being removed included.</summary>
    public int Max { get; init; } = 10;

    /// <summary>What those that are always there have.</summary>
    public Device Device { get; init; } = new Device.Cpu();

    /// <summary>What they are asked for by.</summary>
    public ResourceSpec Least => new() { Device = Device };

    /// <summary>How many workers one of them has.</summary>
    public int LeastWorkers => Device is Device.Tpu { Topology.Vms: var workers } ? workers : 1;

    /// <summary>How long a machine may do nothing before it is released.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether its machines have a container engine for jobs that name an image.</summary>
    public bool Containers { get; init; }

    /// <summary>The most attempts at a time on each of its workers.</summary>
    public int MaxConcurrentJobs { get; init; } = 10;

    /// <summary>Before eight random digits, in the names of its machines.</summary>
    public string NamePrefix { get; init; } = "fluster";

    /// <summary>What a worker on such a machine will say of itself.</summary>
    public WorkerTraits TraitsOf(VmTraits vm) =>
        new() { Capacity = vm.Capacity with { Container = Containers }, MaxConcurrentJobs = MaxConcurrentJobs, Region = vm.Region };

    public static VmTraits TraitsOf(VmOffer offer) => new()
    {
        Shape = offer.Shape,
        Zone = offer.Zone,
        Region = RegionOf(offer.Zone),
        Capacity = offer.Resources.ToWire().ToShape() with { Regions = "" },
        Scopes = [.. offer.Scopes],
    };

    /// <summary>us-central1 for us-central1-a: what has no such end is its own region.</summary>
    public static string RegionOf(string zone) => zone is [.. var region, '-', >= 'a' and <= 'z'] ? region : zone;
}
