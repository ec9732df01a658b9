namespace Fluster.Controller;

/// <summary>
/// Counts the silence of registrations in the ticks that workers' silence is counted in. Counters start at zero with the controller.
/// Synchronous; belongs to the loop's thread.
/// </summary>
internal sealed class RegistrationLeases(LeaseSettings settings)
{
    private readonly SortedDictionary<long, int> _silence = [];

    /// <summary>A frame arrived, or the loss of a stream was noticed: from now on it is counted.</summary>
    public void Heard(long uid) => _silence[uid] = 0;

    public void Ended(long uid) => _silence.Remove(uid);

    /// <summary>One second has passed.</summary>
    /// <returns>Which were silent for too long. They are named until they have ended.</returns>
    public IReadOnlyList<long> Tick()
    {
        List<long>? lost = null;
        foreach (var uid in _silence.Keys.ToArray())
        {
            if (++_silence[uid] >= settings.RegistrationLostAfter)
            {
                (lost ??= []).Add(uid);
            }
        }

        return lost ?? (IReadOnlyList<long>)[];
    }

    /// <summary>These are live; what is known of their silence stays.</summary>
    public void Reset(IEnumerable<long> live)
    {
        var known = live.ToHashSet();
        foreach (var uid in _silence.Keys.Where(uid => !known.Contains(uid)).ToArray())
        {
            _silence.Remove(uid);
        }

        foreach (var uid in known.Where(uid => !_silence.ContainsKey(uid)))
        {
            _silence[uid] = 0;
        }
    }
}
