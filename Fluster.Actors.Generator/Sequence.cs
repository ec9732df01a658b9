using System.Collections;

namespace Fluster.Actors.Generator;

/// <summary>A list that is equal to another one with equal elements.</summary>
internal readonly struct Sequence<T>(T[] items) : IEquatable<Sequence<T>>, IReadOnlyList<T>
    where T : class, IEquatable<T>
{
    private readonly T[]? _items = items;

    public int Count => _items?.Length ?? 0;

    public T this[int index] => _items![index];

    public bool Equals(Sequence<T> other)
    {
        if (Count != other.Count)
        {
            return false;
        }

        for (var i = 0; i < Count; i++)
        {
            if (!this[i].Equals(other[i]))
            {
                return false;
            }
        }

        return true;
    }

    public override bool Equals(object? obj) => obj is Sequence<T> other && Equals(other);

    public override int GetHashCode()
    {
        var hash = Count;
        foreach (var item in this)
        {
            hash = unchecked((hash * 31) + item.GetHashCode());
        }

        return hash;
    }

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)(_items ?? [])).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

internal static class Sequences
{
    public static Sequence<T> ToSequence<T>(this IEnumerable<T> items)
        where T : class, IEquatable<T> => new([.. items]);
}
