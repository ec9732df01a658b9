using Fluster.Controller;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Spans are kept for each job, so many and so long, over restarts.</summary>
public sealed class SpanStoreTests : IDisposable
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private const string Foreign = "1bf7651916cd43dd8448eb211c80319c";

    private readonly TemporaryDirectory _directory = new();
    private readonly ShiftedTime _time = new();
    private SpanStore? _store;

    private SpanStore Store => _store ??= new SpanStore(_directory.Path, _time, NullLogger<SpanStore>.Instance);

    public void Dispose()
    {
        _store?.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Read_AfterARestart_HasTheSpansByTheirStart()
    {
        Store.Add(Stored(1, Span(2, seconds: 20)));
        Store.Add(Stored(2, Span(1, seconds: 10)));
        Store.Add(Stored(3, Span(1, seconds: 30)));
        Store.Add(Stored(1, Span(9, seconds: 5, trace: Foreign)));
        Reopen();

        var seen = Store.Read(Trace, job => job != 3);

        Assert.Equal([(2L, Id(1)), (1L, Id(2))], seen.Select(span => (span.JobUid, span.Span.SpanId)));
        Assert.Equal("name 2", seen[1].Span.Name);
        await Store.FlushAsync(default);
    }

    [Fact]
    public async Task Add_MoreOfTheSameSpan_KeepsWhatSaysMost()
    {
        Store.Add(Stored(1, Span(1, name: "begun"), SpanRank.Open));
        Store.Add(Stored(1, Span(1, name: "told"), SpanRank.Ended));
        Store.Add(Stored(1, Span(1, name: "presumed"), SpanRank.Presumed));
        Store.Add(Stored(1, Span(1, name: "begun again"), SpanRank.Open));
        Store.Add(Stored(2, Span(1, name: "somebody else's"), SpanRank.Ended));
        await Store.FlushAsync(default);

        Assert.Equal(["somebody else's", "told"], Store.Read(Trace, _ => true).Select(span => span.Span.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Add_MoreThanAJobMayHave_GivesUpThoseOfOtherTracesFirst()
    {
        const int Others = 100;
        for (var number = 1; number <= Others; number++)
        {
            Store.Add(Stored(1, Span(number, trace: Foreign), isOwn: false));
        }

        for (var number = 1; number <= SpanStore.MostPerJob + 5; number++)
        {
            Store.Add(Stored(1, Span(number), SpanRank.Open));
        }

        Store.Add(Stored(1, Span(7, name: "ended"), SpanRank.Ended)); // there is no room, but it is there already
        Store.Add(Stored(2, Span(1, trace: Foreign)));
        await Store.FlushAsync(default);

        Assert.Equal(SpanStore.MostPerJob, Store.Read(Trace, _ => true).Count);
        Assert.Equal(5, Store.DroppedOf(1));
        Assert.Equal(2, Assert.Single(Store.Read(Foreign, _ => true)).JobUid);
        Assert.Contains(Store.Read(Trace, _ => true), span => span.Span.Name == "ended");
    }

    [Fact]
    public async Task Sweep_AfterAWeek_GivesUpWhatIsOlder()
    {
        Store.Add(Stored(1, Span(1)));
        await Store.FlushAsync(default);
        _time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromHours(1));
        Store.Add(Stored(1, Span(2)));
        Store.Sweep();
        await Store.FlushAsync(default);
        Assert.Equal(2, Store.Read(Trace, _ => true).Count);

        _time.Advance(TimeSpan.FromHours(2));
        Store.Sweep();
        await Store.FlushAsync(default);

        Assert.Equal(Id(2), Assert.Single(Store.Read(Trace, _ => true)).Span.SpanId);
    }

    [Fact]
    public async Task Sweep_TooManyBytes_GivesUpTheOldest()
    {
        _store = new SpanStore(_directory.Path, _time, NullLogger<SpanStore>.Instance, mostBytes: 2 << 20);
        for (var number = 1; number <= 4_000; number++)
        {
            if (number == 3_001)
            {
                await Store.FlushAsync(default);
                _time.Advance(TimeSpan.FromSeconds(1));
            }

            Store.Add(Stored(number, Span(number, name: new string('x', 1_000))));
        }

        Store.Sweep();
        await Store.FlushAsync(default);

        var left = Store.Read(Trace, _ => true);
        Assert.InRange(left.Count, 1, 1_000);
        Assert.All(left, span => Assert.InRange(span.JobUid, 3_001, 4_000));
    }

    [Fact]
    public async Task Forget_OfAJob_LeavesTheOthers()
    {
        Store.Add(Stored(1, Span(1)));
        Store.Add(Stored(2, Span(2)));
        Store.Forget(1);
        await Store.FlushAsync(default);

        Assert.Equal(2, Assert.Single(Store.Read(Trace, _ => true)).JobUid);
    }

    [Fact]
    public void Open_OfADamagedFile_BeginsAnew()
    {
        File.WriteAllText(_directory.File("spans.db"), new string('?', 10_000));
        Store.Add(Stored(1, Span(1)));
        Reopen();

        Assert.Single(Store.Read(Trace, _ => true));
    }

    private void Reopen()
    {
        _store?.Dispose();
        _store = null;
    }

    private static StoredSpan Stored(long job, V1.Span span, SpanRank rank = SpanRank.Ended, bool isOwn = true) => new(job, isOwn, rank, span);

    private static V1.Span Span(int number, int seconds = 0, string? name = null, string trace = Trace) => new()
    {
        TraceId = trace,
        SpanId = Id(number),
        Name = name ?? $"name {number}",
        Start = new Timestamp { Seconds = 1_000 + seconds },
        End = new Timestamp { Seconds = 2_000 },
    };

    private static string Id(int number) => $"{number:x16}";
}
