namespace Fluster.Actors;

/// <summary>
/// Whose turn it is. Members sit in a ring in the order in which they came; the turn goes round, and stays where it is when others come or
/// go: in every round each member that was there for all of it has exactly one turn. Not for several threads at a time.
/// </summary>
internal sealed class PoolRing<T>
    where T : class
{
    private readonly List<T> _members = [];
    private int _next;

    public IReadOnlyList<T> Members => _members;

    /// <summary>Takes a new member in; its first turn comes when all others of the round have had theirs.</summary>
    public void Add(T member)
    {
        if (_next == 0)
        {
            _members.Add(member);
        }
        else
        {
            _members.Insert(_next++, member);
        }
    }

    public void Remove(T member)
    {
        var index = _members.IndexOf(member);
        if (index < 0)
        {
            return;
        }

        _members.RemoveAt(index);
        if (index < _next)
        {
            _next--;
        }

        if (_next == _members.Count)
        {
            _next = 0;
        }
    }

    /// <summary>The member whose turn it is; null when there is none.</summary>
    public T? Next()
    {
        if (_members.Count == 0)
        {
            return null;
        }

        var member = _members[_next];
        _next = (_next + 1) % _members.Count;
        return member;
    }

    /// <summary>The member with the least of something; among equals the one whose turn comes first. Null when there is none.</summary>
    public T? NextWithLeast(Func<T, int> measure)
    {
        var (best, least) = (-1, int.MaxValue);
        for (var i = 0; i < _members.Count; i++)
        {
            var index = (_next + i) % _members.Count;
            if (measure(_members[index]) is var size && size < least)
            {
                (best, least) = (index, size);
            }
        }

        if (best < 0)
        {
            return null;
        }

        _next = (best + 1) % _members.Count;
        return _members[best];
    }
}
