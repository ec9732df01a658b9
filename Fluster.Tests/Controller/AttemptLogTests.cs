using System.Text;
using Fluster.Cluster.V1;
using Fluster.Controller;
using Google.Protobuf;

namespace Fluster.Tests;

public sealed class AttemptLogTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Path => _directory.File("a.log");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Append_ChunksInOrder_ReadBackAsTheyWere()
    {
        using var log = AttemptLog.Open(Path);

        Assert.True(log.Append(Chunk(0, "one\ntwo\n")));
        Assert.True(log.Append(Chunk(1, "three\n")));

        Assert.Equal(2, log.Count);
        Assert.Equal(3, log.Lines);
        Assert.Equal("three\n", log.Read(1)!.Data.ToStringUtf8());
    }

    [Fact]
    public void Append_RepeatedChunk_IsTakenAndKeptOnce()
    {
        using var log = AttemptLog.Open(Path);
        log.Append(Chunk(0, "one\n"));

        Assert.True(log.Append(Chunk(0, "one\n")));

        Assert.Equal(1, log.Count);
    }

    [Fact]
    public void Append_ChunkAfterAHole_IsRefused()
    {
        using var log = AttemptLog.Open(Path);
        log.Append(Chunk(0, "one\n"));

        Assert.False(log.Append(Chunk(2, "three\n")));

        Assert.Equal(1, log.Count);
    }

    [Fact]
    public void Open_AfterTheLastRecordWasTornAnywhere_KeepsTheWholeOnesAndGoesOn()
    {
        using (var log = AttemptLog.Open(Path))
        {
            log.Append(Chunk(0, "one\n"));
            log.Append(Chunk(1, "two\n"));
            log.Flush();
        }

        var whole = File.ReadAllBytes(Path);
        int first;
        using (var log = AttemptLog.Open(Path))
        {
            first = 8 + log.Read(0)!.CalculateSize();
        }

        for (var length = first; length < whole.Length; length++)
        {
            File.WriteAllBytes(Path, whole[..length]);
            using var log = AttemptLog.Open(Path);

            Assert.Equal(1, log.Count);
            Assert.True(log.Append(Chunk(1, "two again\n")));
            Assert.Equal("two again\n", log.Read(1)!.Data.ToStringUtf8());
        }
    }

    [Fact]
    public void Open_AfterARecordWasChangedOnDisk_KeepsOnlyWhatIsBeforeIt()
    {
        using (var log = AttemptLog.Open(Path))
        {
            log.Append(Chunk(0, "one\n"));
            log.Append(Chunk(1, "two\n"));
        }

        var bytes = File.ReadAllBytes(Path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(Path, bytes);

        using var reopened = AttemptLog.Open(Path);

        Assert.Equal(1, reopened.Count);
    }

    [Theory]
    [InlineData(1, 2, 1)] // the last line is the second of the last chunk
    [InlineData(2, 2, 0)]
    [InlineData(3, 1, 0)]
    [InlineData(5, 0, 1)]
    [InlineData(6, 0, 0)]
    [InlineData(99, 0, 0)]
    public void Tail_SoManyLines_BeginsAtTheRightOne(int lines, long chunk, int skip)
    {
        using var log = AttemptLog.Open(Path);
        log.Append(Chunk(0, "1\n2\n3\n"));
        log.Append(Chunk(1, "4\n"));
        log.Append(Chunk(2, "5\n6\n"));

        Assert.Equal((chunk, skip), log.Tail(lines));
    }

    [Fact]
    public void Append_PastTheLimit_GivesUpTheOldestFiles_AndSaysHowManyLines()
    {
        var limits = new LogLimits { PerAttempt = 1000, PerSegment = 200 };
        using (var log = AttemptLog.Open(Path, limits))
        {
            for (var i = 0; i < 200; i++)
            {
                Assert.True(log.Append(Chunk(i, $"{i}\n")));
            }

            Assert.True(log.Append(Chunk(0, "0\n"))); // a repetition, of what is not here any more
            Check(log);
        }

        Assert.InRange(Directory.EnumerateFiles(_directory.Path).Sum(file => new FileInfo(file).Length), 1, 1200);
        using var reopened = AttemptLog.Open(Path, limits);
        Check(reopened);
        Assert.True(reopened.Append(Chunk(200, "200\n")));

        static void Check(AttemptLog log)
        {
            var first = log.NextKept(0);
            Assert.InRange(first, 100, 199);
            Assert.Equal(first, log.LinesBetween(0, first));
            Assert.Null(log.Read(first - 1));
            Assert.Equal($"{first}\n", log.Read(first)!.Data.ToStringUtf8());
            Assert.Equal((200, 200), (log.Count, log.Lines));
            Assert.Equal((197, 0), log.Tail(3));
            Assert.Equal((first, 0), log.Tail(1000));
        }
    }

    [Fact]
    public void DropThrough_TheLastFile_LeavesTheNumbers()
    {
        using (var log = AttemptLog.Open(Path))
        {
            log.Append(Chunk(0, "one\n"));
            log.Append(Chunk(1, "two\nthree\n"));

            log.DropThrough(0);
        }

        using var reopened = AttemptLog.Open(Path);
        Assert.Equal((2, 3, 2), (reopened.Count, reopened.Lines, reopened.NextKept(0)));
        Assert.Equal(3, reopened.LinesBetween(0, 2));
        Assert.True(reopened.Append(Chunk(2, "four\n")));
        Assert.Equal(2, reopened.NextKept(0));
    }

    internal static LogChunk Chunk(long sequence, string text, ulong fence = 1, int task = 0) => new()
    {
        Fence = fence,
        TaskIndex = task,
        Sequence = sequence,
        Stream = LogStream.Stdout,
        LineCount = text.Count(c => c == '\n'),
        Data = ByteString.CopyFrom(text, Encoding.UTF8),
    };
}
