using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>Finds processes of this machine by what they are and whose they are.</summary>
internal static class RunningProcesses
{
    /// <summary>Those with a command line (arguments between zeros) that fits.</summary>
    public static List<int> Where(Func<string, bool> commandLine) =>
        [.. ProcessTable.Read()
            .Where(entry => !entry.IsDead && entry.Identity.Id != Environment.ProcessId && commandLine(Read(entry.Identity.Id, "cmdline")))
            .Select(entry => entry.Identity.Id)];

    /// <summary>Those of them whose HOME is this directory, or one in it, as a user of an attempt has.</summary>
    public static List<int> OfHome(string home, Func<string, bool> commandLine) =>
        [.. Where(commandLine).Where(process => Array.Exists(Read(process, "environ").Split('\0'), variable => variable == $"HOME={home}" || variable.StartsWith($"HOME={home}/", StringComparison.Ordinal)))];

    /// <summary>A worker's launcher, starters and guard.</summary>
    public static List<int> HelpersOf(WorkerProcess worker) =>
        OfHome(worker.Home, line => line.Contains("Fluster.Worker.dll\0--", StringComparison.Ordinal) && !line.Contains("--contentRoot", StringComparison.Ordinal));

    /// <summary>The name that the process gave itself.</summary>
    public static string Name(int processId) => Read(processId, "comm").TrimEnd();

    private static string Read(int processId, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{processId}/{file}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return ""; // It has ended.
        }
    }
}
