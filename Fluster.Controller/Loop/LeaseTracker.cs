namespace Fluster.Controller;

/// <summary>How long a worker, or a registration, may be silent, in ticks of one second.</summary>
internal sealed record LeaseSettings(int SuspectAfter = 15, int LostAfter = 60, int RegistrationLostAfter = 15);

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

    /// <summary>Ticks after which a silence is told again: the batch that had it may not have been kept.</summary>
    private const int SayAgain = 10;

    private readonly SortedDictionary<long, Lease> _leases = [];
    private volatile bool _massSilence;

    /// <summary>Most workers are silent at once: nobody is given up for now. Any thread may ask.</summary>
    public bool MassSilence => _massSilence;

    /// <summary>A frame of this incarnation arrived, or the worker is known from before the start.</summary>
    public void Heard(long workerUid, ulong incarnation)
    {
        if (!_leases.TryGetValue(workerUid, out var lease) || lease.Incarnation <= incarnation)
        {
            _leases[workerUid] = new Lease(incarnation, 0, Lost: false);
        }
    }

    /// <summary>The worker is gone with its machine.</summary>
    public void Forget(long workerUid) => _leases.Remove(workerUid);

    /// <summary>One second has passed.</summary>
    /// <returns>What the machine has to know, by worker.</returns>
    public IReadOnlyList<ClusterInput.Silence> Tick()
    {
        var silent = 0;
        var counted = 0;
        foreach (var uid in _leases.Keys.ToArray())
        {
            var lease = _leases[uid] = _leases[uid] with { Ticks = _leases[uid].Ticks + 1 };
            if (!lease.Lost)
            {
                counted++;
                silent += lease.Ticks >= settings.SuspectAfter ? 1 : 0;
            }
        }

        _massSilence = counted >= FewestForMassSilence && silent * 2 > counted;
        var lostAfter = _massSilence ? settings.LostAfter * MassSilencePatience : settings.LostAfter;
        List<ClusterInput.Silence>? found = null;
        foreach (var (uid, lease) in _leases)
        {
            if (lease.Ticks >= lostAfter && (!lease.Lost || lease.Ticks % SayAgain == 0))
            {
                (found ??= []).Add(new ClusterInput.Silence(uid, lease.Incarnation, WorkerEvent.SilentForLong));
            }
            else if (lease.Ticks == settings.SuspectAfter || !lease.Lost && lease.Ticks > settings.SuspectAfter && lease.Ticks % SayAgain == 0)
            {
                (found ??= []).Add(new ClusterInput.Silence(uid, lease.Incarnation, WorkerEvent.Silent));
            }
        }

        foreach (var silence in found ?? [])
        {
            if (silence.Event == WorkerEvent.SilentForLong)
            {
                _leases[silence.WorkerUid] = _leases[silence.WorkerUid] with { Lost = true };
            }
        }

        return found ?? (IReadOnlyList<ClusterInput.Silence>)[];
    }

    private readonly record struct Lease(ulong Incarnation, int Ticks, bool Lost);
}
