using System.Collections.Concurrent;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>How the workers of a pool are replaced, by a clock that does not wait; their jobs are real.</summary>
public sealed class PoolSlotTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static PoolSlot? s_slot;
    private static QuickTime? s_time;
    private static TimeSpan s_life;

    [Fact]
    public async Task Worker_ThatNeverComes_IsTriedFiveTimesWithGrowingPauses_AndGivenUp()
    {
        await using var client = new LocalClient();
        var time = new QuickTime();
        var slot = new PoolSlot(client, TestCluster.Bash("exit 3"), "worker-0", time);

        var reason = await slot.RunAsync(CancellationToken.None).WaitAsync(s_patience);

        Assert.Equal([1, 2, 4, 8], time.Pauses.Select(pause => pause.TotalSeconds));
        Assert.Equal(5, await client.ListAsync().CountAsync());
        Assert.Equal("The job local-5 of worker 'worker-0' ended Failed: Exit code: 3", reason.Message);
    }

    [Fact]
    public async Task Worker_ThatWasThere_IsReplacedForEver_AfterAMinuteAtMost() =>
        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60, 60], await PausesAsync(life: TimeSpan.FromSeconds(1), count: 9));

    [Fact]
    public async Task Worker_ThatLivedForLong_IsReplacedAsIfItWereTheFirst() =>
        Assert.Equal([1, 1, 1], await PausesAsync(life: TimeSpan.FromSeconds(61), count: 3));

    private static async Task<IEnumerable<double>> PausesAsync(TimeSpan life, int count)
    {
        await using var client = new LocalClient();
        using var stop = new CancellationTokenSource();
        var time = new QuickTime { Paused = pauses => { if (pauses == count) { stop.Cancel(); } } };
        (s_time, s_life) = (time, life);
        s_slot = new PoolSlot(client, new JobRequest { Name = "worker", Entrypoint = JobEntrypoint.For(BeThere) }, "worker-0", time);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => s_slot.RunAsync(stop.Token).WaitAsync(s_patience));

        return time.Pauses.Take(count).Select(pause => pause.TotalSeconds);
    }

    /// <summary>The worker, which is connected to for a while, as its job in this process.</summary>
    private static void BeThere()
    {
        s_slot!.WasThere();
        s_time!.Advance(s_life);
    }

    /// <summary>Every pause is over at once, and is written down.</summary>
    private sealed class QuickTime : TimeProvider
    {
        private long _now;

        public ConcurrentQueue<TimeSpan> Pauses { get; } = new();

        public Action<int> Paused { get; init; } = static _ => { };

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(TimeSpan time) => Interlocked.Add(ref _now, time.Ticks);

        public override long GetTimestamp() => Interlocked.Read(ref _now);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Pauses.Enqueue(dueTime);
            Paused(Pauses.Count);
            ThreadPool.QueueUserWorkItem(_ => callback(state));
            return new Past();
        }

        private sealed class Past : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
