using System.Text;

namespace Fluster.Worker;

/// <summary>Keeps the last lines of an attempt for the message about its failure.</summary>
internal sealed class LastLines
{
    private const int MostLines = 20;
    private const int MostBytes = 2 * 1024;

    private readonly Queue<byte[]> _lines = new(MostLines);

    /// <summary>Adds whole lines. Looks only at the last ones.</summary>
    public void Add(ReadOnlySpan<byte> lines)
    {
        if (lines is [.., (byte)'\n'])
        {
            lines = lines[..^1];
        }

        var start = lines.Length;
        for (var count = 0; count < MostLines && start > 0; count++)
        {
            start = lines[..start].LastIndexOf((byte)'\n');
            if (start < 0)
            {
                break;
            }
        }

        foreach (var range in lines[(start + 1)..].Split((byte)'\n'))
        {
            var line = lines[(start + 1)..][range];
            if (_lines.Count == MostLines)
            {
                _lines.Dequeue();
            }

            _lines.Enqueue(line[..Math.Min(line.Length, MostBytes)].ToArray());
        }
    }

    public IReadOnlyList<string> ToList() => [.. _lines.Select(line => Encoding.UTF8.GetString(line))];
}
