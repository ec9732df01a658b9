
namespace Fluster.Worker;

/// <summary>Takes whole lines: where they begin, how many, and their bytes, which are valid only during the call.</summary>
internal delegate void LinesTaken(long firstLine, int lineCount, ReadOnlySpan<byte> data);

/// <summary>
/// Cuts a stream of bytes into pieces of whole lines, without an allocation per line. A line ends with its line feed; one that goes on for
/// <see cref="LogLineReader.MaxLineBytes"/> is cut there; the rest at the end of the stream is one too.
/// </summary>
internal sealed class LineCutter(LinesTaken take)
{
    private readonly byte[] _buffer = new byte[LogLineReader.MaxLineBytes];
    private int _length;
    private int _complete; // bytes in the buffer that belong to whole lines
    private int _lines; // how many those are

    /// <summary>Lines taken or waiting, from the beginning of the stream.</summary>
    public long NextLine { get; private set; }

    /// <summary>Whether whole lines wait to be taken.</summary>
    public bool HasLines => _lines > 0;

    public void Append(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var added = data[..Math.Min(data.Length, _buffer.Length - _length)];
            added.CopyTo(_buffer.AsSpan(_length));
            if (added.LastIndexOf((byte)'\n') is var last and >= 0)
            {
                _lines += added[..(last + 1)].Count((byte)'\n');
                _complete = _length + last + 1;
            }

            _length += added.Length;
            data = data[added.Length..];
            if (_length == _buffer.Length)
            {
                if (_lines == 0)
                {
                    (_complete, _lines) = (_length, 1); // a piece of a line that goes on
                }

                Flush();
            }
        }
    }

    /// <summary>Hands over the whole lines that there are.</summary>
    public void Flush()
    {
        if (_lines == 0)
        {
            return;
        }

        var (lines, complete) = (_lines, _complete);
        (_lines, _complete) = (0, 0);
        NextLine += lines;
        take(NextLine - lines, lines, _buffer.AsSpan(0, complete));
        _buffer.AsSpan(complete, _length - complete).CopyTo(_buffer);
        _length -= complete;
    }

    /// <summary>The stream has ended: hands over everything.</summary>
    public void End()
    {
        if (_length > _complete)
        {
            _lines++;
            _complete = _length;
        }

        Flush();
    }
}
