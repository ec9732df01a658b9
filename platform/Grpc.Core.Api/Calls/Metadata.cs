using System.Buffers;
using System.Collections;
using System.Text;

namespace Grpc.Core;

/// <summary>An ordered list of header or trailer entries; a key may occur more than once.</summary>
public sealed class Metadata : IList<Metadata.Entry>
{
    /// <summary>Keys with this suffix carry bytes, all others carry text.</summary>
    public const string BinaryHeaderSuffix = "-bin";

    /// <summary>No entries, and none can be added.</summary>
    public static readonly Metadata Empty = new() { _readOnly = true };

    private readonly List<Entry> _entries = [];
    private bool _readOnly;

    public int Count => _entries.Count;

    public bool IsReadOnly => _readOnly;

    public Entry this[int index]
    {
        get => _entries[index];
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            ThrowIfReadOnly();
            _entries[index] = value;
        }
    }

    /// <summary>The last entry with <paramref name="key"/>, or null.</summary>
    public Entry? Get(string key) => _entries.FindLast(entry => entry.Key == key);

    /// <summary>The text of the last entry with <paramref name="key"/>, or null.</summary>
    public string? GetValue(string key) => Get(key)?.Value;

    /// <summary>The bytes of the last entry with <paramref name="key"/>, or null.</summary>
    public byte[]? GetValueBytes(string key) => Get(key)?.ValueBytes;

    /// <summary>Every entry with <paramref name="key"/>, in order.</summary>
    public IEnumerable<Entry> GetAll(string key) => _entries.Where(entry => entry.Key == key);

    public void Add(Entry item)
    {
        ArgumentNullException.ThrowIfNull(item);
        ThrowIfReadOnly();
        _entries.Add(item);
    }

    public void Add(string key, string value) => Add(new Entry(key, value));

    public void Add(string key, byte[] valueBytes) => Add(new Entry(key, valueBytes));

    public void Insert(int index, Entry item)
    {
        ArgumentNullException.ThrowIfNull(item);
        ThrowIfReadOnly();
        _entries.Insert(index, item);
    }

    public bool Remove(Entry item)
    {
        ThrowIfReadOnly();
        return _entries.Remove(item);
    }

    public void RemoveAt(int index)
    {
        ThrowIfReadOnly();
        _entries.RemoveAt(index);
    }

    public void Clear()
    {
        ThrowIfReadOnly();
        _entries.Clear();
    }

    public int IndexOf(Entry item) => _entries.IndexOf(item);

    public bool Contains(Entry item) => _entries.Contains(item);

    public void CopyTo(Entry[] array, int arrayIndex) => _entries.CopyTo(array, arrayIndex);

    public IEnumerator<Entry> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private void ThrowIfReadOnly()
    {
        if (_readOnly)
        {
            throw new InvalidOperationException("Object is read only");
        }
    }

    /// <summary>One key with its text or, for keys that end in "-bin", its bytes. Immutable.</summary>
    public class Entry
    {
        // Names on the wire are lower case; everything that is not in this list has no form there.
        private static readonly SearchValues<char> s_keyCharacters =
            SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789._-");

        private readonly string? _text;
        private readonly byte[]? _bytes;

        /// <exception cref="ArgumentException">The key has characters that no header name may have, or no "-bin" suffix.</exception>
        public Entry(string key, byte[] valueBytes)
        {
            ArgumentNullException.ThrowIfNull(valueBytes);
            Key = NormalizedKey(key);
            if (!IsBinary)
            {
                throw new ArgumentException($"Key for binary valued metadata entry needs to have suffix indicating binary value: '{BinaryHeaderSuffix}'.", nameof(key));
            }

            // A copy: the caller's array may change before the call is sent.
            _bytes = [.. valueBytes];
        }

        /// <exception cref="ArgumentException">The key has characters that no header name may have, or the "-bin" suffix.</exception>
        public Entry(string key, string value)
        {
            ArgumentNullException.ThrowIfNull(value);
            Key = NormalizedKey(key);
            if (IsBinary)
            {
                throw new ArgumentException($"Key for ASCII valued metadata entry cannot have suffix indicating binary value: '{BinaryHeaderSuffix}'.", nameof(key));
            }

            _text = value;
        }

        /// <summary>In lower case, as it is on the wire.</summary>
        public string Key { get; }

        /// <summary>A copy of the bytes; of a text entry, its ASCII bytes.</summary>
        public byte[] ValueBytes => _bytes is null ? Encoding.ASCII.GetBytes(_text!) : [.. _bytes];

        /// <exception cref="InvalidOperationException">The entry is binary.</exception>
        public string Value => _text ?? throw new InvalidOperationException("Cannot access string value of a binary metadata entry.");

        public bool IsBinary => Key.EndsWith(BinaryHeaderSuffix, StringComparison.Ordinal);

        public override string ToString() => _text is null
            ? $"[Entry: key={Key}, valueBytes={Convert.ToHexString(_bytes!)}]"
            : $"[Entry: key={Key}, value={_text}]";

        private static string NormalizedKey(string key)
        {
            ArgumentNullException.ThrowIfNull(key);
#pragma warning disable CA1308 // Header names are lower case on the wire.
            var lower = key.ToLowerInvariant();
#pragma warning restore CA1308
            return lower.AsSpan().ContainsAnyExcept(s_keyCharacters)
                ? throw new ArgumentException("Metadata entry key not valid. Keys can only contain lowercase alphanumeric characters, underscores, hyphens and dots.", nameof(key))
                : lower;
        }
    }
}
