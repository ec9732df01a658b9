namespace Fluster.Cluster;

/// <summary>
/// Who runs and who waits: a number of places, and the tasks that want one. Priorities first, then children before roots, then in the order in which they came;
/// a gang that does not fit now blocks nobody. Not safe by itself: under the lock of <see cref="LocalJobs"/>.
/// </summary>
internal sealed class LocalPlaces(int limit)
{
    private readonly SortedSet<LocalTask> _waiting = new(Comparer<LocalTask>.Create(Compare));
    private readonly HashSet<LocalAttempt> _holders = [];

    public int Limit { get; } = limit;

    /// <summary>Attempts that have a place now. For a moment one more than there are places, when a job that lent its own has it back.</summary>
    public IReadOnlyCollection<LocalAttempt> Holders => _holders;

    public void Want(LocalTask task) => _waiting.Add(task);

    public void Leave(LocalTask task) => _waiting.Remove(task);

    /// <summary>The tasks that can start now, each once: of a gang the first one, and all of it has room.</summary>
    public IReadOnlyList<LocalTask> TakeStartable()
    {
        var free = Limit - _holders.Count;
        if (free <= 0 || _waiting.Count == 0)
        {
            return [];
        }

        var startable = new List<LocalTask>();
        foreach (var task in _waiting)
        {
            var size = task.Job.IsGang ? task.Job.Tasks.Count : 1;
            if (size <= free)
            {
                startable.Add(task);
                free -= size;
            }

            if (free == 0)
            {
                break;
            }
        }

        startable.ForEach(task => _waiting.Remove(task));
        return startable;
    }

    public void Hold(LocalAttempt attempt) => _holders.Add(attempt);

    public void GiveBack(LocalAttempt attempt) => _holders.Remove(attempt);

    private static int Compare(LocalTask? left, LocalTask? right)
    {
        var (one, other) = (left!, right!);
        var order = other.Job.Priority.CompareTo(one.Job.Priority);
        order = order != 0 ? order : (one.Job.Parent is null).CompareTo(other.Job.Parent is null);
        order = order != 0 ? order : one.Job.Number.CompareTo(other.Job.Number);
        return order != 0 ? order : one.Index.CompareTo(other.Index);
    }
}
