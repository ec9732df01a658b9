namespace Fluster.Controller;

/// <summary>How long a worker may be silent, in ticks of one second.</summary>
internal sealed record LeaseSettings(int SuspectAfter = 15, int LostAfter = 60);

/// <summary>
/// Counts each worker's silence in ticks. A tick counts only after every frame that was waiting has been applied, so a busy or paused
/// controller finds nobody silent. Counters start at zero with the controller. Synchronous; belongs to the loop's thread.
/// </summary>
internal sealed class LeaseTracker(LeaseSettings settings)
{
    /// <summary>From so many workers on, a silence of more than half of them is taken for the network's.</summary>
    private const int FewestForMassSilence = 3;

    /// <summary>How much longer a loss waits then.</summary>
    private const int MassSilencePatience = 4;

    private readonly SortedDictionary<long, Lease> _leases = [];

    /// <summary>Most workers are silent at once: nobody is given up for now.</summary>
    public bool MassSilence { get; private set; }

    /// <summary>A frame of this incarnation arrived, or the worker is known from before the start.</summary>
    public void Heard(long workerUid, ulong incarnation)
    {
        if (!_leases.TryGetValue(workerUid, out var lease) || lease.Incarnation <= incarnation)
        {
            _leases[workerUid] = new Lease(incarnation, 0);
        }
    }

    /// <summary>One second has passed.</summary>
    /// <returns>What the machine has to know, by worker.</returns>
    public IReadOnlyList<ClusterInput.Silence> Tick()
    {
        var silent = 0;
        foreach (var uid in _leases.Keys.ToArray())
        {
            var lease = _leases[uid] = _leases[uid] with { Ticks = _leases[uid].Ticks + 1 };
            silent += lease.Ticks >= settings.SuspectAfter ? 1 : 0;
        }

        MassSilence = _leases.Count >= FewestForMassSilence && silent * 2 > _leases.Count;
        var lostAfter = MassSilence ? settings.LostAfter * MassSilencePatience : settings.LostAfter;
        List<ClusterInput.Silence>? found = null;
        foreach (var (uid, lease) in _leases)
        {
            if (lease.Ticks == settings.SuspectAfter)
            {
                (found ??= []).Add(new ClusterInput.Silence(uid, lease.Incarnation, WorkerEvent.Silent));
            }
            else if (lease.Ticks >= lostAfter)
            {
                (found ??= []).Add(new ClusterInput.Silence(uid, lease.Incarnation, WorkerEvent.SilentForLong));
            }
        }

        foreach (var lost in found ?? [])
        {
            if (lost.Event == WorkerEvent.SilentForLong)
            {
                _leases.Remove(lost.WorkerUid);
            }
        }

        return found ?? (IReadOnlyList<ClusterInput.Silence>)[];
    }

    private readonly record struct Lease(ulong Incarnation, int Ticks);
}
