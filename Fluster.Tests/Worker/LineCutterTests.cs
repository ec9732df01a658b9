using System.Text;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Where lines are cut, and that a reader counts them the same way.</summary>
public class LineCutterTests
{
    private readonly List<(long First, int Count, byte[] Data)> _pieces = [];
    private readonly LineCutter _cutter;

    public LineCutterTests() => _cutter = new LineCutter((first, count, data) => _pieces.Add((first, count, data.ToArray())));

    [Fact]
    public void Append_HalfALine_WaitsForItsEnd()
    {
        _cutter.Append("hel"u8);
        _cutter.Flush();
        Assert.Empty(_pieces);
        Assert.False(_cutter.HasLines);

        _cutter.Append("lo\nwor"u8);
        _cutter.Flush();
        _cutter.Append("ld"u8);
        _cutter.End();

        Assert.Equal(["0 1 hello\n", "1 1 world"], Texts());
    }

    [Fact]
    public void Flush_ManyLines_AreOnePiece()
    {
        _cutter.Append("a\n\nb\nc"u8);
        _cutter.Flush();
        _cutter.End();
        _cutter.End();

        Assert.Equal(["0 3 a\n\nb\n", "3 1 c"], Texts());
        Assert.Equal(4, _cutter.NextLine);
    }

    [Theory]
    [InlineData(LogLineReader.MaxLineBytes - 1, new[] { 1 })] // with its line feed it just fits
    [InlineData(LogLineReader.MaxLineBytes, new[] { 1, 1 })] // the line feed alone is the second
    [InlineData(LogLineReader.MaxLineBytes + 1, new[] { 1, 1 })]
    [InlineData(3 * LogLineReader.MaxLineBytes, new[] { 1, 1, 1, 1 })]
    public void Append_LongLine_IsCutIntoPieces(int length, int[] lines)
    {
        _cutter.Append(Encoding.ASCII.GetBytes(new string('x', length) + "\n"));
        _cutter.End();

        Assert.Equal(lines, _pieces.Select(piece => piece.Count));
        Assert.Equal(length + 1, _pieces.Sum(piece => piece.Data.Length));
        Assert.All(_pieces, piece => Assert.InRange(piece.Data.Length, 1, LogLineReader.MaxLineBytes));
    }

    [Fact]
    public void Append_AnythingInAnyPortions_IsReadBackAsItWasWritten()
    {
        var random = new Random(4711);
        for (var round = 0; round < 200; round++)
        {
            _pieces.Clear();
            var cutter = new LineCutter((first, count, data) => _pieces.Add((first, count, data.ToArray())));
            var written = new byte[random.Next(300_000)];
            random.NextBytes(written);
            var feedEvery = random.Next(3) switch { 0 => 2, 1 => 80, _ => 100_000 };
            for (var i = 0; i < written.Length; i++)
            {
                written[i] = random.Next(feedEvery) == 0 ? (byte)'\n' : (byte)('a' + written[i] % 26);
            }

            for (var start = 0; start < written.Length;)
            {
                var portion = Math.Min(random.Next(1, 70_000), written.Length - start);
                cutter.Append(written.AsSpan(start, portion));
                start += portion;
                if (random.Next(3) == 0)
                {
                    cutter.Flush();
                }
            }

            cutter.End();

            Assert.Equal(written, _pieces.SelectMany(piece => piece.Data));
            var next = 0L;
            var reader = new LogLineReader();
            foreach (var (first, count, data) in _pieces)
            {
                Assert.Equal(next, first);
                var lines = reader.Read(new V1.LogChunk { FirstLine = first, LineCount = count, Data = Google.Protobuf.ByteString.CopyFrom(data), Stream = V1.LogStream.Stdout }).ToList();
                Assert.Equal(count, lines.Count);
                Assert.Equal(Enumerable.Range(0, count).Select(i => first + i), lines.Select(line => line.Number));
                next += count;
            }

            Assert.Equal(next, cutter.NextLine);
        }
    }

    private IEnumerable<string> Texts() => _pieces.Select(piece => $"{piece.First} {piece.Count} {Encoding.ASCII.GetString(piece.Data)}");
}
