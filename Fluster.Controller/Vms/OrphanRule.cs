namespace Fluster.Controller;

/// <summary>
/// Finds machines that nobody remembers: an answer was lost, or a controller, or its disk. One is an orphan when two complete lists at least ten minutes apart show
/// it, and the state at the start of each, and of all between them, had no record of it. Synchronous; belongs to one thread.
/// </summary>
internal sealed class OrphanRule
{
    /// <summary>Milliseconds between the first list that shows one and the list after which it is removed.</summary>
    public const long Patience = 10 * 60_000;

    private readonly Dictionary<VmId, long> _firstSeen = [];

    /// <param name="listing">What a backend told.</param>
    /// <param name="isKnown">Whether the state had a record when the list was asked for.</param>
    /// <param name="askedAt">Milliseconds of any clock that does not go back, when the list was asked for.</param>
    public IReadOnlyList<VmInfo> Find(VmListing listing, Func<VmId, bool> isKnown, long askedAt)
    {
        if (!listing.IsComplete)
        {
            return []; // it says nothing of those that it does not name, and something is wrong with those that it does
        }

        var unknown = listing.Vms.Where(vm => !isKnown(vm.Id)).ToList();
        foreach (var id in _firstSeen.Keys.Except(unknown.Select(vm => vm.Id)).ToList())
        {
            _firstSeen.Remove(id);
        }

        foreach (var vm in unknown)
        {
            _firstSeen.TryAdd(vm.Id, askedAt);
        }

        return [.. unknown.Where(vm => vm.Status != VmStatus.Stopping && askedAt - _firstSeen[vm.Id] >= Patience)];
    }
}
