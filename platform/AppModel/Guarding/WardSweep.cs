using System.Diagnostics;
using System.Text;
using Aspire.Hosting.Running;

namespace Aspire.Hosting.Guarding;

/// <summary>
/// Finds and kills everything that was started on behalf of a ward: processes whose environment carries its mark, known
/// roots, and the descendants of both. What was found once is remembered, so a process that loses its parent is not lost.
/// </summary>
/// <param name="mark">The beginning of an environment assignment, such as <c>APPMODEL_WARD=1f…</c>.</param>
/// <param name="spare">Processes that are never killed: the ward, when it is still there.</param>
internal sealed class WardSweep(string mark, params IReadOnlyCollection<ProcessIdentity> spare)
{
    /// <summary>The variable that every process of an application carries: <c>{application}.{resource id}</c>.</summary>
    public const string Variable = "APPMODEL_WARD";

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(50);

    /// <summary>What is left when its parent has died may be about to end by itself.</summary>
    private static readonly TimeSpan s_shortPatience = TimeSpan.FromMilliseconds(500);

    private readonly byte[] _mark = Encoding.UTF8.GetBytes(mark);
    private readonly HashSet<ProcessIdentity> _roots = [];
    private readonly HashSet<ProcessIdentity> _known = [];

    /// <summary>Adds a process that was started for the ward.</summary>
    public void AddRoot(ProcessIdentity process) => _roots.Add(process);

    /// <summary>Everything of the ward that lives now.</summary>
    public IReadOnlyList<ProcessIdentity> Find()
    {
        var processes = ProcessTable.ReadAll().Where(process => !process.IsDead && process.Identity.Pid != Environment.ProcessId).ToList();
        var children = processes.ToLookup(process => process.ParentPid);
        var found = new HashSet<ProcessIdentity>();
        var pending = new Stack<ProcessEntry>(processes.Where(process =>
            _roots.Contains(process.Identity) || _known.Contains(process.Identity) || ProcessTable.WasStartedWith(process.Identity.Pid, _mark)));
        while (pending.TryPop(out var process))
        {
            if (!spare.Contains(process.Identity) && found.Add(process.Identity))
            {
                foreach (var child in children[process.Identity.Pid])
                {
                    pending.Push(child);
                }
            }
        }

        _known.IntersectWith(found); // Forget the dead: their ids may come again.
        _known.UnionWith(found);
        return [.. found];
    }

    /// <summary>
    /// Kills the roots and then whatever is left, until two looks in a row find nothing. While there is a guard among what
    /// is left (a worker has one of its own), all of it gets <paramref name="patience"/> to be cleared away by that guard,
    /// which knows its ward better. False: something is left after <paramref name="limit"/>.
    /// </summary>
    public async Task<bool> ClearAsync(TimeSpan patience, TimeSpan limit)
    {
        var clock = Stopwatch.StartNew();
        Find(); // While the parents live, the whole tree can be seen.
        foreach (var root in _roots)
        {
            ProcessTable.Signal(root, NativeMethods.SigKill);
        }

        for (var emptyLooks = 0; clock.Elapsed < limit;)
        {
            var found = Find();
            emptyLooks = found.Count == 0 ? emptyLooks + 1 : 0;
            if (emptyLooks == 2)
            {
                return true;
            }

            if (found.Count > 0 && (clock.Elapsed >= patience || (clock.Elapsed >= s_shortPatience && !found.Any(IsGuard))))
            {
                KillAll();
            }

            await Task.Delay(s_interval, TimeProvider.System);
        }

        return false;
    }

    /// <summary>By convention a guard is started with an argument that says so.</summary>
    private static bool IsGuard(ProcessIdentity process) => ProcessTable.CommandLine(process.Pid).Split(' ').Skip(1)
        .Any(argument => argument.EndsWith(GuardProgram.Verb, StringComparison.OrdinalIgnoreCase));

    private void KillAll()
    {
        // Frozen first, so that nothing can start a child between the look and the kill.
        var frozen = new HashSet<ProcessIdentity>();
        while (Find().Where(frozen.Add).ToList() is { Count: > 0 } fresh)
        {
            foreach (var process in fresh)
            {
                ProcessTable.Signal(process, NativeMethods.SigStop);
            }
        }

        foreach (var process in frozen)
        {
            ProcessTable.Signal(process, NativeMethods.SigKill);
        }
    }
}
