namespace Fluster.Controller;

/// <summary>The jobs that wait for a place, in the order in which they get one, grouped by what they need. Belongs to the scheduler's thread.</summary>
internal sealed class WaitingJobs
{
    private readonly Dictionary<ResourceShape, SortedSet<Place>> _byShape = [];
    private readonly Dictionary<long, (ResourceShape Shape, Place Place)> _places = [];

    public int Count => _places.Count;

    /// <summary>What the jobs here need: each shape once, with its jobs in order.</summary>
    public IReadOnlyDictionary<ResourceShape, SortedSet<Place>> ByShape => _byShape;

    /// <summary>Takes in a job as it is now: it comes, stays or goes.</summary>
    public void Update(long uid, JobRecord? job)
    {
        if (job is { IsLive: true, Stopping: false, Waiting: > 0 })
        {
            if (!_places.ContainsKey(uid))
            {
                var shape = job.Terms.Shape;
                var place = new Place(job.Terms.Priority ?? JobPriority.Interactive, job.ParentUid != 0, uid);
                if (!_byShape.TryGetValue(shape, out var line))
                {
                    _byShape[shape] = line = [];
                }

                line.Add(place);
                _places[uid] = (shape, place);
            }
        }
        else if (_places.Remove(uid, out var was))
        {
            var line = _byShape[was.Shape];
            line.Remove(was.Place);
            if (line.Count == 0)
            {
                _byShape.Remove(was.Shape);
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
}
