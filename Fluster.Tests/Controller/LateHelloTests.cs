using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A Hello that was under way while its worker opened another link says nothing of what was placed since.</summary>
public class LateHelloTests
{
    [Fact]
    public async Task Hello_OfAnOlderLink_IsRefusedAndChangesNothing_AlsoAfterARestart()
    {
        using var lab = new LoopLab();
        lab.Start();
        var worker = (await ApplyAsync(lab, Hello(incarnation: 7, link: 2))).Subject;
        var job = (await lab.Loop.SubmitAsync(LoopLab.Submit(), CancellationToken.None)).Subject;
        await ApplyAsync(lab, new ClusterInput.Place([new Placement(job, 0, worker)]));
        var fence = lab.Loop.Current.Workers.Find(worker)!.Held.Single();

        await ApplyAsync(lab, new ClusterInput.Observe(worker, 7, MachineLab.Seen(fence, AttemptPhase.Running), []));

        var late = await Assert.ThrowsAsync<ClusterRejectedException>(() => ApplyAsync(lab, Hello(incarnation: 7, link: 1)));
        var again = await Assert.ThrowsAsync<ClusterRejectedException>(() => ApplyAsync(lab, Hello(incarnation: 7, link: 2)));
        lab.Reopen();
        lab.Start();
        await Assert.ThrowsAsync<ClusterRejectedException>(() => ApplyAsync(lab, Hello(incarnation: 7, link: 1)));

        Assert.Contains("opened another link since", late.Message, StringComparison.Ordinal);
        Assert.Equal(RejectionKind.FailedPrecondition, again.Rejection.Kind);
        Assert.True(lab.Loop.Current.Attempt(fence) is { IsLive: true, Dead: false });

        // A newer link counts, and so does the first one of another start.
        await ApplyAsync(lab, Hello(incarnation: 7, link: 3));
        Assert.True(lab.Loop.Current.Attempt(fence) is { IsLive: false, Dead: true });
        await ApplyAsync(lab, Hello(incarnation: 8, link: 1));
    }

    private static Task<StepResult> ApplyAsync(LoopLab lab, ClusterInput input) => lab.Loop.ApplyAsync(input, CancellationToken.None);

    private static ClusterInput.Hello Hello(ulong incarnation, long link) => LoopLab.Hello() with { Incarnation = incarnation, Link = link };
}
