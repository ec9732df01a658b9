using Fluster.Cluster;
using Fluster.Controller;
using Google.Protobuf;
using Microsoft.Extensions.Options;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What a worker is sent: what changed since, or everything; and what it can be held to.</summary>
public sealed class DesiredSetTests : IDisposable
{
    private readonly MachineLab _lab = new();
    private readonly ClusterKey _key = ClusterKey.Create();
    private readonly DesiredSet _desired;
    private long _version;

    public DesiredSetTests()
    {
        _lab.Apply(new ClusterInput.Hello(
            WorkerId.Parse("w1"), 1, new WorkerTraits { Capacity = new ResourceShape { CpuMillis = 4_000 }, MaxConcurrentJobs = 10 }, []));
        _desired = new DesiredSet(1, 1, new AttemptSpecs(new TokenIssuer(_key, TimeProvider.System, Options.Create(new ControllerOptions()))).Of);
    }

    public void Dispose() => _key.Dispose();

    [Fact]
    public void NewAttempt_IsSentOnceWithItsSpec()
    {
        var fence = Place("a");

        var first = Next();
        var second = Next();

        var attempt = Assert.Single(first!.Attempts);
        Assert.Equal((fence.Value, V1.DesiredState.Run, "a"), (attempt.Fence, attempt.State, attempt.Spec.JobId));
        Assert.Equal(fence.Value, _key.Verify(attempt.Spec.Token, TimeProvider.System.GetUtcNow(), out _)!.Fence);
        Assert.Null(second);
    }

    [Fact]
    public void CompleteSet_NamesEverythingWithSpecs_EvenWhenNothingChanged()
    {
        Place("a");
        Place("b");
        Next();

        var complete = Next(complete: true);

        Assert.Equal(["a", "b"], complete!.Attempts.Select(attempt => attempt.Spec.JobId));
        Assert.True(complete.Complete);
    }

    [Fact]
    public void StoppedAttempt_IsSentAgainAsStop()
    {
        Place("a");
        Next();
        _lab.Apply(new ClusterInput.TerminateJob(_lab.Job("a")!.Uid, KillCause.User));

        var attempt = Assert.Single(Next()!.Attempts);

        Assert.Equal((V1.DesiredState.Stop, V1.KillCause.User, 5), (attempt.State, attempt.StopCause, attempt.StopGrace.Seconds));
        Assert.Null(Next());
    }

    [Fact]
    public void EndedAttempt_IsAcknowledged_AndNotSuperseded()
    {
        var fence = Place("a");
        Next();

        Report(new Observation(fence, AttemptPhase.Ended) { Outcome = MachineLab.Success });
        var frame = Next();

        Assert.Equal([fence.Value], frame!.Acknowledged);
        Assert.Empty(frame.Superseded);
        Assert.Empty(Next(complete: true)!.Attempts);
    }

    [Fact]
    public void AttemptGivenUp_IsSuperseded_AndStaysSoWhileTheWorkerReportsIt()
    {
        var fence = Place("a");
        Next();
        _lab.Apply(new ClusterInput.Silence(1, 1, WorkerEvent.SilentForLong));

        Assert.Equal([fence.Value], Next()!.Superseded);
        Report(new Observation(fence, AttemptPhase.Running));
        Assert.Equal([fence.Value], Next()!.Superseded);
        Report(new Observation(fence, AttemptPhase.Ended) { Outcome = MachineLab.Success });
        var last = Next();
        Assert.Equal([fence.Value], last!.Acknowledged);
        Assert.Empty(last.Superseded);
    }

    [Fact]
    public void ReportOfSomethingUnknown_IsSuperseded()
    {
        Report(new Observation(new Fence(12345), AttemptPhase.Running));

        Assert.Equal([12345UL], Next()!.Superseded);
    }

    [Fact]
    public void Missing_IsOnlyWhatACompleteSetLeavesOutAfterItWasConfirmed()
    {
        var fence = Place("a");
        var frame = Next()!;

        Assert.Empty(_desired.MissingFrom(new V1.Observed { AppliedVersion = frame.Version, Complete = false }));
        Assert.Empty(_desired.MissingFrom(new V1.Observed { AppliedVersion = frame.Version - 1, Complete = true }));
        Assert.Empty(_desired.MissingFrom(new V1.Observed { AppliedVersion = frame.Version, Complete = true, Attempts = { new V1.AttemptObservation { Fence = fence.Value } } }));
        Assert.Equal([fence], _desired.MissingFrom(new V1.Observed { AppliedVersion = frame.Version, Complete = true }));
    }

    [Fact]
    public void LaterIncarnation_IsNotSentWhatThisOneHolds()
    {
        Place("a");
        var other = new DesiredSet(1, 2, new AttemptSpecs(new TokenIssuer(_key, TimeProvider.System, Options.Create(new ControllerOptions()))).Of);

        Assert.Empty(other.Next(_lab.State, complete: true, () => ++_version)!.Attempts);
    }

    [Fact]
    public void Draining_IsSaidOnceAndInEveryCompleteSet()
    {
        Next();
        _lab.Apply(new ClusterInput.DrainWorker(1, Now: false));

        Assert.True(Next()!.Drain);
        Assert.Null(Next());
        Assert.True(Next(complete: true)!.Drain);
    }

    [Fact]
    public void AttemptThatCannotBeKilled_IsAcknowledgedOnlyWhenItHasGone()
    {
        var fence = Place("a");
        Next();
        var ended = new Observation(fence, AttemptPhase.Ended) { Outcome = MachineLab.Success };

        Report(ended with { Undead = true });
        Assert.Empty(Next()!.Acknowledged);
        Report(ended);
        Assert.Equal([fence.Value], Next()!.Acknowledged);
    }

    [Fact]
    public void Answer_IsSentEvenIfThereIsNothingToSay()
    {
        Next();

        Assert.Null(Next());
        Assert.Empty(_desired.Next(_lab.State, complete: false, () => ++_version, answer: true)!.Attempts);
    }

    private Fence Place(string id)
    {
        var spec = new V1.JobSpec { Name = id, Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } };
        _lab.Apply(new ClusterInput.SubmitJob(JobId.Parse(id), id, Namespace.Default, new JobTerms { Name = id }, spec.ToByteArray(), default, default));
        _lab.Apply(new ClusterInput.Place([new Placement(_lab.Job(id)!.Uid, 0, 1)]));
        return _lab.Attempt(_lab.Job(id)!, 0)!.Fence;
    }

    private void Report(Observation seen)
    {
        _lab.Apply(new ClusterInput.Observe(1, 1, [seen], []));
        _desired.Applied([seen], _lab.State);
    }

    private V1.Desired? Next(bool complete = false) => _desired.Next(_lab.State, complete, () => ++_version);
}
