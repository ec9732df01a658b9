using System.Text;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A log on the worker's disk: numbered, kept until acknowledged, found again by the next run.</summary>
public sealed class LogSpoolTests : IDisposable
{
    private static readonly LogOwner s_owner = new(new Fence(7), "job-1a2b3c4d", 3);
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Append_Chunks_AreNumberedOverAllStreams()
    {
        using var spool = Open();
        Append(spool, "a\nb\n", V1.LogStream.Stdout, 0);
        Append(spool, "x\n", V1.LogStream.Stderr, 0);
        Append(spool, "c\n", V1.LogStream.Stdout, 2);

        Assert.Equal(["0 Stdout 0+2", "1 Stderr 0+1", "2 Stdout 2+1"], All(spool).Select(Describe));
        Assert.All(All(spool), chunk => Assert.Equal((7UL, "job-1a2b3c4d", 3), (chunk.Fence, chunk.JobId, chunk.TaskIndex)));
        Assert.Equal((3, 3, 1, 0), (spool.Totals.Chunks, spool.Totals.StdoutLines, spool.Totals.StderrLines, spool.Totals.BuildLines));
        Assert.Null(spool.Read(3));
    }

    [Fact]
    public void Open_AfterACrash_HasEverythingThatWasNotAcknowledged()
    {
        var big = new string('x', 40_000) + "\n";
        using (var spool = Open())
        {
            for (var i = 0; i < 250; i++) // three files of 4 MiB
            {
                Append(spool, big, V1.LogStream.Stdout, i);
            }

            Append(spool, "the only one\n", V1.LogStream.Build, 0);
            spool.Acknowledge(119);
            Assert.Null(spool.Read(119));
            Assert.NotNull(spool.Read(120));
        }

        using var again = Open();
        Assert.InRange(again.FirstUnacknowledged, 1, 120); // whole files are deleted; the controller drops what it has twice
        Assert.Equal((251, 250, 1), (again.Totals.Chunks, again.Totals.StdoutLines, again.Totals.BuildLines));
        Assert.Equal(Enumerable.Range((int)again.FirstUnacknowledged, 251 - (int)again.FirstUnacknowledged), All(again).Select(chunk => (int)chunk.Sequence));
        Append(again, "next\n", V1.LogStream.Stdout, 250);
        Assert.Equal(251, All(again)[^1].Sequence);
    }

    [Fact]
    public void Open_EverythingAcknowledged_KnowsTheTotalsStill()
    {
        using (var spool = Open())
        {
            Append(spool, "e\n", V1.LogStream.Stderr, 0);
            for (var i = 0; i < 250; i++)
            {
                Append(spool, new string('x', 40_000) + "\n", V1.LogStream.Stdout, i);
            }

            spool.Acknowledge(250);
            Assert.Equal(251, spool.FirstUnacknowledged);
            Assert.Single(Directory.GetFiles(_directory.Path));
        }

        using var again = Open();
        Assert.Equal((251, 250, 1), (again.Totals.Chunks, again.Totals.StdoutLines, again.Totals.StderrLines));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(30)]
    public void Open_LastWriteWasCutOff_LosesOnlyThat(int missing)
    {
        using (var spool = Open())
        {
            Append(spool, "first\n", V1.LogStream.Stdout, 0);
            Append(spool, "second, which is cut off\n", V1.LogStream.Stdout, 1);
        }

        var file = Directory.GetFiles(_directory.Path).Single();
        using (var stream = File.OpenWrite(file))
        {
            stream.SetLength(stream.Length - missing);
        }

        using var again = Open();
        Assert.Equal("first\n", All(again).Single().Data.ToStringUtf8());
        Append(again, "third\n", V1.LogStream.Stdout, 1);
        Assert.Equal(["0 Stdout 0+1", "1 Stdout 1+1"], All(again).Select(Describe));
    }

    [Fact]
    public void Append_PastTheLimit_OldestBecomeGapsThatSayWhatIsMissing()
    {
        using (var spool = LogSpool.Open(_directory.Path, s_owner, limit: 6 << 20))
        {
            for (var i = 0; i < 300; i++)
            {
                Append(spool, new string('x', 40_000) + "\n", V1.LogStream.Stdout, i);
            }

            Check(spool);
        }

        using var again = Open();
        Check(again);

        static void Check(LogSpool spool)
        {
            var chunks = All(spool);
            Assert.Equal(Enumerable.Range(0, 300), chunks.Select(chunk => (int)chunk.Sequence));
            Assert.Equal(Enumerable.Range(0, 300), chunks.Select(chunk => (int)chunk.FirstLine));
            var gaps = chunks.TakeWhile(chunk => chunk.Gap).Count();
            Assert.InRange(gaps, 100, 250);
            Assert.All(chunks.Take(gaps), chunk => Assert.True(chunk is { LineCount: 1, Data.IsEmpty: true, Fence: 7 }));
            Assert.All(chunks.Skip(gaps), chunk => Assert.Equal((false, 40_001), (chunk.Gap, chunk.Data.Length)));
        }
    }

    [Fact]
    public void Append_DiskRefuses_BecomesAGap()
    {
        using var spool = Open();
        Append(spool, "kept\n", V1.LogStream.Stdout, 0);
        spool.Acknowledge(0);
        foreach (var file in Directory.GetFiles(_directory.Path))
        {
            File.Delete(file);
        }

        // The directory's place is taken by a file, so that no new segment can be made in it.
        Directory.Delete(_directory.Path);
        File.WriteAllText(_directory.Path, "");
        try
        {
            for (var i = 1; i <= 120; i++)
            {
                Append(spool, new string('x', 40_000) + "\n", V1.LogStream.Stdout, i);
            }
        }
        finally
        {
            File.Delete(_directory.Path);
            Directory.CreateDirectory(_directory.Path);
        }

        var chunks = All(spool);
        Assert.Equal(120, chunks.Count);
        Assert.True(chunks[^1].Gap);
        Assert.Equal(121, spool.Totals.StdoutLines);
    }

    private LogSpool Open() => LogSpool.Open(_directory.Path, s_owner);

    private static void Append(LogSpool spool, string text, V1.LogStream stream, long firstLine) =>
        spool.Append(stream, firstLine, text.Count(c => c == '\n'), DateTimeOffset.UnixEpoch, Encoding.UTF8.GetBytes(text));

    private static List<V1.LogChunk> All(LogSpool spool)
    {
        var chunks = new List<V1.LogChunk>();
        for (var sequence = spool.FirstUnacknowledged; spool.Read(sequence) is { } chunk; sequence++)
        {
            chunks.Add(chunk);
        }

        return chunks;
    }

    private static string Describe(V1.LogChunk chunk) => $"{chunk.Sequence} {chunk.Stream} {chunk.FirstLine}+{chunk.LineCount}";
}
