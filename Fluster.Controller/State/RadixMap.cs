using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Fluster.Controller;

/// <summary>
/// An immutable map from integers to records: a tree with 32 branches per node. Uids are dense, so a million records cost about
/// ten bytes each beside themselves, and a change copies one short path. A <see cref="Builder"/> copies each node at most once
/// between two published maps.
/// </summary>
internal sealed class RadixMap<T>
    where T : class
{
    private const int Bits = 5;
    private const int Width = 1 << Bits;
    private const int Mask = Width - 1;

    /// <summary>The slot after the branches: the builder that may change the node in place.</summary>
    private const int Owner = Width;

    private readonly object?[]? _root;
    private readonly int _shift;

    private RadixMap(object?[]? root, int shift, long count)
    {
        _root = root;
        _shift = shift;
        Count = count;
    }

    public static RadixMap<T> Empty { get; } = new(null, 0, 0);

    public long Count { get; }

    /// <summary>The record, or null.</summary>
    public T? Find(long key) => Find(_root, _shift, key);

    public bool TryGet(long key, [NotNullWhen(true)] out T? value) => (value = Find(key)) is not null;

    /// <summary>The records with at least this key, lowest first.</summary>
    public IEnumerable<T> Ascending(long from = 0)
    {
        var key = Math.Max(0, from);
        while (LeafAtOrAfter(_root, _shift, ref key) is { } leaf)
        {
            for (var i = (int)(key & Mask); i < Width; i++)
            {
                if (leaf[i] is { } value)
                {
                    yield return Unsafe.As<T>(value);
                }
            }

            key = (key | Mask) + 1;
        }
    }

    /// <summary>The records with at most this key, highest first.</summary>
    public IEnumerable<T> Descending(long from = long.MaxValue)
    {
        var key = from;
        while (LeafAtOrBefore(_root, _shift, ref key) is { } leaf)
        {
            for (var i = (int)(key & Mask); i >= 0; i--)
            {
                if (leaf[i] is { } value)
                {
                    yield return Unsafe.As<T>(value);
                }
            }

            key = (key & ~(long)Mask) - 1;
        }
    }

    public Builder ToBuilder() => new(this);

    private static T? Find(object?[]? node, int shift, long key)
    {
        if (node is null || (ulong)key >> shift >> Bits != 0)
        {
            return null;
        }

        for (var level = shift; level > 0; level -= Bits)
        {
            node = Unsafe.As<object?[]>(node[(int)(key >> level) & Mask]);
            if (node is null)
            {
                return null;
            }
        }

        return Unsafe.As<T>(node[(int)key & Mask]);
    }

    /// <summary>The first leaf that may have a record at or after the key; moves the key up to it.</summary>
    private static object?[]? LeafAtOrAfter(object?[]? node, int shift, ref long key)
    {
        if (node is null || (ulong)key >> shift >> Bits != 0)
        {
            return null;
        }

        if (shift == 0)
        {
            return node;
        }

        var first = (int)(key >> shift) & Mask;
        for (var i = first; i < Width; i++)
        {
            var below = i == first ? key & ((1L << shift) - 1) : 0;
            if (LeafAtOrAfter(Unsafe.As<object?[]>(node[i]), shift - Bits, ref below) is { } leaf)
            {
                key = key >> shift >> Bits << Bits << shift | (long)i << shift | below;
                return leaf;
            }
        }

        return null;
    }

    private static object?[]? LeafAtOrBefore(object?[]? node, int shift, ref long key)
    {
        if (node is null || key < 0)
        {
            return null;
        }

        if ((ulong)key >> shift >> Bits != 0)
        {
            key = (1L << shift << Bits) - 1; // everything here is below it
        }

        if (shift == 0)
        {
            return node;
        }

        var last = (int)(key >> shift) & Mask;
        for (var i = last; i >= 0; i--)
        {
            var below = i == last ? key & ((1L << shift) - 1) : (1L << shift) - 1;
            if (LeafAtOrBefore(Unsafe.As<object?[]>(node[i]), shift - Bits, ref below) is { } leaf)
            {
                key = key >> shift >> Bits << Bits << shift | (long)i << shift | below;
                return leaf;
            }
        }

        return null;
    }

    /// <summary>A map being changed. Belongs to one thread.</summary>
    internal sealed class Builder
    {
        private RadixMap<T> _published;
        private object?[]? _root;
        private int _shift;
        private object _token = new();
        private bool _changed;

        internal Builder(RadixMap<T> map)
        {
            _published = map;
            _root = map._root;
            _shift = map._shift;
            Count = map.Count;
        }

        public long Count { get; private set; }

        public T? Find(long key) => RadixMap<T>.Find(_root, _shift, key);

        /// <summary>The record.</summary>
        /// <exception cref="InvalidOperationException">There is none: whoever asks relies on a rule that was broken.</exception>
        public T this[long key] => Find(key) ?? throw new InvalidOperationException($"There is no {typeof(T).Name} {key}.");

        public IEnumerable<T> Ascending() => ToImmutable().Ascending();

        public void Set(long key, T value)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(key);
            _changed = true;
            while (_root is null || (ulong)key >> _shift >> Bits != 0)
            {
                if (_root is null && (ulong)key >> _shift >> Bits == 0)
                {
                    _root = NewNode();
                    break;
                }

                if (_root is not null)
                {
                    var above = NewNode();
                    above[0] = _root;
                    _root = above;
                }

                _shift += Bits;
            }

            var node = _root = Writable(_root);
            for (var level = _shift; level > 0; level -= Bits)
            {
                ref var slot = ref node[(int)(key >> level) & Mask];
                var below = slot is null ? NewNode() : Writable(Unsafe.As<object?[]>(slot));
                slot = below;
                node = below;
            }

            ref var place = ref node[(int)key & Mask];
            Count += place is null ? 1 : 0;
            place = value;
        }

        public void Remove(long key)
        {
            if (Find(key) is null)
            {
                return;
            }

            _changed = true;
            Count--;
            _root = Without(_root!, _shift, key);
            if (_root is null)
            {
                _shift = 0;
            }
        }

        /// <summary>What the map is now. The builder goes on without changing it.</summary>
        public RadixMap<T> ToImmutable()
        {
            if (_changed)
            {
                _published = new RadixMap<T>(_root, _shift, Count);
                _token = new object();
                _changed = false;
            }

            return _published;
        }

        private object?[]? Without(object?[] node, int shift, long key)
        {
            node = Writable(node);
            var slot = (int)(key >> shift) & Mask;
            node[slot] = shift == 0 ? null : Without(Unsafe.As<object?[]>(node[slot])!, shift - Bits, key);
            return IsEmpty(node) ? null : node;
        }

        private static bool IsEmpty(object?[] node)
        {
            for (var i = 0; i < Width; i++)
            {
                if (node[i] is not null)
                {
                    return false;
                }
            }

            return true;
        }

        private object?[] NewNode()
        {
            var node = new object?[Width + 1];
            node[Owner] = _token;
            return node;
        }

        private object?[] Writable(object?[] node)
        {
            if (ReferenceEquals(node[Owner], _token))
            {
                return node;
            }

            var copy = (object?[])node.Clone();
            copy[Owner] = _token;
            return copy;
        }
    }
}
