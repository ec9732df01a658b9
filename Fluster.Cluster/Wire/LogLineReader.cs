using System.Text;

namespace Fluster.Cluster;

/// <summary>
/// Reads the chunks of a log as lines. Keeps the beginning of a character that a long line's cut went through, so that the pieces
/// put together are what was written.
/// </summary>
internal sealed class LogLineReader
{
    /// <summary>The longest line that travels in one piece, in bytes; a longer one is cut into pieces of this length.</summary>
    public const int MaxLineBytes = 64 * 1024;

    private readonly Dictionary<(ulong Fence, V1.LogStream Stream), byte[]> _cutCharacters = [];

    /// <summary>The lines of a chunk, in order. Bytes that are not UTF-8 become U+FFFD.</summary>
    public IEnumerable<JobLogLine> Read(V1.LogChunk chunk)
    {
        var (fence, stream, time) = (new Fence(chunk.Fence), (JobLogStream)chunk.Stream, chunk.Time?.ToDateTimeOffset() ?? default);
        if (chunk.Gap)
        {
            yield return new JobLogLine(chunk.TaskIndex, fence, stream, chunk.FirstLine, time, Missing(chunk.LineCount)) { MissingLines = chunk.LineCount };
            yield break;
        }

        var data = chunk.Data.Memory;
        for (var number = chunk.FirstLine; !data.IsEmpty; number++)
        {
            var feed = data.Span[..Math.Min(data.Length, MaxLineBytes)].IndexOf((byte)'\n');
            var length = feed >= 0 ? feed : Math.Min(data.Length, MaxLineBytes);
            // Without a line feed it is a piece of a longer line when it is as long as pieces are, else the end of the stream.
            var partial = feed < 0 && length == MaxLineBytes;
            yield return new JobLogLine(chunk.TaskIndex, fence, stream, number, time, Decode(data.Span[..length], (chunk.Fence, chunk.Stream), partial)) { IsPartial = partial };
            data = data[(length + (feed >= 0 ? 1 : 0))..];
        }
    }

    // None: the worker was lost, and nobody knows whether there was more.
    private static string Missing(int lines) => lines == 0 ? "[the worker was lost: there may have been more lines]" : $"[{lines} lines are missing here]";

    private string Decode(ReadOnlySpan<byte> bytes, (ulong Fence, V1.LogStream Stream) source, bool partial)
    {
        if (_cutCharacters.Remove(source, out var begun))
        {
            bytes = (byte[])[.. begun, .. bytes];
        }

        var cut = partial ? CutCharacterLength(bytes) : 0;
        if (cut > 0)
        {
            _cutCharacters[source] = bytes[^cut..].ToArray();
        }

        return Encoding.UTF8.GetString(bytes[..^cut]);
    }

    /// <summary>How many bytes at the end are the beginning of a character that is not all there.</summary>
    private static int CutCharacterLength(ReadOnlySpan<byte> bytes)
    {
        for (var length = 1; length <= Math.Min(3, bytes.Length); length++)
        {
            var first = bytes[^length];
            if ((first & 0b1100_0000) != 0b1000_0000) // not a continuation: a character begins here
            {
                var whole = first switch { >= 0b1111_0000 => 4, >= 0b1110_0000 => 3, >= 0b1100_0000 => 2, _ => 1 };
                return whole > length ? length : 0;
            }
        }

        return 0;
    }
}
