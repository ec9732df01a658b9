using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Aspire.Hosting.Running;

/// <summary>One process for all time: ids are given again, but not with the same start time.</summary>
/// <param name="Pid">The process id.</param>
/// <param name="StartTime">When it started, in clock ticks since the machine did.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ProcessIdentity(int Pid, ulong StartTime);

/// <summary>A line of the process table.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ProcessEntry(ProcessIdentity Identity, int ParentPid, char State)
{
    /// <summary>Dead, but not yet collected by its parent.</summary>
    public bool IsDead => State is 'Z' or 'X';
}

/// <summary>The processes of this machine, as Linux shows them under /proc.</summary>
internal static class ProcessTable
{
    public static IEnumerable<ProcessEntry> ReadAll()
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && Read(pid) is { } entry)
            {
                yield return entry;
            }
        }
    }

    /// <summary>A process; null when there is none of that id.</summary>
    public static ProcessEntry? Read(int pid)
    {
        try
        {
            // "123 (any name) S 1 …": the name may contain anything, so count from the last bracket.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            const int State = 0, Parent = 1, StartTime = 19;
            return new ProcessEntry(
                new ProcessIdentity(pid, ulong.Parse(fields[StartTime], CultureInfo.InvariantCulture)),
                int.Parse(fields[Parent], CultureInfo.InvariantCulture),
                fields[State][0]);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null; // Gone meanwhile.
        }
    }

    public static bool IsAlive(ProcessIdentity process) => Read(process.Pid) is { IsDead: false } entry && entry.Identity == process;

    /// <summary>Whether the process was started with an environment that has a variable beginning like <paramref name="assignment"/>.</summary>
    public static bool WasStartedWith(int pid, ReadOnlySpan<byte> assignment)
    {
        try
        {
            var environment = File.ReadAllBytes($"/proc/{pid}/environ").AsSpan();
            for (var at = environment.IndexOf(assignment); at >= 0; at = environment.IndexOf(assignment))
            {
                if (at == 0 || environment[at - 1] == 0)
                {
                    return true;
                }

                environment = environment[(at + 1)..];
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Gone meanwhile, or not ours to look at.
        }

        return false;
    }

    /// <summary>The command line of a process; empty when it is gone.</summary>
    public static string CommandLine(int pid)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/cmdline")).Replace('\0', ' ').Trim();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>Sends a signal, unless the process has been replaced by another of the same id.</summary>
    public static void Signal(ProcessIdentity process, int signal)
    {
        if (IsAlive(process))
        {
            _ = NativeMethods.Kill(process.Pid, signal);
        }
    }
}
