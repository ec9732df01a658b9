using System.Globalization;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>Writes what a backend is given to make a machine with: the same for every try but for the token, of which any will do.</summary>
internal sealed class VmRequests(ClusterLoop loop, TokenIssuer tokens, ServedAddresses addresses, WorkerArchive worker, IOptions<ControllerOptions> options)
{
    private const string Prefix = "Fluster__Worker__";

    /// <summary>Waits until the controller listens: what was owed to a machine before a restart is done as soon as there is an address to be told.</summary>
    public async Task<VmRequest> OfAsync(VmSource source, VmRecord vm, CancellationToken cancellationToken)
    {
        await addresses.ListeningAsync(cancellationToken);
        return Of(source, vm);
    }

    private VmRequest Of(VmSource source, VmRecord vm)
    {
        var traits = source.TraitsOf(vm.Traits);
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [Prefix + "Id"] = vm.Id.ToString(), // on a slice, each adds "-" and its number
            [Prefix + "Token"] = tokens.ForVm(vm, source.Backend.BootTimeout),
            [Prefix + "ControllerAddress"] = options.Value.AdvertiseAddress.Length > 0 ? options.Value.AdvertiseAddress : addresses.Grpc,
            [Prefix + "Cpu"] = (traits.Capacity.CpuMillis / 1000m).ToString(CultureInfo.InvariantCulture),
            [Prefix + "Memory"] = traits.Capacity.MemoryBytes.ToString(CultureInfo.InvariantCulture),
            [Prefix + "MaxConcurrentJobs"] = traits.MaxConcurrentJobs.ToString(CultureInfo.InvariantCulture),
            [Prefix + "Preemptible"] = traits.Capacity.Preemptible ? "true" : "false",
            [Prefix + "Region"] = traits.Region,
            [Prefix + "OrphanTimeout"] = options.Value.VmOrphanTimeout.ToString("c", CultureInfo.InvariantCulture),
        };
        if (traits.Capacity.DiskBytes > 0)
        {
            environment[Prefix + "Disk"] = traits.Capacity.DiskBytes.ToString(CultureInfo.InvariantCulture);
        }

        if (traits.Capacity.Gpus > 0)
        {
            environment[Prefix + "Gpus"] = traits.Capacity.Gpus.ToString(CultureInfo.InvariantCulture);
            environment[Prefix + "GpuVariant"] = traits.Capacity.GpuVariant;
        }

        if (traits.Capacity.Tpus > 0)
        {
            environment[Prefix + "TpuVariant"] = traits.Capacity.TpuVariant;
        }

        var offer = new VmOffer(vm.Traits.Shape, vm.Traits.Zone, ShapeText.ToSpec(vm.Traits.Capacity)) { Workers = vm.Workers.Length, Scopes = vm.Traits.Scopes };
        return new VmRequest(vm.Id, vm.RequestId, offer, loop.Current.Meta.ClusterId) { WorkerEnvironment = environment, Package = worker.Package };
    }
}
