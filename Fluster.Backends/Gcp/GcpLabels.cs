using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Fluster.Backends;

/// <summary>The marks on everything that Fluster makes in a project. Only what bears a cluster's marks is ever listed or removed by it.</summary>
internal static partial class GcpLabels
{
    /// <summary>Whose it is: the cluster's id.</summary>
    public const string Cluster = "fluster-cluster";

    /// <summary>"true" on everything of any cluster.</summary>
    public const string Managed = "fluster-managed";

    /// <summary>The shape that was asked for.</summary>
    public const string Shape = "fluster-shape";

    /// <summary>What Google writes on the machines of a TPU slice, which are also listed as machines.</summary>
    public const string TpuCores = "tpu_cores";

    private const string Prefix = "fluster-";

    /// <summary>Whether a key is one that only this backend sets.</summary>
    public static bool IsOurs(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);

    public static bool IsKey(string key) => Key().IsMatch(key);

    public static bool IsValue(string value) => Value().IsMatch(value);

    /// <summary>The labels of a new machine.</summary>
    public static Dictionary<string, string> For(VmRequest request, GcpOptions options) => new(options.Labels, StringComparer.Ordinal)
    {
        [Managed] = "true",
        [Cluster] = ValueOf(request.ClusterId),
        [Shape] = ValueOf(request.Offer.Shape),
    };

    /// <summary>Whether these labels are those of a cluster's machine.</summary>
    public static bool AreOf(string clusterId, IReadOnlyDictionary<string, string>? labels) =>
        labels?.GetValueOrDefault(Managed) == "true" && labels.GetValueOrDefault(Cluster) == ValueOf(clusterId);

    /// <summary>A list's filter for a cluster's machines, without those of TPU slices (AIP-160).</summary>
    public static string FilterFor(string clusterId) =>
        $"(labels.{Managed} = \"true\") AND (labels.{Cluster} = \"{ValueOf(clusterId)}\") AND (NOT labels.{TpuCores}:*)";

    /// <summary>A text as a label's value: itself where Google allows it, else a hash.</summary>
    public static string ValueOf(string text) => text.Length > 0 && IsValue(text) ? text : "x" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..40];

    [GeneratedRegex("^[a-z][a-z0-9_-]{0,62}$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Key();

    [GeneratedRegex("^[a-z0-9_-]{0,63}$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Value();
}
