using System.Globalization;

namespace Fluster.Backends;

/// <summary>A request to Cloud TPU for one slice: a queued resource with one node, both of the machine's name.</summary>
internal static class TpuSlice
{
    public static TpuQueuedResource Of(VmRequest request, TpuMachine machine, GcpOptions options) => new()
    {
        Tpu = new TpuSpecs(
        [
            new TpuNodeSpec
            {
                Parent = $"projects/{options.Project}/locations/{request.Offer.Zone}",
                NodeId = request.Id.ToString(),
                Node = Node(request, machine, options),
            },
        ]),
        Spot = request.Offer.Resources.Preemptible ? new TpuSpot() : null,
        QueueingPolicy = new TpuQueueingPolicy { ValidUntilDuration = $"{Math.Ceiling(options.TpuQueueTimeout.TotalSeconds).ToString(CultureInfo.InvariantCulture)}s" },
    };

    private static TpuNode Node(VmRequest request, TpuMachine machine, GcpOptions options) => new()
    {
        Description = $"Workers of the Fluster cluster {request.ClusterId}.",
        AcceleratorType = machine.Topology.Variant,
        RuntimeVersion = options.TpuRuntimeVersion.Length > 0 ? options.TpuRuntimeVersion : machine.RuntimeVersion,
        NetworkConfig = new TpuNetworkConfig
        {
            Network = options.Subnetwork.Length > 0 ? null : options.Network,
            Subnetwork = options.Subnetwork.Length > 0 ? options.Subnetwork : null,
            EnableExternalIps = options.ExternalAddress,
        },
        ServiceAccount = options.ServiceAccount == "default" && options.Scopes.Count == 0
            ? null
            : new TpuServiceAccount(options.ServiceAccount == "default" ? null : options.ServiceAccount, options.Scopes.Count > 0 ? [.. options.Scopes] : ["https://www.googleapis.com/auth/cloud-platform"]),
        Labels = GcpLabels.For(request, options), // at once: while it is made they cannot be changed
        Tags = options.Tags.Count > 0 ? [.. options.Tags] : ["fluster-worker"],
        Metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["startup-script"] = StartupScript.Write(request, options) },
    };
}
