using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>One writer: what it answers is on the disk, in order, and everybody is answered.</summary>
public class ClusterLoopTests
{
    [Fact]
    public async Task Submit_Answered_IsPublishedAndOnTheDisk()
    {
        using var lab = new LoopLab();
        lab.Start();

        var result = await lab.Loop.SubmitAsync(LoopLab.Submit("train-00000001"), default);
        var published = lab.Loop.Current.Jobs.Find(result.Subject);
        lab.Reopen();
        var read = lab.Loop.Current.Jobs.Find(result.Subject);

        Assert.Equal("train-00000001", published?.Id.ToString());
        Assert.Equal(published! with { Request = default, Trace = default }, read! with { Request = default, Trace = default });
        Assert.Equal("the request"u8.ToArray(), read!.Request.ToArray());
    }

    [Fact]
    public async Task Submits_ByManyAtOnce_AreAllAnsweredAndAllKept()
    {
        using var lab = new LoopLab();
        lab.Start();

        var results = await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => lab.Loop.SubmitAsync(LoopLab.Submit(), default)));
        lab.Reopen();

        Assert.Equal(500, results.Select(result => result.Subject).Distinct().Count());
        Assert.All(results, result => Assert.NotNull(lab.Loop.Current.Jobs.Find(result.Subject)));
    }

    [Fact]
    public async Task Input_ThatTheRulesRefuse_IsRefusedToItsCallerOnly()
    {
        using var lab = new LoopLab();
        lab.Start();
        var good = lab.Loop.SubmitAsync(LoopLab.Submit("a-00000001"), default);

        var rejected = await Assert.ThrowsAsync<ClusterRejectedException>(() => lab.Loop.ApplyAsync(new ClusterInput.TerminateJob(999, KillCause.User), default));

        Assert.Equal(RejectionKind.NotFound, rejected.Rejection.Kind);
        Assert.NotNull(lab.Loop.Current.Jobs.Find((await good).Subject));
    }

    [Fact]
    public async Task FactsAndSubmits_WaitingTogether_GoFactsFirst()
    {
        using var lab = new LoopLab();
        var order = new CommitOrder();

        // Not started yet: both lanes fill, submits first.
        var submits = Enumerable.Range(0, 20).Select(_ => lab.Loop.SubmitAsync(LoopLab.Submit(), default)).ToList();
        var hello = lab.Loop.ApplyAsync(LoopLab.Hello(), default);
        lab.Start(order);
        await Task.WhenAll(submits.Append(hello));

        // One batch takes them all; the worker's uid was given in the same batch, before any job's step.
        Assert.Equal("hello", order.First((await hello).Subject));
    }

    [Fact]
    public async Task FullDisk_DropsTheBatch_TellsItsCallers_AndGoesOnWhenThereIsRoom()
    {
        using var lab = new LoopLab();
        lab.Start();
        var kept = await lab.Loop.SubmitAsync(LoopLab.Submit("kept-00000001"), default);
        lab.Reopen();
        lab.Store.LimitTo(2);
        lab.Start();

        var refused = await Assert.ThrowsAsync<ClusterRejectedException>(async () =>
        {
            for (var i = 0; i < 1_000; i++)
            {
                await lab.Loop.SubmitAsync(LoopLab.Submit($"full-{i:x8}"), default);
            }
        });
        var count = lab.Loop.Current.Jobs.Count;
        lab.Store.LimitTo(10_000);
        var after = await lab.Loop.SubmitAsync(LoopLab.Submit("after-00000001"), default);
        lab.Reopen();

        Assert.Equal(RejectionKind.Unavailable, refused.Rejection.Kind);
        Assert.Equal(count + 1, lab.Loop.Current.Jobs.Count);
        Assert.NotNull(lab.Loop.Current.Jobs.Find(kept.Subject));
        Assert.Equal("after-00000001", lab.Loop.Current.Jobs.Find(after.Subject)?.Id.ToString());
    }

    [Fact]
    public async Task Restart_RaisesTheEpochAndKeepsTimeGoing()
    {
        using var lab = new LoopLab();
        lab.Start();
        await lab.Loop.SubmitAsync(LoopLab.Submit(), default);
        var first = lab.Loop.Current.Meta;
        var time = lab.Loop.Now().Time;
        lab.Reopen();

        Assert.Equal(first.ClusterId, lab.Loop.Current.Meta.ClusterId);
        Assert.Equal(first.Epoch + 1, lab.Loop.Current.Meta.Epoch);
        Assert.InRange(lab.Loop.Now().Time, lab.Loop.Current.Meta.Time, time + 60_000);
    }

    [Fact]
    public async Task Effects_StartAfterTheCommit()
    {
        using var lab = new LoopLab();
        lab.Start();

        var hello = await lab.Loop.ApplyAsync(LoopLab.Hello(), default);
        await lab.Loop.SubmitAsync(LoopLab.Submit(), default); // the next batch begins after the effects of the first were started

        Assert.Contains(new ClusterEffect.UpdateWorker(hello.Subject), lab.Effects);
    }

    /// <summary>Remembers what the first batch had.</summary>
    private sealed class CommitOrder : ICommitListener
    {
        private Batch? _first;

        public void OnCommitted(ClusterState state, Batch batch) => _first ??= batch;

        public string First(long workerUid) => _first?.Workers.ContainsKey(workerUid) == true ? "hello" : "a submit";
    }
}
