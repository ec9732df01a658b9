using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>What holds the processes of one attempt together, so that all of them can be found, signalled and known to be gone.</summary>
[SupportedOSPlatform("linux")]
internal abstract class AttemptBoundary
{
    private readonly HashSet<uint> _users = [];

    /// <summary>The user that all of the attempt's processes run as, and no other process; 0 when it has none of its own.</summary>
    public uint User
    {
        get => _users.FirstOrDefault();
        set => _users.Add(value);
    }

    /// <summary>What the launcher is told about where to put a program.</summary>
    public abstract (IsolationMode Mode, string CgroupDirectory) Placement { get; }

    /// <summary>A program was started inside.</summary>
    public virtual void Entered(LaunchedProgram program, LaunchNews started)
    {
    }

    /// <summary>The live processes inside.</summary>
    public abstract IReadOnlyList<ProcessEntry> Processes();

    /// <summary>The live processes inside that <paramref name="table"/> has, as far as that is quick to tell.</summary>
    public abstract IReadOnlyList<ProcessEntry> Sample(IReadOnlyList<ProcessEntry> table);

    /// <summary>The program has ended: gives the boundary a moment to become empty by itself.</summary>
    public virtual Task QuietAsync(TimeProvider time) => Task.CompletedTask;

    /// <summary>Kills what is inside, once.</summary>
    /// <returns>Whether it is known that nothing is inside any more.</returns>
    public abstract bool KillRound();

    /// <summary>Kills what is inside, and whatever else runs as the attempt's user, once.</summary>
    /// <returns>Whether nothing is left: the user can be given to another attempt.</returns>
    public bool KillAll()
    {
        if (!KillRound())
        {
            return false;
        }

        var left = OfUser(_users.Count == 0 ? [] : ProcessTable.Read());
        Kill(left);
        return left.Count == 0;
    }

    /// <summary>Every process that is left of the attempt.</summary>
    public IReadOnlyList<ProcessEntry> Left() => [.. Processes().Concat(OfUser(_users.Count == 0 ? [] : ProcessTable.Read())).DistinctBy(process => process.Identity)];

    /// <summary>Those of <paramref name="table"/> that run as the attempt's user.</summary>
    protected IReadOnlyList<ProcessEntry> OfUser(IReadOnlyList<ProcessEntry> table) => [.. ProcessTable.OfUsers(table, _users)];

    /// <summary>Stopped first: what is stopped cannot make more while the others are being killed.</summary>
    protected static void Kill(IReadOnlyList<ProcessEntry> processes)
    {
        foreach (var signal in (ReadOnlySpan<int>)[Libc.SigStop, Libc.SigKill])
        {
            foreach (var process in processes)
            {
                Libc.Signal(process.Identity, signal);
            }
        }
    }

    /// <summary>Gives the boundary itself back. It is empty.</summary>
    public virtual void Remove()
    {
    }

    /// <summary>Asks everything inside to end.</summary>
    public void Terminate()
    {
        foreach (var signal in (ReadOnlySpan<int>)[Libc.SigTerm, Libc.SigCont]) // a stopped process would not hear it
        {
            foreach (var process in Processes())
            {
                Libc.Signal(process.Identity, signal);
            }
        }
    }
}

/// <summary>A control group of the attempt's own. Nothing leaves it by forking, by a new session or by a cleaned environment.</summary>
[SupportedOSPlatform("linux")]
internal sealed class CgroupBoundary(IsolationMode mode, string directory) : AttemptBoundary
{
    public override (IsolationMode Mode, string CgroupDirectory) Placement => (mode, directory);

    /// <exception cref="IOException">It cannot be made.</exception>
    public static CgroupBoundary Create(IsolationMode mode, string directory)
    {
        Directory.CreateDirectory(directory);
        return new CgroupBoundary(mode, directory);
    }

    public override IReadOnlyList<ProcessEntry> Processes() => CgroupTree.Read(directory);

    public override IReadOnlyList<ProcessEntry> Sample(IReadOnlyList<ProcessEntry> table) => Processes();

    public override bool KillRound() => CgroupTree.KillBelow(directory);

    public override void Remove() => CgroupTree.RemoveBelow(directory);
}

/// <summary>
/// Without control groups: what descends from the attempt's starters, which inherit every orphan of their tree, what bears the attempt's
/// mark in its environment, and what runs as its user. The orphans of a starter that was killed go to the launcher, where nothing else is.
/// </summary>
/// <param name="ward">Whose marks to look for.</param>
/// <param name="fence">The attempt.</param>
/// <param name="launcher">The launcher's process; null when there is none.</param>
[SupportedOSPlatform("linux")]
internal sealed class MarkerBoundary(Ward ward, Fence fence, Func<int?> launcher) : AttemptBoundary
{
    /// <summary>A starter ends well within this time after the last process of its tree.</summary>
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly List<(LaunchedProgram Program, ProcessIdentity Starter)> _starters = []; // under _gate
    private int _emptyScans;

    private List<(LaunchedProgram Program, ProcessIdentity Starter)> Starters
    {
        get
        {
            lock (_gate)
            {
                return [.. _starters];
            }
        }
    }

    public override (IsolationMode Mode, string CgroupDirectory) Placement => (IsolationMode.Marker, "");

    public override void Entered(LaunchedProgram program, LaunchNews started)
    {
        // One that was killed already counts, too: it left without the word that nothing is left.
        var identity = ProcessTable.TryRead(started.Second, out var starter) && starter.Parent == launcher() ? starter.Identity : default;
        lock (_gate)
        {
            _starters.Add((program, identity));
        }
    }

    public override IReadOnlyList<ProcessEntry> Processes()
    {
        var table = ProcessTable.Read();
        var found = Sample(table).Concat(ProcessTable.Marked(table, FlusterEnvironment.AttemptMarker, ward.MarkOf(fence))).Concat(OfUser(table)).ToList();
        if (Starters.Exists(starter => starter.Program is { Released.IsCompleted: true, IsEmptied: false }) && launcher() is { } parent)
        {
            // Only orphans of killed starters are here beside the starters; their attempts are at their end, whichever they are of.
            var starters = ProcessTable.Marked(table, FlusterEnvironment.AttemptMarker, ward.LauncherMark).Select(entry => entry.Identity).ToHashSet();
            found.AddRange(table.Where(entry => entry.Parent == parent && !starters.Contains(entry.Identity)));
        }

        return [.. found
            .Concat(ProcessTable.Descendants(table, found.Select(entry => entry.Identity.Id).ToHashSet()))
            .Where(entry => !entry.IsDead)
            .DistinctBy(entry => entry.Identity)];
    }

    public override IReadOnlyList<ProcessEntry> Sample(IReadOnlyList<ProcessEntry> table) =>
        ProcessTable.Descendants(table, Starters.Where(starter => starter.Starter.IsAlive()).Select(starter => starter.Starter.Id).ToHashSet());

    public override Task QuietAsync(TimeProvider time) =>
        Task.WhenAny(Task.WhenAll(Starters.Select(starter => starter.Program.Released)), Task.Delay(s_quiet, time));

    public override bool KillRound()
    {
        // A starter ends by itself when the last of its tree has: then there is nothing to look for.
        if (Starters.TrueForAll(starter => starter.Program is { Released.IsCompleted: true, IsEmptied: true }))
        {
            return true;
        }

        var processes = Processes();
        _emptyScans = processes.Count == 0 ? _emptyScans + 1 : 0;
        Kill(processes);
        return _emptyScans >= 2;
    }

    public override void Remove()
    {
        foreach (var (_, starter) in Starters)
        {
            Libc.Signal(starter, Libc.SigKill);
        }
    }
}
