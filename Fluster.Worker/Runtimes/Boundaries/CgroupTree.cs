using System.Globalization;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>A control group with everything below it: version 2, or the version 1 hierarchy "freezer".</summary>
[SupportedOSPlatform("linux")]
internal static class CgroupTree
{
    private const string Processes = "cgroup.procs";

    /// <summary>The live processes in the group and below.</summary>
    public static List<ProcessEntry> Read(string directory)
    {
        var found = new List<ProcessEntry>();
        foreach (var group in GroupsOf(directory))
        {
            foreach (var line in ReadLines(Path.Combine(group, Processes)))
            {
                if (int.TryParse(line, NumberStyles.None, null, out var id) && ProcessTable.TryRead(id, out var entry) && !entry.IsDead)
                {
                    found.Add(entry);
                }
            }
        }

        return found;
    }

    /// <summary>Whether no live process is in the group or below.</summary>
    public static bool IsEmpty(string directory)
    {
        var events = Path.Combine(directory, "cgroup.events");
        return File.Exists(events)
            ? ReadLines(events).Contains("populated 0") // says so for everything below, too
            : Read(directory).Count == 0;
    }

    /// <summary>Kills what is in the group and below, once. Processes take a moment to go: look again.</summary>
    /// <returns>Whether nothing was there any more.</returns>
    public static bool KillBelow(string directory)
    {
        if (!Directory.Exists(directory) || IsEmpty(directory))
        {
            return true;
        }

        if (TryWrite(Path.Combine(directory, "cgroup.kill"), "1")) // version 2 since Linux 5.14
        {
            return false;
        }

        // What is frozen cannot make more while the others are being killed. A kill takes effect when it thaws.
        var (file, freeze, thaw) = File.Exists(Path.Combine(directory, "cgroup.freeze"))
            ? ("cgroup.freeze", "1", "0")
            : ("freezer.state", "FROZEN", "THAWED");
        TryWrite(Path.Combine(directory, file), freeze);
        foreach (var process in Read(directory))
        {
            Libc.Signal(process.Identity, Libc.SigKill);
        }

        TryWrite(Path.Combine(directory, file), thaw);
        return false;
    }

    /// <summary>Removes the empty groups below, and then the group itself. One that is still in use stays.</summary>
    public static void RemoveBelow(string directory)
    {
        if (directory.Length == 0)
        {
            return;
        }

        foreach (var group in GroupsOf(directory).Reverse())
        {
            try
            {
                Directory.Delete(group);
            }
            catch (IOException)
            {
                // In use, or gone already.
            }
        }
    }

    /// <summary>The group and all below it, parents first.</summary>
    private static IEnumerable<string> GroupsOf(string directory)
    {
        yield return directory;
        string[] below;
        try
        {
            below = Directory.GetDirectories(directory, "*", SearchOption.AllDirectories);
        }
        catch (IOException)
        {
            yield break;
        }

        foreach (var group in below.Order(StringComparer.Ordinal))
        {
            yield return group;
        }
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static bool TryWrite(string path, string text)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
            RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(text), 0);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
