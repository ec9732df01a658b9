using System.Buffers;

namespace Fluster.Actors;

/// <summary>What <see cref="PayloadWriter"/> wrote, as it was received.</summary>
internal sealed class Payload
{
    private readonly List<ReceivedRaw> _raws = [];
    private byte[] _json = [];

    public int JsonLength { get; private set; }

    public ReadOnlySpan<byte> Json => _json.AsSpan(0, JsonLength);

    public ReadOnlyMemory<byte> JsonMemory => _json.AsMemory(0, JsonLength);

    public List<ReceivedRaw> Raws => _raws;

    /// <summary>Places in the list of arguments that were not sent; their parameters have default values.</summary>
    public ulong Absent { get; set; }

    /// <summary>Room for JSON of this length.</summary>
    public Memory<byte> ReserveJson(int length)
    {
        if (_json.Length < length)
        {
            Return();
            _json = ArrayPool<byte>.Shared.Rent(length);
        }

        JsonLength = length;
        return _json.AsMemory(0, length);
    }

    public void SetJson(ReadOnlySpan<byte> json) => json.CopyTo(ReserveJson(json.Length).Span);

    public void AddRaw(int index, RawKind kind, Array values) => _raws.Add(new ReceivedRaw(index, kind, values));

    public bool TryGetRaw(int index, out ReceivedRaw raw)
    {
        foreach (var one in _raws)
        {
            if (one.Index == index)
            {
                raw = one;
                return true;
            }
        }

        raw = default;
        return false;
    }

    /// <summary>Takes over what was written, as a copy, in the same process.</summary>
    public void CopyFrom(PayloadWriter written)
    {
        Clear();
        SetJson(written.Json);
        foreach (var raw in written.Raws)
        {
            var values = RawArrays.Allocate(raw.Kind, raw.Bytes.Length);
            raw.Bytes.Span.CopyTo(RawArrays.BytesOf(values, raw.Kind).Span);
            _raws.Add(new ReceivedRaw(raw.Index, raw.Kind, values));
        }
    }

    public void Clear()
    {
        _raws.Clear();
        JsonLength = 0;
        Absent = 0;
        if (_json.Length > PayloadWriter.MostCopied)
        {
            Return();
        }
    }

    private void Return()
    {
        if (_json.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_json);
            _json = [];
        }
    }
}

/// <param name="Index">Which argument it is, from 0; 0 for a result.</param>
/// <param name="Kind">What it is made of.</param>
/// <param name="Values">The array itself.</param>
internal readonly record struct ReceivedRaw(int Index, RawKind Kind, Array Values);
