using System.Globalization;

namespace Fluster.Backends;

/// <summary>Reads <see cref="GcpOptions"/> from settings by their paths (<c>Zones:0</c>), and refuses what is not one of them: a misspelt one would be passed over in silence.</summary>
internal static class GcpSettings
{
    private static readonly Dictionary<string, Action<GcpOptions, string>> s_single = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(GcpOptions.Project)] = (options, text) => options.Project = text,
        [nameof(GcpOptions.MachineFamily)] = (options, text) => options.MachineFamily = text,
        [nameof(GcpOptions.MachineType)] = (options, text) => options.MachineType = text,
        [nameof(GcpOptions.Spot)] = (options, text) => options.Spot = bool.Parse(text),
        [nameof(GcpOptions.Network)] = (options, text) => options.Network = text,
        [nameof(GcpOptions.Subnetwork)] = (options, text) => options.Subnetwork = text,
        [nameof(GcpOptions.ExternalAddress)] = (options, text) => options.ExternalAddress = bool.Parse(text),
        [nameof(GcpOptions.ServiceAccount)] = (options, text) => options.ServiceAccount = text,
        [nameof(GcpOptions.Image)] = (options, text) => options.Image = text,
        [nameof(GcpOptions.GpuImage)] = (options, text) => options.GpuImage = text,
        [nameof(GcpOptions.DiskSize)] = (options, text) => options.DiskSize = text,
        [nameof(GcpOptions.DiskType)] = (options, text) => options.DiskType = text,
        [nameof(GcpOptions.TpuRuntimeVersion)] = (options, text) => options.TpuRuntimeVersion = text,
        [nameof(GcpOptions.TpuQueueTimeout)] = (options, text) => options.TpuQueueTimeout = TimeSpan.Parse(text, CultureInfo.InvariantCulture),
        [nameof(GcpOptions.BootTimeout)] = (options, text) => options.BootTimeout = TimeSpan.Parse(text, CultureInfo.InvariantCulture),
        [nameof(GcpOptions.ComputeBaseUri)] = (options, text) => options.ComputeBaseUri = new Uri(text, UriKind.Absolute),
        [nameof(GcpOptions.TpuBaseUri)] = (options, text) => options.TpuBaseUri = new Uri(text, UriKind.Absolute),
        [nameof(GcpOptions.MetadataHost)] = (options, text) => options.MetadataHost = text,
        [nameof(GcpOptions.AccessToken)] = (options, text) => options.AccessToken = text,
    };

    private static readonly Dictionary<string, Func<GcpOptions, IList<string>>> s_lists = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(GcpOptions.Zones)] = options => options.Zones,
        [nameof(GcpOptions.Tags)] = options => options.Tags,
        [nameof(GcpOptions.Scopes)] = options => options.Scopes,
    };

    /// <summary><c>Zones:10</c> after <c>Zones:2</c>.</summary>
    private static readonly Comparer<string> s_byNumbers = Comparer<string>.Create((left, right) =>
    {
        var (a, b) = (left.Split(':', 2), right.Split(':', 2));
        return a.Length == 2 && b.Length == 2 && string.Equals(a[0], b[0], StringComparison.OrdinalIgnoreCase) && int.TryParse(a[1], out var first) && int.TryParse(b[1], out var second)
            ? first.CompareTo(second)
            : string.CompareOrdinal(left, right);
    });

    /// <param name="settings">The settings, by their path below <paramref name="path"/>.</param>
    /// <param name="path">The section that they are read from, for messages.</param>
    /// <exception cref="FormatException">A setting is unknown, missing or wrong; the message has its path, and there is a line for each.</exception>
    public static GcpOptions Read(IReadOnlyDictionary<string, string> settings, string path)
    {
        var options = new GcpOptions();
        var problems = new List<string>();
        foreach (var (key, text) in settings.Where(setting => setting.Value.Length > 0).OrderBy(setting => setting.Key, s_byNumbers))
        {
            try
            {
                if (!Set(options, key, text))
                {
                    var near = NearNames.Of(key.Split(':')[0], s_single.Keys.Concat(s_lists.Keys).Append(nameof(GcpOptions.Labels)), 3);
                    problems.Add($"{path}:{key}: there is no such setting. Near names: {string.Join(", ", near)}.");
                }
            }
            catch (Exception exception) when (exception is FormatException or OverflowException or ArgumentException)
            {
                problems.Add($"{path}:{key} is '{text}': {exception.Message}");
            }
        }

        problems.AddRange(options.Problems(path));
        return problems.Count == 0 ? options : throw new FormatException(string.Join('\n', problems));
    }

    /// <returns>Whether there is such a setting.</returns>
    private static bool Set(GcpOptions options, string key, string text)
    {
        if (s_single.TryGetValue(key, out var set))
        {
            set(options, text);
            return true;
        }

        if (key.Split(':', 2) is not [var name, var rest] || rest.Length == 0)
        {
            return false;
        }

        if (s_lists.TryGetValue(name, out var list))
        {
            list(options).Add(text);
            return true;
        }

        if (!string.Equals(name, nameof(GcpOptions.Labels), StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        options.Labels[rest] = text;
        return true;
    }
}
