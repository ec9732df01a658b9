namespace Fluster.Worker;

/// <summary>Where control groups are on this machine.</summary>
internal static class CgroupMount
{
    /// <summary>The directory of the group that this process is in; null when there is no such hierarchy here.</summary>
    public static string? FindOwnGroup(IsolationMode mode)
    {
        try
        {
            return Find(mode, File.ReadAllLines("/proc/self/mountinfo"), File.ReadAllLines("/proc/self/cgroup"));
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <param name="mode">Which hierarchy.</param>
    /// <param name="mounts">The lines of /proc/self/mountinfo: "31 23 0:28 ROOT POINT options - TYPE source superoptions".</param>
    /// <param name="groups">The lines of /proc/self/cgroup: "0::PATH", or "6:freezer:PATH" for version 1.</param>
    internal static string? Find(IsolationMode mode, IEnumerable<string> mounts, IEnumerable<string> groups)
    {
        var own = groups.Select(line => line.Split(':', 3))
            .FirstOrDefault(parts => parts.Length == 3 && (mode == IsolationMode.Cgroup2 ? parts[0] == "0" : parts[1].Split(',').Contains("freezer")))?[2];
        if (own is null)
        {
            return null;
        }

        foreach (var fields in mounts.Select(line => line.Split(' ')))
        {
            var separator = Array.IndexOf(fields, "-");
            if (separator < 5 || separator + 3 >= fields.Length)
            {
                continue;
            }

            var (root, point, type, options) = (fields[3], fields[4], fields[separator + 1], fields[separator + 3].Split(','));
            if (mode == IsolationMode.Cgroup2 ? type == "cgroup2" : type == "cgroup" && options.Contains("freezer"))
            {
                // A container sees a part of the hierarchy; its own group may be outside of it.
                var below = root == "/" ? own : own == root ? "/" : own.StartsWith(root + "/", StringComparison.Ordinal) ? own[root.Length..] : null;
                var directory = below is null ? null : Path.TrimEndingDirectorySeparator(point + below);
                return Directory.Exists(directory) || !Directory.Exists(point) ? directory : null;
            }
        }

        return null;
    }
}
