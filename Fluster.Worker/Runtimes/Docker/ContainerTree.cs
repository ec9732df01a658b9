using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>The processes of a container, as far as this machine's process table shows them.</summary>
[SupportedOSPlatform("linux")]
internal static class ContainerTree
{
    /// <summary>Asks every process of a container to end, but not its init, which has nothing to tidy.</summary>
    /// <param name="init">The first process, as the engine numbers it.</param>
    /// <param name="mark">What is in its environment: a process of that number here may be another one, when the engine is elsewhere.</param>
    /// <returns>Whether all of them were asked.</returns>
    public static bool Terminate(int init, string mark)
    {
        var table = ProcessTable.Read();
        if (!ProcessTable.Marked(table.Where(entry => entry.Identity.Id == init), FlusterEnvironment.AttemptMarker, mark).Any())
        {
            return false;
        }

        var processes = ProcessTable.Descendants(table, [init]);
        var asked = processes.Count > 0;
        foreach (var process in processes)
        {
            asked &= Libc.Signal(process.Identity, Libc.SigTerm) || !process.Identity.IsAlive();
            Libc.Signal(process.Identity, Libc.SigCont); // a stopped process would not hear it
        }

        return asked;
    }
}
