using System.Text.RegularExpressions;

namespace Fluster.Backends;

/// <summary>How machines of Google Cloud are made. The same settings for Compute Engine and for TPU slices; each backend reads those that concern it.</summary>
internal sealed class GcpOptions
{
    /// <summary>The project that pays.</summary>
    public string Project { get; set; } = "";

    /// <summary>Zones in order of preference, for example <c>us-central1-a</c>. A zone without machines falls through to the next.</summary>
    public IList<string> Zones { get; set; } = [];

    /// <summary>The family that plain machines are chosen from. Default: n2.</summary>
    public string MachineFamily { get; set; } = "n2";

    /// <summary>The machine for tasks that fit on it (seed 003, stage 10); those that do not get a larger one of <see cref="MachineFamily"/>. Default: n2-standard-4.</summary>
    public string MachineType { get; set; } = "n2-standard-4";

    /// <summary>Whether jobs that allow it get machines that the cloud can take away at any moment, for a fraction of the price. Default: false.</summary>
    public bool Spot { get; set; }

    /// <summary>The network. Default: <c>default</c>.</summary>
    public string Network { get; set; } = "default";

    /// <summary>The subnetwork; networks that do not make their own need one. Default: the network's of the region.</summary>
    public string Subnetwork { get; set; } = "";

    /// <summary>Whether machines get an address that the internet reaches. Without it they need a NAT to install .NET. Default: false.</summary>
    public bool ExternalAddress { get; set; }

    /// <summary>Network tags of the machines, for firewall rules. Default: <c>fluster-worker</c>.</summary>
    public IList<string> Tags { get; set; } = [];

    /// <summary>What the machines run as. Default: the project's default account.</summary>
    public string ServiceAccount { get; set; } = "default";

    /// <summary>What the machines' account may do at most. Default: cloud-platform; the account's roles decide.</summary>
    public IList<string> Scopes { get; set; } = [];

    /// <summary>The boot disk's image, as <c>projects/P/global/images/family/F</c>. Default: Debian 12.</summary>
    public string Image { get; set; } = "projects/debian-cloud/global/images/family/debian-12";

    /// <summary>The image of machines with GPUs, with a driver in it. Without one this backend has no GPUs.</summary>
    public string GpuImage { get; set; } = "";

    /// <summary>The least size of the boot disk. Tasks that ask for more get more. Default: 50 GiB.</summary>
    public string DiskSize { get; set; } = "50g";

    /// <summary>The boot disk's type. Default: pd-balanced, or hyperdisk-balanced for families that take nothing else.</summary>
    public string DiskType { get; set; } = "";

    /// <summary>More labels on everything that is made.</summary>
    public IDictionary<string, string> Labels { get; set; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The software of TPU machines. Default: the one of the slice's generation.</summary>
    public string TpuRuntimeVersion { get; set; } = "";

    /// <summary>How long a slice may stand in a zone's queue before the next zone is tried. Default: 10 minutes.</summary>
    public TimeSpan TpuQueueTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a machine may take until its worker says Hello. Default: 5 minutes; a TPU slice 1 hour (seed 003, stages 10 and 11).</summary>
    public TimeSpan? BootTimeout { get; set; }

    /// <summary>Where Compute Engine is asked.</summary>
    public Uri ComputeBaseUri { get; set; } = new("https://compute.googleapis.com/compute/v1/");

    /// <summary>Where Cloud TPU is asked.</summary>
    public Uri TpuBaseUri { get; set; } = new("https://tpu.googleapis.com/");

    /// <summary>Where machines ask about themselves.</summary>
    public string MetadataHost { get; set; } = "metadata.google.internal";

    /// <summary>A token that is sent as it is, for the emulator. Default: the machine's or the user's Google credentials are found and renewed.</summary>
    public string AccessToken { get; set; } = "";

    /// <summary>What is wrong with the settings, each with its path.</summary>
    /// <param name="path">The section that they are read from.</param>
    public IReadOnlyList<string> Problems(string path)
    {
        var problems = new List<string>();
        Check(nameof(Project), GcpNames.IsProject(Project), Project.Length == 0 ? "it is empty: the id of a project is needed." : $"'{Project}' is not the id of a project.");
        Check(nameof(Zones), Zones.Count > 0, "it is empty: at least one zone is needed, for example us-central1-a.");
        for (var index = 0; index < Zones.Count; index++)
        {
            Check($"{nameof(Zones)}:{index}", GcpNames.IsZone(Zones[index]), $"'{Zones[index]}' is not a zone such as us-central1-a.");
            Check($"{nameof(Zones)}:{index}", Zones.IndexOf(Zones[index]) == index, $"'{Zones[index]}' is there twice.");
        }

        var family = MachineTypes.FindFamily(MachineFamily);
        Check(nameof(MachineFamily), family is not null, $"'{MachineFamily}' is not one of {string.Join(", ", MachineTypes.Families.Select(known => known.Name))}.");
        Check(nameof(MachineType), MachineType.Length == 0 || MachineTypes.Find(MachineType) is not null,
            $"there is no machine type '{MachineType}'. Near names: {string.Join(", ", NearNames.Of(MachineType, MachineTypes.All.Select(type => type.Name), 3))}.");
        Check(nameof(Network), Network.Length > 0 || Subnetwork.Length > 0, "a machine needs a network or a subnetwork.");
        Check(nameof(ServiceAccount), ServiceAccount is "default" || ServiceAccount.Contains('@', StringComparison.Ordinal), $"'{ServiceAccount}' is neither the address of an account nor 'default'.");
        Check(nameof(Image), GcpNames.IsImage(Image), $"'{Image}' is not an image: write projects/P/global/images/family/F or projects/P/global/images/I.");
        Check(nameof(GpuImage), GpuImage.Length == 0 || GcpNames.IsImage(GpuImage), $"'{GpuImage}' is not an image: write projects/P/global/images/family/F or projects/P/global/images/I.");
        Check(nameof(DiskSize), ByteSize.TryParse(DiskSize, out var size), $"'{DiskSize}' is not a size.");
        Check(nameof(DiskSize), size.Bytes == 0 || size >= ByteSize.FromGiB(20) && size <= ByteSize.FromGiB(65_536), $"{DiskSize} is not from 20 GiB to 64 TiB.");
        foreach (var (key, value) in Labels)
        {
            Check($"{nameof(Labels)}:{key}", GcpLabels.IsKey(key) && GcpLabels.IsValue(value), $"'{key}={value}' is not a label: small letters, digits, '-' and '_', the key begins with a letter, at most 63 of each.");
            Check($"{nameof(Labels)}:{key}", !GcpLabels.IsOurs(key), "labels that begin with fluster- are set by the backend.");
        }

        for (var index = 0; index < Tags.Count; index++)
        {
            Check($"{nameof(Tags)}:{index}", GcpNames.IsResource(Tags[index]), $"'{Tags[index]}' is not a network tag.");
        }

        Check(nameof(BootTimeout), BootTimeout is not { } boot || boot >= TimeSpan.FromSeconds(10), $"{BootTimeout} is less than 10 seconds.");
        Check(nameof(TpuQueueTimeout), TpuQueueTimeout >= TimeSpan.FromSeconds(1), $"{TpuQueueTimeout} is less than a second.");
        Check(nameof(ComputeBaseUri), IsBase(ComputeBaseUri), $"'{ComputeBaseUri}' is not an http address that ends with '/'.");
        Check(nameof(TpuBaseUri), IsBase(TpuBaseUri), $"'{TpuBaseUri}' is not an http address that ends with '/'.");
        Check(nameof(MetadataHost), MetadataHost.Length > 0 && !MetadataHost.Contains("://", StringComparison.Ordinal), $"'{MetadataHost}' is not a host.");
        return problems;

        void Check(string setting, bool holds, string problem)
        {
            if (!holds)
            {
                problems.Add($"{path}:{setting}: {problem}");
            }
        }
    }

    private static bool IsBase(Uri uri) => uri is { IsAbsoluteUri: true, Scheme: "http" or "https" } && uri.AbsoluteUri.EndsWith('/');
}

/// <summary>How Google names things.</summary>
internal static partial class GcpNames
{
    /// <summary>The region of a zone: <c>us-central1</c> of <c>us-central1-a</c>.</summary>
    public static string RegionOf(string zone) => zone.LastIndexOf('-') is var dash and > 0 ? zone[..dash] : zone;

    /// <summary>The last part of a full or partial URL.</summary>
    public static string LastPart(string? url) => url is null ? "" : url[(url.LastIndexOf('/') + 1)..];

    /// <summary>1 to 63 small letters, digits and '-', a letter first, no '-' last.</summary>
    public static bool IsResource(string? name) => name is not null && Resource().IsMatch(name);

    public static bool IsZone(string? name) => name is not null && Zone().IsMatch(name);

    /// <summary>The id of a project; older ones have a domain before a colon.</summary>
    public static bool IsProject(string? name) => name is not null && Project().IsMatch(name);

    public static bool IsImage(string? name) => name is not null && Image().IsMatch(name);

    [GeneratedRegex("^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Resource();

    [GeneratedRegex("^[a-z]+-[a-z]+[0-9]+-[a-z]$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Zone();

    [GeneratedRegex("^(?:[a-z0-9.-]+:)?[a-z][-a-z0-9]{2,61}[a-z0-9]$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Project();

    [GeneratedRegex(@"^(?:https://[\w.-]+/compute/v1/)?projects/[a-z0-9.:-]+/global/images/(?:family/)?[a-z][-a-z0-9]*$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Image();
}
