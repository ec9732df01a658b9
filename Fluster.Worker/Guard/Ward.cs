using System.Diagnostics;
using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace Fluster.Worker;

/// <summary>
/// Everything by which the processes of the attempts of one run of a worker are found again, also by another process and after the worker's death:
/// a mark in their environment, the directory of their control groups, and the users that they have for themselves.
/// </summary>
/// <param name="Id">Made at every start of a worker.</param>
/// <param name="CgroupDirectory">The control group that holds the attempts' groups; empty in marker mode.</param>
internal sealed record Ward(string Id, string CgroupDirectory)
{
    private const string LauncherRole = "launcher";
    private const string FileName = "ward";

    /// <summary>Between two looks at processes that were told to end.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);

    /// <summary>The mark of the launcher and of the starters, which are copies of it.</summary>
    public string LauncherMark => $"{Id}.{LauncherRole}";

    /// <summary>The mark of one attempt's processes.</summary>
    public string MarkOf(Fence fence) => $"{Id}.{fence}";

    /// <summary>A file that exists once the worker has made a container, and names the socket of the engine that has it; empty: there are never any.</summary>
    public string EngineFile { get; init; } = "";

    public string[] ToArguments() => [Id, CgroupDirectory, EngineFile];

    public static Ward FromArguments(ReadOnlySpan<string> arguments) => new(arguments[0], arguments[1]) { EngineFile = arguments[2] };

    /// <summary>Where the file about the engine is in a data directory.</summary>
    public static string EngineFileIn(string dataDirectory) => Path.Combine(dataDirectory, "engine");

    /// <summary>From now on a sweep also looks for containers.</summary>
    public void RememberEngine(string socket)
    {
        if (EngineFile.Length > 0 && !File.Exists(EngineFile))
        {
            DurableFile.Write(EngineFile, System.Text.Encoding.UTF8.GetBytes(socket), secret: true);
        }
    }

    /// <summary>The ward that an earlier run in this data directory had; null when there was none.</summary>
    public static Ward? Load(string dataDirectory)
    {
        var path = Path.Combine(dataDirectory, FileName);
        return File.Exists(path) && File.ReadAllLines(path) is [var id, var directory, ..] ? new Ward(id, directory) { EngineFile = EngineFileIn(dataDirectory) } : null;
    }

    public static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    public void Save(string dataDirectory) => DurableFile.Write(Path.Combine(dataDirectory, FileName), System.Text.Encoding.UTF8.GetBytes($"{Id}\n{CgroupDirectory}\n"), secret: true);

    /// <summary>Kills everything that belongs to the ward and returns when nothing is left, the launcher last: it inherits orphans.</summary>
    /// <param name="spared">A process that is left alone: the caller, when it is part of the ward.</param>
    /// <param name="patience">How long to go on; null: until it is done.</param>
    /// <returns>Whether nothing is left.</returns>
    [SupportedOSPlatform("linux")]
    public bool SweepUntilEmpty(int spared = 0, TimeSpan? patience = null)
    {
        var started = Stopwatch.GetTimestamp();
        var users = UserPool.Of(Id, UserPool.DefaultLockDirectory); // its worker is gone and takes no more
        using var wait = new ManualResetEventSlim(); // never set: these are plain processes without a clock of their own
        for (var emptyRounds = 0; emptyRounds < 2;)
        {
            emptyRounds = SweepOnce(spared, users, killLaunchers: emptyRounds > 0) ? emptyRounds + 1 : 0;
            if (emptyRounds == 0 && patience < Stopwatch.GetElapsedTime(started))
            {
                return false;
            }

            wait.Wait(s_look);
        }

        UserPool.Clear(users, Id, UserPool.DefaultLockDirectory);
        CgroupTree.RemoveBelow(CgroupDirectory);
        return true;
    }

    [SupportedOSPlatform("linux")]
    private bool SweepOnce(int spared, IReadOnlySet<uint> users, bool killLaunchers)
    {
        var groupsEmpty = CgroupDirectory.Length == 0 || CgroupTree.KillBelow(CgroupDirectory);
        groupsEmpty &= EngineFile.Length == 0 || !File.Exists(EngineFile) || WardContainers.Remove(File.ReadAllText(EngineFile), Id);
        var table = ProcessTable.Read();
        var launchers = ProcessTable.Marked(table, FlusterEnvironment.AttemptMarker, LauncherMark).Where(entry => !entry.IsDead).ToList();
        var launcherIds = launchers.Select(entry => entry.Identity.Id).ToHashSet();
        var jobs = ProcessTable.Marked(table, FlusterEnvironment.AttemptMarker, Id + ".")
            .Concat(ProcessTable.Descendants(table, launcherIds))
            .Concat(ProcessTable.OfUsers(table, users))
            .Where(entry => !entry.IsDead && !launcherIds.Contains(entry.Identity.Id) && entry.Identity.Id != spared)
            .DistinctBy(entry => entry.Identity)
            .ToList();

        // Stopped first: what is stopped cannot make more while the others are being killed.
        foreach (var signal in (ReadOnlySpan<int>)[Libc.SigStop, Libc.SigKill])
        {
            foreach (var job in jobs)
            {
                Libc.Signal(job.Identity, signal);
            }
        }

        var left = launchers.Where(entry => entry.Identity.Id != spared).ToList();
        if (groupsEmpty && jobs.Count == 0 && killLaunchers)
        {
            foreach (var launcher in left)
            {
                Libc.Signal(launcher.Identity, Libc.SigKill);
            }

            return left.Count == 0;
        }

        return groupsEmpty && jobs.Count == 0;
    }
}
