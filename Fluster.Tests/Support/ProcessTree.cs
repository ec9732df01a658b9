using Aspire.Hosting.Running;

namespace Fluster.Tests;

/// <summary>Processes of this machine, and whether they are gone.</summary>
internal static class ProcessTree
{
    /// <summary>The ids of everything below a process.</summary>
    public static IReadOnlyList<int> Descendants(int pid)
    {
        var children = ProcessTable.ReadAll().ToLookup(process => process.ParentPid, process => process.Identity.Pid);
        var found = new List<int>();
        var pending = new Stack<int>(children[pid]);
        while (pending.TryPop(out var next))
        {
            found.Add(next);
            foreach (var child in children[next])
            {
                pending.Push(child);
            }
        }

        return found;
    }

    /// <summary>Waits until none of the processes lives.</summary>
    public static async Task GoneAsync(IReadOnlyCollection<int> pids, TimeSpan limit)
    {
        using var late = new CancellationTokenSource(limit);
        while (pids.Where(IsAlive).ToList() is { Count: > 0 } left)
        {
            Assert.False(late.IsCancellationRequested, "Left: " + string.Join("; ", left.Select(pid => $"{pid} {ProcessTable.CommandLine(pid)}")));
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    public static bool IsAlive(int pid) => ProcessTable.Read(pid) is { IsDead: false };
}
