using System.Text;
using Fluster.Cluster;
using Google.Protobuf;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Chunks become the lines that were written.</summary>
public class LogLineReaderTests
{
    [Fact]
    public void Read_Lines_AreNumberedAndWithoutTheirLineFeeds()
    {
        var lines = Read(Chunk("one\n\nthree\r\nrest", firstLine: 7));

        Assert.Equal([(7, "one"), (8, ""), (9, "three\r"), (10, "rest")], lines.Select(line => ((int)line.Number, line.Text)));
        Assert.All(lines, line => Assert.False(line.IsPartial));
    }

    [Fact]
    public void Read_LongLineCutThroughCharacters_IsWholeAgain()
    {
        var text = new string('ü', 50_000) + "€" + string.Concat(Enumerable.Repeat("𝄞", 20_001)); // 2, 3 and 4 bytes each
        var bytes = Encoding.UTF8.GetBytes("x" + text + "\n");
        var reader = new LogLineReader();
        var lines = bytes.Chunk(LogLineReader.MaxLineBytes)
            .SelectMany((piece, index) => reader.Read(new V1.LogChunk { Stream = V1.LogStream.Stdout, FirstLine = index, Data = ByteString.CopyFrom(piece) }))
            .ToList();

        Assert.Equal(3, lines.Count);
        Assert.Equal([true, true, false], lines.Select(line => line.IsPartial));
        Assert.Equal("x" + text, string.Concat(lines.Select(line => line.Text)));
    }

    [Fact]
    public void Read_NotUtf8_IsReplacedAndNothingElseIsLost()
    {
        var reader = new LogLineReader();

        var lines = reader.Read(new V1.LogChunk { Data = ByteString.CopyFrom([(byte)'a', 0xFF, (byte)'b', (byte)'\n', 0xC3, (byte)'\n', (byte)'c']) });

        Assert.Equal(["a\uFFFDb", "\uFFFD", "c"], lines.Select(line => line.Text));
    }

    [Fact]
    public void Read_Gap_SaysHowManyLines()
    {
        var line = Assert.Single(new LogLineReader().Read(new V1.LogChunk { Gap = true, FirstLine = 100, LineCount = 42 }));

        Assert.Equal((100, 42), ((int)line.Number, line.MissingLines));
        Assert.Contains("42", line.Text, StringComparison.Ordinal);
    }

    private static List<JobLogLine> Read(V1.LogChunk chunk) => [.. new LogLineReader().Read(chunk)];

    private static V1.LogChunk Chunk(string text, long firstLine = 0) => new() { Stream = V1.LogStream.Stdout, FirstLine = firstLine, Data = ByteString.CopyFromUtf8(text) };
}
