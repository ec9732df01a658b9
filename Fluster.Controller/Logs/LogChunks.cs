using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>Arithmetic on chunks of a log.</summary>
internal static class LogChunks
{
    /// <summary>The same chunk without its first lines.</summary>
    public static V1.LogChunk WithoutFirstLines(V1.LogChunk chunk, int lines)
    {
        var data = chunk.Data.Span;
        var start = 0;
        for (var i = 0; i < lines && !chunk.Gap; i++)
        {
            var end = data[start..].IndexOf((byte)'\n');
            start += end < 0 || end >= LogLineReader.MaxLineBytes ? Math.Min(LogLineReader.MaxLineBytes, data.Length - start) : end + 1;
        }

        var rest = chunk.Clone();
        rest.FirstLine += lines;
        rest.LineCount -= lines;
        rest.Data = ByteString.CopyFrom(data[start..]);
        return rest;
    }

    /// <summary>Stands for chunks that an attempt wrote and that are not here: they never came, or were given up.</summary>
    public static V1.LogChunk Missing(AttemptLogView attempt, long sequence, long chunks, long lines) => new()
    {
        Fence = attempt.Fence.Value,
        TaskIndex = attempt.TaskIndex,
        Sequence = sequence + chunks - 1,
        Stream = V1.LogStream.Stdout,
        LineCount = (int)Math.Clamp(lines, 0, int.MaxValue),
        Gap = true,
    };

    /// <summary>Says that an attempt may have written more than what arrived, and that nobody knows how much.</summary>
    public static V1.LogChunk UnknownTail(AttemptLogView attempt, long sequence) => new()
    {
        Fence = attempt.Fence.Value,
        TaskIndex = attempt.TaskIndex,
        Sequence = sequence,
        Stream = V1.LogStream.Stdout,
        Gap = true,
    };
}
