using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Fluster.Cluster;

/// <summary>
/// The processes of a command: on Linux all that carry the mark of its attempt in their environment, whoever their parent is by now; elsewhere its children, as
/// the system knows them.
/// </summary>
internal static partial class LocalProcesses
{
    private const int SigKill = 9;
    private const int SigTerm = 15;

    /// <summary>Asks all of them to end.</summary>
    public static void Terminate(string mark, Process process)
    {
        if (OperatingSystem.IsLinux())
        {
            Signal(mark, SigTerm);
        }
        else
        {
            Kill(process);
        }
    }

    /// <summary>Kills a process and what the system knows as its children.</summary>
    public static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception exception) when (exception is InvalidOperationException or AggregateException or System.ComponentModel.Win32Exception)
        {
            // It has ended.
        }
    }

    public static bool Any(string mark) => OperatingSystem.IsLinux() && Marked(mark).Count > 0;

    /// <summary>Kills all that are left, and those that they start meanwhile.</summary>
    public static async Task KillAsync(string mark, TimeSpan look, TimeProvider time)
    {
        while (OperatingSystem.IsLinux() && Signal(mark, SigKill) > 0)
        {
            await Task.Delay(look, time).ConfigureAwait(false);
        }
    }

    private static int Signal(string mark, int signal)
    {
        var marked = Marked(mark);
        marked.ForEach(id => _ = SendSignal(id, signal));
        return marked.Count;
    }

    private static List<int> Marked(string mark)
    {
        var wanted = Encoding.UTF8.GetBytes($"{FlusterEnvironment.AttemptMarker}={mark}\0");
        var found = new List<int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, null, out var id) && IsMarked(directory, wanted))
            {
                found.Add(id);
            }
        }

        return found;
    }

    private static bool IsMarked(string directory, byte[] wanted)
    {
        try
        {
            // That of a process that has ended and was not reaped is empty.
            return File.ReadAllBytes(Path.Combine(directory, "environ")).AsSpan().IndexOf(wanted) >= 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false; // gone, or somebody else's
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SendSignal(int process, int signal);
}
