namespace Fluster.Controller;

/// <summary>
/// The jobs that wait for a place, in the order in which they get one, one line for each kind of need: when there is no room for the first of
/// a line, there is none for the others. Belongs to the scheduler's thread.
/// </summary>
internal sealed class WaitingJobs
{
    private readonly Dictionary<Need, SortedSet<Place>> _lines = [];
    private readonly Dictionary<long, (Need Need, Place Place)> _places = [];

    public int Count => _places.Count;

    /// <summary>
    /// Walks along all lines at once, in the order in which jobs get a place: the lines are merged by the place of the first in each. What has no room leaves the
    /// race at once, however many wait with it.
    /// </summary>
    /// <param name="place">Looks at a job by its uid. Returns whether there may be room for another one of its line.</param>
    /// <param name="goOn">Whether there may be room for anything at all.</param>
    public void Walk(Func<long, bool> place, Func<bool> goOn)
    {
        var lines = new PriorityQueue<IEnumerator<Place>, Place>();
        foreach (var line in _lines.Values)
        {
            Enter(line.GetEnumerator());
        }

        while (goOn() && lines.TryDequeue(out var line, out var next))
        {
            if (place(next.Uid))
            {
                Enter(line);
            }
        }

        void Enter(IEnumerator<Place> line)
        {
            if (line.MoveNext())
            {
                lines.Enqueue(line, line.Current);
            }
        }
    }

    /// <summary>Takes in a job as it is now: it comes, stays or goes.</summary>
    public void Update(long uid, JobRecord? job)
    {
        if (job is { IsLive: true, Stopping: false, Waiting: > 0 })
        {
            if (!_places.ContainsKey(uid))
            {
                var need = new Need(job.Terms.Shape, job.Terms.ExecutionTimeout, job.Terms.GangSize);
                var place = new Place(job.Terms.Priority ?? JobPriority.Interactive, job.ParentUid != 0, uid);
                if (!_lines.TryGetValue(need, out var line))
                {
                    _lines[need] = line = [];
                }

                line.Add(place);
                _places[uid] = (need, place);
            }
        }
        else if (_places.Remove(uid, out var was))
        {
            var line = _lines[was.Need];
            line.Remove(was.Place);
            if (line.Count == 0)
            {
                _lines.Remove(was.Need);
            }
        }
    }

    /// <summary>A place in the line: higher priorities first, children before roots (a parent may wait for them), then the older.</summary>
    internal readonly record struct Place(JobPriority Priority, bool IsChild, long Uid) : IComparable<Place>
    {
        public int CompareTo(Place other)
        {
            var order = other.Priority.CompareTo(Priority);
            order = order != 0 ? order : other.IsChild.CompareTo(IsChild);
            return order != 0 ? order : Uid.CompareTo(other.Uid);
        }
    }

    /// <summary>All that decides whether there is room. How long it runs does, where room is kept for somebody else.</summary>
    private readonly record struct Need(ResourceShape Shape, long ExecutionTimeout, int GangSize);
}
