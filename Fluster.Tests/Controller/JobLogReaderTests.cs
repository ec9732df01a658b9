using Fluster.Cluster;
using Fluster.Cluster.V1;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A reader gets every chunk of every attempt once and in order, and a follower ends when it has all of them.</summary>
public sealed class JobLogReaderTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private readonly TemporaryDirectory _directory = new();
    private readonly LogStore _store;
    private readonly Pulse _changed = new();
    private JobLogView _job = new(Ended: false, []);

    public JobLogReaderTests() => _store = new LogStore(_directory.Path);

    public void Dispose()
    {
        _store.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Read_NotFollowing_GivesWhatIsThereAndEnds()
    {
        Write(1, "a\n", "b\n");
        _job = new(Ended: false, [new(0, new(1), null)]);

        Assert.Equal("a\nb\n", await TextAsync(follow: false));
    }

    [Fact]
    public async Task Read_FromACursor_GoesOnExactlyAfterIt()
    {
        Write(1, "a\n", "b\n");
        Ended(1, chunks: 2);
        var cursor = new LogCursor();
        Assert.Equal("a\nb\n", await TextAsync(follow: false, cursor));
        Write(1, from: 2, "c\n");

        Assert.True(LogCursor.TryParse(cursor.ToString(), out var resumed));

        Assert.Equal("c\n", await TextAsync(follow: false, resumed));
    }

    [Fact]
    public async Task Read_Following_GivesLinesAsTheyComeAndEndsWithTheLastChunk()
    {
        _job = new(Ended: false, [new(0, new(1), null)]);
        using var reader = new JobLogReader(_store, () => _job, _changed, TimeProvider.System);
        var chunks = reader.ReadAsync(new LogCursor(), follow: true, tailLines: 0, default).GetAsyncEnumerator();

        // The first line comes without any other change of the job.
        var first = chunks.MoveNextAsync();
        Write(1, "a\n");
        Assert.True(await first.AsTask().WaitAsync(s_limit));
        Assert.Equal("a\n", Text(chunks.Current));

        // Ended, but the worker still owes a chunk: the follower waits for it.
        var second = chunks.MoveNextAsync();
        Ended(1, chunks: 2);
        _changed.Fire();
        Assert.False(second.IsCompleted);
        Write(1, from: 1, "b\n");
        Assert.True(await second.AsTask().WaitAsync(s_limit));
        Assert.Equal("b\n", Text(chunks.Current));

        Assert.False(await chunks.MoveNextAsync().AsTask().WaitAsync(s_limit));
    }

    [Fact]
    public async Task Read_ChunksThatNeverCome_AreDeclaredMissing()
    {
        Write(1, "a\n");
        _job = new(Ended: true, [new(0, new(1), new(Chunks: 3, StdoutLines: 8, 0, 0, UnknownTail: false))]);
        using var reader = new JobLogReader(_store, () => _job, _changed, TimeProvider.System, patience: TimeSpan.FromMilliseconds(20));

        var chunks = new List<LogChunk>();
        await foreach (var batch in reader.ReadAsync(new LogCursor(), follow: true, tailLines: 0, new CancellationTokenSource(s_limit).Token))
        {
            chunks.AddRange(batch);
        }

        Assert.Equal(["a\n", ""], chunks.Select(chunk => chunk.Data.ToStringUtf8()));
        Assert.True(chunks[1].Gap);
        Assert.Equal(7, chunks[1].LineCount);
    }

    [Fact]
    public async Task Read_WhatWasGivenUp_IsAGapWithItsLines_AndTheRestFollows()
    {
        Write(1, "a\n", "b\nc\n");
        _job = new(Ended: false, [new(0, new(1), null)]);
        var cursor = new LogCursor();
        Assert.Equal("a\nb\nc\n", await TextAsync(follow: false, cursor));

        _store.Sweep(TimeProvider.System.GetUtcNow() + TimeSpan.FromDays(15));
        Write(1, from: 2, "d\n");
        var fromTheBeginning = await ChunksAsync(new LogCursor());
        var resumed = await ChunksAsync(cursor);

        Assert.Equal([(true, 3, ""), (false, 1, "d\n")], fromTheBeginning.Select(chunk => (chunk.Gap, chunk.LineCount, chunk.Data.ToStringUtf8())));
        Assert.Equal([(false, 1, "d\n")], resumed.Select(chunk => (chunk.Gap, chunk.LineCount, chunk.Data.ToStringUtf8())));
    }

    [Fact]
    public void Sweep_GivesUpTheOldestFirst_DownToTheLimit()
    {
        using var store = new LogStore(_directory.File("small"), new LogLimits { Total = 150 });
        for (var fence = 1UL; fence <= 5; fence++)
        {
            using var lease = store.Open(new Fence(fence));
            lease.Log.Append(AttemptLogTests.Chunk(0, new string('x', 30) + "\n", fence));
            lease.Log.Flush();
        }

        foreach (var file in new DirectoryInfo(_directory.File("small")).EnumerateFiles("*.log", SearchOption.AllDirectories))
        {
            file.LastWriteTimeUtc = DateTime.UnixEpoch.AddDays(20_000 + int.Parse(file.Name[..16])); // by fence, and long ago
        }

        store.Sweep(DateTimeOffset.UnixEpoch.AddDays(20_006));

        var kept = new List<ulong>();
        for (var fence = 1UL; fence <= 5; fence++)
        {
            using var lease = store.OpenIfExists(new Fence(fence));
            Assert.Equal(1, lease!.Log.Count);
            if (lease.Log.NextKept(0) == 0)
            {
                kept.Add(fence);
            }
        }

        Assert.Equal([4UL, 5UL], kept);
    }

    [Fact]
    public async Task Read_TwoAttemptsOfATask_GivesOneAfterTheOther()
    {
        Write(1, "first\n");
        Write(2, "second\n");
        _job = new(Ended: true, [new(0, new(1), new(1, 1, 0, 0, false)), new(0, new(2), new(1, 1, 0, 0, false))]);

        Assert.Equal("first\nsecond\n", await TextAsync(follow: true));
    }

    [Fact]
    public async Task Read_AttemptThatWroteNothing_IsPassedOver()
    {
        Write(2, "second\n");
        _job = new(Ended: true, [new(0, new(1), LogTotalsRecord.Unknown), new(0, new(2), new(1, 1, 0, 0, false))]);

        Assert.Equal("second\n", await TextAsync(follow: true));
    }

    [Fact]
    public async Task Read_Tail_BeginsSoManyLinesBeforeTheEnd()
    {
        Write(1, "1\n2\n3\n", "4\n5\n");
        _job = new(Ended: true, [new(0, new(1), new(2, 5, 0, 0, false))]);

        Assert.Equal("3\n4\n5\n", await TextAsync(follow: true, tail: 3));
    }

    [Fact]
    public async Task Read_Cancelled_Throws()
    {
        _job = new(Ended: false, [new(0, new(1), null)]);
        using var reader = new JobLogReader(_store, () => _job, _changed, TimeProvider.System);
        using var cancel = new CancellationTokenSource();
        var next = reader.ReadAsync(new LogCursor(), follow: true, tailLines: 0, cancel.Token).GetAsyncEnumerator().MoveNextAsync();

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.AsTask().WaitAsync(s_limit));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("1:2")]
    [InlineData("-1:2:3")]
    [InlineData("1:2:-3")]
    public void TryParse_NotACursor_IsFalse(string text) => Assert.False(LogCursor.TryParse(text, out _));

    [Fact]
    public async Task Receive_ThenAcknowledge_NamesTheLastChunkOfEachLog()
    {
        using var receiver = new LogReceiver(_store);
        Assert.True(receiver.Receive(AttemptLogTests.Chunk(0, "a\n", fence: 1)));
        Assert.True(receiver.Receive(AttemptLogTests.Chunk(1, "b\n", fence: 1)));
        Assert.True(receiver.Receive(AttemptLogTests.Chunk(0, "c\n", fence: 2)));
        Assert.False(receiver.Receive(AttemptLogTests.Chunk(2, "hole\n", fence: 2)));
        receiver.End();

        var acknowledged = new List<(Fence, long)>();
        await foreach (var item in receiver.AcknowledgeAsync(default))
        {
            acknowledged.Add(item);
        }

        Assert.Equal([(new Fence(1), 1L), (new Fence(2), 0L)], acknowledged);
    }

    private static string Text(IEnumerable<LogChunk> chunks) => string.Concat(chunks.Select(chunk => chunk.Data.ToStringUtf8()));

    private void Ended(ulong fence, long chunks) => _job = new(Ended: true, [new(0, new(fence), new(chunks, chunks, 0, 0, false))]);

    private void Write(ulong fence, params string[] chunks) => Write(fence, 0, chunks);

    private void Write(ulong fence, int from, params string[] chunks)
    {
        using var lease = _store.Open(new Fence(fence));
        foreach (var (text, index) in chunks.Select((text, index) => (text, index)))
        {
            Assert.True(lease.Log.Append(AttemptLogTests.Chunk(from + index, text, fence)));
        }
    }

    private async Task<List<LogChunk>> ChunksAsync(LogCursor cursor)
    {
        using var reader = new JobLogReader(_store, () => _job, _changed, TimeProvider.System);
        using var limit = new CancellationTokenSource(s_limit);
        var chunks = new List<LogChunk>();
        await foreach (var batch in reader.ReadAsync(cursor, follow: false, tailLines: 0, limit.Token))
        {
            chunks.AddRange(batch);
        }

        return chunks;
    }

    private async Task<string> TextAsync(bool follow, LogCursor? cursor = null, int tail = 0)
    {
        using var reader = new JobLogReader(_store, () => _job, _changed, TimeProvider.System);
        using var limit = new CancellationTokenSource(s_limit);
        var text = "";
        await foreach (var batch in reader.ReadAsync(cursor ?? new LogCursor(), follow, tail, limit.Token))
        {
            text += Text(batch);
        }

        return text;
    }
}
