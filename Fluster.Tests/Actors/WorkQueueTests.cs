using Fluster.Actors;

namespace Fluster.Tests;

/// <summary>What a worker pool decides about delivery, without workers.</summary>
public sealed class WorkQueueTests
{
    private readonly WorkQueue _queue = new(prefetch: 8, atMostOnce: false);

    [Fact]
    public void Assign_GivesEachIdleWorkerOneItem_TheRestWaits()
    {
        var (first, second) = (Worker(_queue), Worker(_queue));
        Enqueue(_queue, 3);

        _queue.Assign(0);

        Assert.Equal((1, 1, 1), (first.Count, second.Count, _queue.Waiting));
        Assert.Empty(_queue.Assign(0));
    }

    [Fact]
    public void Assign_AfterAResult_GivesTheNextInOrder()
    {
        var worker = Worker(_queue);
        var items = Enqueue(_queue, 2);
        _queue.Assign(0);
        var (number, item) = _queue.Send(worker)!.Value;

        Assert.Same(items[0], item);
        Assert.Same(item, WorkQueue.TakeResult(worker, number, 0));
        Assert.Same(worker, Assert.Single(_queue.Assign(0)));
        Assert.Same(items[1], _queue.Send(worker)!.Value.Item);
        Assert.Null(_queue.Send(worker));
    }

    [Fact]
    public void Learn_QuickItems_WidensTheWindowByDoublingAndASlowOneNarrowsItAtOnce()
    {
        var worker = Worker(_queue);
        var windows = new List<int>();
        foreach (var milliseconds in (double[])[0.01, 0.01, 0.01, 0.01, 50, 50, .. Enumerable.Repeat(2.0, 20)])
        {
            _queue.Learn(worker, 1, TimeSpan.FromMilliseconds(milliseconds));
            windows.Add(worker.Window);
        }

        Assert.Equal([2, 4, 8, 8, 1, 1], windows.Take(6));
        Assert.Equal(4, windows[^1]); // about as many as run in 10 ms
    }

    [Fact]
    public void Assign_WithinTheWindow_GoesToWhoHasLeast()
    {
        var (first, second) = (Worker(_queue, window: 4), Worker(_queue, window: 2));
        Enqueue(_queue, 10);

        _queue.Assign(0);

        Assert.Equal((4, 2, 4), (first.Count, second.Count, _queue.Waiting));
    }

    [Fact]
    public void Lose_WhatItHadRunsAgainAlone_OnlyTheFirstWasSurelyRunning()
    {
        var worker = Worker(_queue, window: 3);
        var items = Enqueue(_queue, 3);
        Send(_queue, worker);

        Assert.Empty(_queue.Lose(worker, "worker-0", cause: null));

        Assert.Equal([1, 0, 0], items.Select(item => item.Deaths));
        var next = Worker(_queue, window: 8);
        Enqueue(_queue, 1);
        foreach (var item in items)
        {
            _queue.Assign(0);
            var (number, sent) = _queue.Send(next)!.Value;
            Assert.Same(item, sent);
            Assert.Null(_queue.Send(next)); // nothing beside it
            WorkQueue.TakeResult(next, number, 0);
        }

        _queue.Assign(0);
        Assert.NotNull(_queue.Send(next));
    }

    [Fact]
    public void Lose_ThreeTimesWhileItRuns_FailsAndSaysSo()
    {
        var item = Enqueue(_queue, 1)[0];
        for (var death = 1; death <= 3; death++)
        {
            var worker = Worker(_queue);
            _queue.Assign(0);
            Send(_queue, worker);

            var ended = _queue.Lose(worker, $"worker-{death}", new IOException("It broke."));

            if (death < 3)
            {
                Assert.Empty(ended);
                continue;
            }

            var (failed, reason) = Assert.Single(ended);
            Assert.Same(item, failed);
            Assert.Equal("item 0 was running on 3 workers when they died, the last one worker-3: it is not tried again. It broke.", Assert.IsType<WorkerPoolException>(reason).Message);
        }

        Assert.Equal(0, _queue.Waiting);
    }

    [Fact]
    public void Lose_WhatWasNotSent_GoesElsewhereAndIsNotToBlame()
    {
        var worker = Worker(_queue, window: 2);
        var items = Enqueue(_queue, 2);
        _queue.Assign(0);
        _queue.Send(worker);

        _queue.Lose(worker, "worker-0", cause: null);

        Assert.Equal((true, 1), (items[0].IsSuspect, items[0].Deaths));
        Assert.Equal((false, 0), (items[1].IsSuspect, items[1].Deaths));
        Assert.Equal(2, _queue.Waiting);
    }

    [Fact]
    public void Lose_AtMostOnce_EndsWhatMayHaveBegunWithOutcomeUnknown()
    {
        var queue = new WorkQueue(prefetch: 8, atMostOnce: true);
        var worker = Worker(queue, window: 2);
        var items = Enqueue(queue, 2);
        queue.Assign(0);
        queue.Send(worker);

        var (ended, reason) = Assert.Single(queue.Lose(worker, "worker-0", cause: null));

        Assert.Same(items[0], ended);
        Assert.Equal("item 0 was given to worker-0, which was lost: whether it ran is not known.", Assert.IsType<OutcomeUnknownException>(reason).Message);
        Assert.Equal(1, queue.Waiting); // the other was never sent
        queue.Learn(Worker(queue), 100, TimeSpan.FromMilliseconds(1));
        Assert.All(Enumerable.Range(0, 3), _ => Assert.Equal(1, Learned(queue)));

        static int Learned(WorkQueue queue)
        {
            var worker = Worker(queue);
            queue.Learn(worker, 1000, TimeSpan.FromMilliseconds(1));
            return worker.Window;
        }
    }

    [Fact]
    public void Result_OfAWorkerThatWasLost_IsNoResult()
    {
        var worker = Worker(_queue);
        Enqueue(_queue, 1);
        _queue.Assign(0);
        var (number, _) = _queue.Send(worker)!.Value;
        _queue.Lose(worker, "worker-0", cause: null);

        Assert.Null(WorkQueue.TakeResult(worker, number, 0));
    }

    [Fact]
    public void Assign_ASuspectAndAllAreBusy_KeepsOneWorkerFreeForIt()
    {
        var lost = Worker(_queue);
        var suspect = Enqueue(_queue, 1)[0];
        Send(_queue, lost);
        var (first, second) = (Worker(_queue, window: 2), Worker(_queue, window: 2));
        Enqueue(_queue, 8);
        var sent = Send(_queue, first).Concat(Send(_queue, second)).ToList();
        _queue.Lose(lost, "worker-0", cause: null);

        foreach (var (number, _) in sent.Take(2))
        {
            WorkQueue.TakeResult(first, number, 0);
            _queue.Assign(0);
        }

        Assert.Same(suspect, _queue.Send(first)!.Value.Item);
        Assert.Null(_queue.Send(first));
        foreach (var (number, _) in sent.Skip(2))
        {
            WorkQueue.TakeResult(second, number, 0);
        }

        _queue.Assign(0);
        Assert.Equal(2, second.Count); // the other goes on with what waits
    }

    [Fact]
    public void Stalled_WhatWaitsBehindASlowItem_GoesElsewhereInItsOrder()
    {
        var slow = Worker(_queue, window: 4);
        var items = Enqueue(_queue, 4);
        _queue.Assign(now: 10);
        var (_, _) = _queue.Send(slow)!.Value;
        var (second, _) = _queue.Send(slow)!.Value;

        Assert.Empty(_queue.Stalled(since: 10)); // it has just begun
        Assert.Same(slow, Assert.Single(_queue.Stalled(since: 11)));
        Assert.Equal((2, 2, 1), (slow.Count, _queue.Waiting, slow.Window));
        _queue.TakeBack(slow, [second]);

        var other = Worker(_queue, window: 4);
        _queue.Assign(now: 12);
        Assert.Equal([items[1], items[2], items[3]], Send(_queue, other).Select(sent => sent.Item));
        Assert.All(items, item => Assert.Equal((0, false), (item.Deaths, item.IsSuspect)));
        Assert.Empty(_queue.Stalled(since: 12)); // one item is what the slow one is to have
    }

    [Fact]
    public void Retire_GetsNothingMore()
    {
        var worker = Worker(_queue, window: 4);
        Enqueue(_queue, 2);
        _queue.Assign(0);

        _queue.Retire(worker);
        _queue.Assign(0);

        Assert.Equal((0, 2), (worker.Count, _queue.Waiting));
    }

    [Fact]
    public void Assign_AnItemThatWasGivenUp_IsLeftOut()
    {
        var worker = Worker(_queue, window: 4);
        var items = Enqueue(_queue, 3);
        items[0].Cancel(CancellationToken.None);
        items[1].Cancel(CancellationToken.None);

        _queue.Assign(0);

        Assert.Same(items[2], _queue.Send(worker)!.Value.Item);
        Assert.Null(_queue.Send(worker));
    }

    /// <summary>Whatever happens, each item ends once, and is never at two living workers at a time.</summary>
    [Fact]
    public void Items_UnderRandomDeathsAndStalls_EndOnceAndAreAtOneWorkerOnly()
    {
        for (var run = 0; run < TestScale.Of(200, 5000); run++)
        {
            var random = new Random(TestScale.Seed + run);
            var queue = new WorkQueue(prefetch: 4, atMostOnce: run % 2 == 0);
            var items = Enqueue(queue, 60);
            var ends = new Dictionary<WorkItem, int>();
            var workers = Enumerable.Range(0, 3).Select(_ => Worker(queue, window: 4)).ToList();
            for (var step = 0; step < 100_000 && ends.Count < items.Count; step++)
            {
                queue.Assign(step);
                var at = random.Next(workers.Count);
                var worker = workers[at];
                switch (random.Next(20))
                {
                    case 0:
                        foreach (var (item, _) in queue.Lose(worker, "worker", cause: null))
                        {
                            End(item);
                        }

                        workers[at] = Worker(queue, window: random.Next(1, 5));
                        break;

                    case 1:
                        foreach (var stalled in queue.Stalled(since: step))
                        {
                            queue.TakeBack(stalled, [.. stalled.Sent.Keys.Order().Skip(1)]);
                        }

                        break;

                    case < 12:
                        queue.Send(worker);
                        break;

                    default:
                        if (worker.Sent.Count > 0)
                        {
                            End(WorkQueue.TakeResult(worker, worker.Sent.Keys.Min(), step)!);
                            queue.Learn(worker, 1, TimeSpan.FromMilliseconds(random.Next(20)));
                        }

                        break;
                }

                var held = workers.SelectMany(one => one.Sent.Values.Concat(one.Outbox)).ToList();
                Assert.Equal(held.Count, held.Distinct().Count());
                Assert.DoesNotContain(held, ends.ContainsKey);
                Assert.All(workers.Where(one => one.IsAlone), one => Assert.Equal(1, one.Count));
            }

            Assert.True(items.All(item => ends.GetValueOrDefault(item) == 1), $"seed {TestScale.Seed + run}: {ends.Count} of {items.Count} items ended");

            void End(WorkItem item) => ends[item] = ends.GetValueOrDefault(item) + 1;
        }
    }

    private static WorkerLoad Worker(WorkQueue queue, int window = 1)
    {
        var worker = new WorkerLoad { Window = window };
        queue.Add(worker);
        return worker;
    }

    private static List<WorkItem> Enqueue(WorkQueue queue, int count)
    {
        var items = Enumerable.Range(0, count).Select(number => (WorkItem)new WorkItem<int> { Payload = default, Display = $"item {number}" }).ToList();
        items.ForEach(queue.Enqueue);
        return items;
    }

    private static List<(long Number, WorkItem Item)> Send(WorkQueue queue, WorkerLoad worker)
    {
        queue.Assign(0);
        var sent = new List<(long, WorkItem)>();
        while (queue.Send(worker) is { } one)
        {
            sent.Add(one);
        }

        return sent;
    }
}
