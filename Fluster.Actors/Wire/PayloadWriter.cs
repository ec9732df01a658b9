using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Fluster.Actors;

/// <summary>
/// Writes the arguments of a call, or a result: JSON, and beside it the raw parts, which are arrays as they lie in memory. In the JSON a
/// raw part's place is taken by a 0; where everything is raw there is no JSON at all.
/// </summary>
#pragma warning disable CA1001 // The writer owns nothing: its buffer is ours.
internal sealed class PayloadWriter
#pragma warning restore CA1001
{
    /// <summary>Raw parts up to this are copied when they are written; larger ones are sent from where they are.</summary>
    public const int MostCopied = 64 * 1024;

    /// <summary>Raw parts that fit into so many bytes together need no array of their own.</summary>
    private const int MostBeside = 256;

    private static readonly JsonWriterOptions s_options = new() { SkipValidation = true };

    private readonly PooledBuffer _json = new();
    private readonly Utf8JsonWriter _writer;
    private readonly List<RawPart> _raws = [];
    private byte[]? _beside;
    private int _besideUsed;
    private bool _array;
    private bool _started;
    private int _index;

    public PayloadWriter() => _writer = new Utf8JsonWriter(_json, s_options);

    public ReadOnlySpan<byte> Json => _json.Span;

    public ReadOnlyMemory<byte> JsonMemory => _json.Memory;

    public List<RawPart> Raws => _raws;

    /// <summary>All bytes of it: JSON and raw parts.</summary>
    public long Size
    {
        get
        {
            long size = _json.Length;
            foreach (var raw in _raws)
            {
                size += raw.Bytes.Length;
            }

            return size;
        }
    }

    /// <summary>Whether there may be raw parts; where not, everything is JSON.</summary>
    public bool AllowsRaw { get; private set; }

    /// <summary>Begins a list of values, or a single one.</summary>
    public void Begin(bool array, bool allowRaw = true)
    {
        Clear();
        _array = array;
        AllowsRaw = allowRaw;
    }

    public void WriteJson<T>(T value, JsonTypeInfo<T> type)
    {
        Start();
        JsonSerializer.Serialize(_writer, value, type);
        _index++;
    }

    /// <summary>Writes a value that is JSON already.</summary>
    public void WriteJson(ReadOnlySpan<byte> json)
    {
        Start();
        _writer.WriteRawValue(json, skipInputValidation: true);
        _index++;
    }

    /// <param name="kind">What the bytes are.</param>
    /// <param name="bytes">The part. A large one must not change until the message is sent, unless <paramref name="copy"/> says so.</param>
    /// <param name="copy">Copies whatever its size.</param>
    public void WriteRaw(RawKind kind, ReadOnlyMemory<byte> bytes, bool copy = false)
    {
        if (_started)
        {
            _writer.WriteNumberValue(0);
        }

        byte[]? rented = null;
        if (bytes.Length <= MostBeside - _besideUsed)
        {
            var copied = (_beside ??= new byte[MostBeside]).AsMemory(_besideUsed, bytes.Length);
            bytes.CopyTo(copied);
            bytes = copied;
            _besideUsed += copied.Length;
        }
        else if (copy || bytes.Length <= MostCopied)
        {
            rented = ArrayPool<byte>.Shared.Rent(Math.Max(bytes.Length, 1));
            bytes.Span.CopyTo(rented);
            bytes = rented.AsMemory(0, bytes.Length);
        }

        _raws.Add(new RawPart(_index++, kind, bytes, rented));
    }

    /// <summary>Nothing is written after this.</summary>
    public void End()
    {
        if (_started)
        {
            if (_array)
            {
                _writer.WriteEndArray();
            }

            _writer.Flush();
        }
    }

    public void Clear()
    {
        foreach (var raw in _raws)
        {
            if (raw.Rented is { } rented)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }

        _raws.Clear();
        _besideUsed = 0;
        _json.Clear();
        if (_started)
        {
            _writer.Reset(_json);
            _started = false;
        }

        _index = 0;
    }

    // The array begins with the first value that is not raw: places of those before it are made up for.
    private void Start()
    {
        if (_started)
        {
            return;
        }

        _started = true;
        if (_array)
        {
            _writer.WriteStartArray();
            for (var i = 0; i < _index; i++)
            {
                _writer.WriteNumberValue(0);
            }
        }
    }
}

/// <param name="Index">Which argument it is, from 0; 0 for a result.</param>
/// <param name="Kind">What the bytes are.</param>
/// <param name="Bytes">The part.</param>
/// <param name="Rented">The array of the pool that it was copied into; null when it lies with the writer, or where the caller has it.</param>
internal readonly record struct RawPart(int Index, RawKind Kind, ReadOnlyMemory<byte> Bytes, byte[]? Rented);
