using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;
using static Fluster.Tests.SupervisorBench;

namespace Fluster.Tests;

/// <summary>What a worker decides, event by event. Every line says what happened and what follows from it.</summary>
public class AttemptSupervisorTests
{
    private readonly SupervisorBench _bench = new();

    [Fact]
    public void Life_OfAnAttempt_FromDesiredToForgotten()
    {
        Assert.Equal("remember cluster-a/1", _bench.Link());
        Assert.Equal("send all v1", _bench.DesireAll());
        Assert.Equal("record 7; send v2 7:Preparing", _bench.Desire(Run(7)));
        Assert.Equal("start 7", _bench.Recorded(7));
        Assert.Equal("send v2 7:Running", _bench.Running(7));
        Assert.Equal(1, _bench.Sent!.Attempts.Single().Ports["p"]);
        Assert.Equal("store 7 ok", _bench.Ended(7)); // not ended before it is on the disk
        Assert.Equal("send v2 7:Ended", _bench.Stored(7));
        Assert.True(_bench.Sent!.Attempts.Single().Outcome.Succeeded);
        Assert.Equal("forget 7; send v3", _bench.Acknowledge(7));
        Assert.Empty(_bench.Supervisor.Held);
    }

    [Fact]
    public void Preempted_Machine_EndsAllWithTheTimeThatIsLeft_AndTakesNothingMore()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("terminate 7 preempted in 27 s; send v2", _bench.Handle(new WorkerEvent.Preempted(TimeSpan.FromSeconds(30))));
        Assert.False(_bench.Sent!.Health.AcceptsWork);
        Assert.Contains("takes this machine away", Assert.Single(_bench.Sent.Health.Problems), StringComparison.Ordinal);
        _bench.Desire(Run(8)); // on its way before the controller knew
        Assert.Equal(FailureKind.WorkerFault, (FailureKind)_bench.Outcome!.Failure.Kind);
        Assert.Equal("store 7 Killed", _bench.Ended(7));
        Assert.Equal(V1.KillCause.Preemption, _bench.Outcome!.Failure.KilledBy);
    }

    [Fact]
    public void Preempted_Job_OnlyItsAttemptsEnd()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("", _bench.Handle(new WorkerEvent.Preempted(TimeSpan.FromSeconds(30), "another-00000001")));
        Assert.Equal("terminate 7 preempted in 27 s", _bench.Handle(new WorkerEvent.Preempted(TimeSpan.FromSeconds(30), _bench.Supervisor.Held.Single().Spec!.JobId)));
    }

    [Fact]
    public void Desired_BeforeTheFirstCompleteSet_ChangesNothing()
    {
        _bench.Link();

        Assert.Equal("", _bench.Desire(Run(7)));
        Assert.Equal("record 7; send all v2 7:Preparing", _bench.DesireAll(Run(7)));
    }

    [Fact]
    public void Desired_AnOlderVersion_ChangesNothing()
    {
        Start();
        _bench.Desire(Run(7));

        Assert.Equal("", _bench.Handle(new WorkerEvent.DesiredArrived(new V1.Desired { Version = 2, Complete = true })));
        Assert.Single(_bench.Supervisor.Held);
    }

    [Fact]
    public void Desired_SameFenceTwice_IsStartedOnce()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("send v3", _bench.Desire(Run(7)));
        Assert.Equal("", _bench.Recorded(7));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Desired_FenceThatIsDoneWith_IsNeverStartedAgain(bool restarted)
    {
        var bench = restarted ? new SupervisorBench(null, 7) : _bench;
        bench.Link();
        bench.DesireAll();
        if (!restarted)
        {
            bench.Begin(7);
            bench.Ended(7);
            bench.Stored(7);
            bench.Acknowledge(7);
        }

        Assert.StartsWith("send v", bench.Desire(Run(7)), StringComparison.Ordinal);
        Assert.StartsWith("send v", bench.DesireAll(Run(7)), StringComparison.Ordinal);
        Assert.Empty(bench.Supervisor.Held);
    }

    [Fact]
    public void Complete_DoesNotNameALiveAttempt_KillsItAndReportsItsDeath()
    {
        Start();
        _bench.Begin(7);
        _bench.Begin(8);

        Assert.Equal("kill 7; send v4", _bench.DesireAll(Run(8)));
        Assert.Equal("send v5", _bench.DesireAll(Run(8))); // and not again
        Assert.Equal("store 7 WorkerLost", _bench.Ended(7, exitCode: null, end => end with { Signal = 9 }));
        Assert.Equal("send v5 7:Ended", _bench.Stored(7));
        Assert.Equal("send v6", _bench.DesireAll(Run(8))); // perhaps made before the report arrived
        Assert.Equal("forget 7; send v7", _bench.Acknowledge(7));
    }

    [Fact]
    public void Complete_DoesNotNameAnAttemptThatEndedMeanwhile_ItsEndIsStillReported()
    {
        Start();
        _bench.Begin(7);
        _bench.Handle(new WorkerEvent.LinkClosed());
        _bench.Link();
        _bench.Ended(7);
        _bench.Stored(7);

        Assert.Contains("7:Ended", _bench.DesireAll(), StringComparison.Ordinal); // the set was made from a Hello that named it as running
        Assert.Equal("forget 7", _bench.Acknowledge(7).Split(';')[0]);
    }

    [Fact]
    public void Changes_DoNotNameALiveAttempt_LeaveItAlone()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("record 8; send v3 8:Preparing", _bench.Desire(Run(8)));
    }

    [Fact]
    public void Superseded_IsKilledAtOnce()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("kill 7; send v3", _bench.Supersede(7));
    }

    [Fact]
    public void Stop_HasItsGraceThenIsKilled()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("terminate 7; send v3", _bench.Desire(Stop(7)));
        Assert.Equal("send v4", _bench.Desire(Stop(7)));
        Assert.Equal(_bench.Now + TimeSpan.FromSeconds(5), _bench.Supervisor.NextDue);
        Assert.Equal("", _bench.Pass(4.9));
        Assert.StartsWith("kill 7", _bench.Pass(0.1), StringComparison.Ordinal);
        Assert.StartsWith("store 7 Killed", _bench.Ended(7, exitCode: 0), StringComparison.Ordinal);
        Assert.Equal((V1.KillCause.User, "Killed: a user asked for it."), (_bench.Outcome!.Failure.KilledBy, _bench.Outcome.Failure.Message));
    }

    [Fact]
    public void Stop_WhileItsStartIsBeingRecorded_NeverStarts()
    {
        Start();
        _bench.Desire(Run(7));

        Assert.Equal("send v3", _bench.Desire(Stop(7)));
        Assert.Equal("store 7 Killed; send v3 7:Running", _bench.Recorded(7));
    }

    [Fact]
    public void Stop_OfWhatWasNeverHere_EndsWithoutAStart()
    {
        Start();

        Assert.Equal("store 7 Killed; send v2 7:Running", _bench.Desire(Stop(7)));
        Assert.Equal("send v2 7:Ended", _bench.Stored(7));
    }

    [Fact]
    public void Stop_AfterTheEnd_ChangesNothing()
    {
        Start();
        _bench.Begin(7);
        _bench.Ended(7);

        Assert.Equal("send v3", _bench.Desire(Stop(7)));
        Assert.True(_bench.Outcome!.Succeeded);
    }

    [Fact]
    public void Timeout_CountsFromTheStartOfTheProgram()
    {
        Start();
        _bench.Desire(Run(7, spec => spec.ExecutionTimeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromSeconds(3))));
        _bench.Recorded(7);
        _bench.Pass(100);
        _bench.Running(7);

        Assert.DoesNotContain("kill", _bench.Pass(2.9), StringComparison.Ordinal);
        Assert.Contains("kill 7", _bench.Pass(0.1), StringComparison.Ordinal);
        Assert.StartsWith("store 7 Timeout", _bench.Ended(7, exitCode: null, end => end with { Signal = 9 }), StringComparison.Ordinal);
        Assert.Equal(("Timeout exceeded", -1), (_bench.Outcome!.Failure.Message, _bench.Outcome.Failure.ExitCode));
    }

    [Fact]
    public void Link_OfAnotherCluster_IsRefusedAndChangesNothing()
    {
        Start();
        _bench.Begin(7);
        _bench.Handle(new WorkerEvent.LinkClosed());

        Assert.Equal("refuse", _bench.Link("cluster-b", 9));
        Assert.Equal("", _bench.DesireAll());
        Assert.Equal(new ClusterIdentity(ClusterId, 1), _bench.Supervisor.Cluster);
        Assert.Equal(HoldPhase.Running, _bench.Supervisor.Held.Single().Phase);
    }

    [Fact]
    public void Link_OfAnOlderEpoch_IsRefusedAndOfANewerOneRemembered()
    {
        var bench = new SupervisorBench(new ClusterIdentity(ClusterId, 5));

        Assert.Equal("refuse", bench.Link(epoch: 4));
        Assert.Equal("", bench.Link(epoch: 5));
        bench.Handle(new WorkerEvent.LinkClosed());
        Assert.Equal("remember cluster-a/6", bench.Link(epoch: 6));
    }

    [Fact]
    public void LinkClosed_WhatRunsGoesOn_AndIsReportedInHelloAndInFull()
    {
        Start();
        _bench.Begin(7);
        _bench.Begin(8);
        Assert.Equal("", _bench.Handle(new WorkerEvent.LinkClosed()));
        Assert.Equal("store 7 ok", _bench.Ended(7));
        Assert.Equal("", _bench.Stored(7));
        Assert.Equal("", _bench.Pass(1000));

        Assert.Equal([(7UL, V1.AttemptPhase.Ended), (8UL, V1.AttemptPhase.Running)], _bench.Supervisor.Holdings.Select(holding => (holding.Fence, holding.Phase)));
        Assert.Equal("", _bench.Link());
        Assert.Equal("send all v4 7:Ended 8:Running", _bench.DesireAll(Run(7), Run(8)));
    }

    [Fact]
    public void Report_WithoutNews_IsSentAtTheIntervalAndInFullEvery30Seconds()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("", _bench.Pass(4.9));
        Assert.Equal("send v2", _bench.Pass(0.1));
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal("send v2", _bench.Pass(5));
        }

        Assert.Equal("send all v2 7:Running", _bench.Pass(5));
    }

    [Fact]
    public void Report_WhileTheLinkIsBusy_WaitsAndIsPutTogether()
    {
        Start();
        var now = _bench.Now;
        var first = _bench.Supervisor.Handle(new WorkerEvent.DesiredArrived(new V1.Desired { Version = 50, Attempts = { Run(7) } }), now);
        Assert.Single(first.OfType<WorkerOutput.Send>());

        // The link has not taken that frame yet.
        Assert.DoesNotContain(_bench.Supervisor.Handle(new WorkerEvent.StartRecorded(new Fence(7)), now), output => output is WorkerOutput.Send);
        Assert.DoesNotContain(_bench.Supervisor.Handle(new WorkerEvent.DesiredArrived(new V1.Desired { Version = 51, Attempts = { Run(8) } }), now), output => output is WorkerOutput.Send);
        var frame = _bench.Supervisor.Handle(new WorkerEvent.LinkReady(), now).OfType<WorkerOutput.Send>().Single().Frame;

        Assert.Equal((51, 8UL), (frame.AppliedVersion, frame.Attempts.Single().Fence)); // 7 is in the phase that was told already
    }

    [Fact]
    public void Recovered_AttemptsWithoutAnOutcome_AreLostAndNotStarted()
    {
        var lost = new RecoveredAttempt(new Fence(7), null, new V1.LogTotals { Chunks = 3, StdoutLines = 9 });
        var known = new RecoveredAttempt(new Fence(8), new V1.AttemptOutcome { Succeeded = true }, new V1.LogTotals());

        Assert.Equal("store 7 WorkerLost", _bench.Handle(new WorkerEvent.Recovered([lost, known])));
        Assert.Equal((3, 9, true), (_bench.Outcome!.Logs.Chunks, _bench.Outcome.Logs.StdoutLines, _bench.Outcome.Logs.UnknownTail));
        _bench.Stored(7);
        _bench.Link();
        Assert.Equal("send all v1 7:Ended 8:Ended", _bench.DesireAll(Run(7), Run(8)));
    }

    [Fact]
    public void Result_ThatIsLarge_IsUploadedBeforeItIsReported()
    {
        Start();
        _bench.Begin(7);
        _bench.Ended(7, 0, end => end with { Result = new byte[16 * 1024 + 1] });
        Assert.Equal("upload 7 16385", _bench.Stored(7));

        // The link breaks: the upload begins again with the next one.
        _bench.Handle(new WorkerEvent.LinkClosed());
        Assert.Equal("upload 7 16385", _bench.Link());
        _bench.DesireAll(Run(7));
        var blob = new V1.Payload { Blob = new V1.BlobRef { Hash = "h", Size = 16385 } };

        Assert.Equal("send v3 7:Ended", _bench.Handle(new WorkerEvent.ResultUploaded(new Fence(7), blob, null)));
        Assert.Equal(blob, _bench.Sent!.Attempts.Single().Outcome.Result);
    }

    [Fact]
    public void Result_ThatIsRefused_IsAFailure()
    {
        Start();
        _bench.Begin(7);
        _bench.Ended(7, 0, end => end with { Result = new byte[20_000] });
        _bench.Stored(7);

        _bench.Handle(new WorkerEvent.ResultUploaded(new Fence(7), null, "no room"));

        var outcome = _bench.Sent!.Attempts.Single().Outcome;
        Assert.Equal((false, V1.FailureKind.Result, "The cluster did not take the result: no room"), (outcome.Succeeded, outcome.Failure.Kind, outcome.Failure.Message));
    }

    [Fact]
    public void Disk_ThatDoesNotTakeTheStart_GivesTheAttemptBack()
    {
        Start();
        _bench.Desire(Run(7));

        Assert.StartsWith("store 7 WorkerFault", _bench.Handle(new WorkerEvent.StartNotRecorded(new Fence(7), "no space")), StringComparison.Ordinal);
    }

    [Fact]
    public void Health_ThatTakesNoWork_GivesNewAttemptsBack()
    {
        Start();
        _bench.Begin(6);
        _bench.Handle(new WorkerEvent.HealthTaken(new V1.WorkerHealth { AcceptsWork = false, Problems = { "The disk is full." } }));

        Assert.StartsWith("store 7 WorkerFault", _bench.Desire(Run(7)), StringComparison.Ordinal);
        Assert.Equal("The worker takes no work now: The disk is full.", _bench.Outcome!.Failure.Message);
        Assert.False(_bench.Sent!.Health.AcceptsWork);
    }

    [Fact]
    public void Shutdown_EndsWhatRunsAndTakesNothingNew()
    {
        Start();
        _bench.Begin(7);

        Assert.Equal("terminate 7", _bench.Handle(new WorkerEvent.ShutdownRequested()));
        Assert.Equal("", _bench.Desire(Run(8)));
        Assert.Contains("kill 7", _bench.Pass(5), StringComparison.Ordinal);
        Assert.StartsWith("store 7 WorkerLost", _bench.Ended(7, exitCode: 0), StringComparison.Ordinal);
        Assert.Equal("The worker shut down.", _bench.Outcome!.Failure.Message);
    }

    [Fact]
    public void Drain_WithSomethingHeld_LeavesWhenNothingIsLeft()
    {
        Start();
        _bench.Begin(7);

        Assert.DoesNotContain("leave", _bench.Handle(new WorkerEvent.DesiredArrived(new V1.Desired { Version = 20, Drain = true })), StringComparison.Ordinal);
        _bench.Ended(7);
        Assert.DoesNotContain("leave", _bench.Stored(7), StringComparison.Ordinal);
        Assert.EndsWith("leave", _bench.Handle(new WorkerEvent.DesiredArrived(new V1.Desired { Version = 21, Acknowledged = { 7 } })), StringComparison.Ordinal);
    }

    [Fact]
    public void Unkillable_OutcomeIsReportedAndTheAttemptIsHeldUntilItsProcessesEnd()
    {
        Start();
        _bench.Begin(7);
        var end = new AttemptEnd { At = DateTimeOffset.UnixEpoch, ExitCode = 3 };

        Assert.Equal("store 7 ExitCode", _bench.Handle(new WorkerEvent.Undead(new Fence(7), end, [4711])));
        Assert.Equal("send v2 7:Ended", _bench.Stored(7));
        Assert.Equal([4711], _bench.Sent!.Attempts.Single().Unkillable);
        Assert.DoesNotContain("forget", _bench.DesireAll(), StringComparison.Ordinal);
        Assert.Equal([4711], _bench.Supervisor.Holdings.Single().Unkillable);

        Assert.Equal("send v3 7:Ended", _bench.Ended(7));
        Assert.Empty(_bench.Sent!.Attempts.Single().Unkillable);
        Assert.Equal(3, _bench.Sent.Attempts.Single().Outcome.Failure.ExitCode); // as it was told before
        Assert.StartsWith("forget 7", _bench.Acknowledge(7), StringComparison.Ordinal);
    }

    [Fact]
    public void Exclusive_ControllerUnheardFor30Seconds_IsKilledAndOthersGoOn()
    {
        Start();
        _bench.Begin(7, spec => spec.Exclusive = true);
        _bench.Begin(8);
        _bench.Handle(new WorkerEvent.LinkClosed());

        Assert.Equal("", _bench.Pass(29.9));
        Assert.Equal("kill 7", _bench.Pass(0.1));
        Assert.Equal("", _bench.Pass(60));
        Assert.StartsWith("store 7 WorkerLost", _bench.Ended(7, exitCode: null), StringComparison.Ordinal);
        Assert.Equal(HoldPhase.Running, _bench.Supervisor.Held.Single(attempt => attempt.Fence == new Fence(8)).Phase);
    }

    [Fact]
    public void Exclusive_EmptyFramesOfTheController_KeepItAliveAndAreNotAnswered()
    {
        Start();
        _bench.Begin(7, spec => spec.Exclusive = true);
        for (var i = 0; i < 20; i++)
        {
            Assert.DoesNotContain("kill", _bench.Pass(4.9), StringComparison.Ordinal);
            Assert.Equal("", _bench.Desire());
        }
    }

    [Fact]
    public void Exclusive_FrameThatWaitedWhileTheWorkerWasStopped_ComesTooLate()
    {
        Start();
        _bench.Begin(7, spec => spec.Exclusive = true);

        Assert.StartsWith("kill 7", _bench.PassUnnoticed(31).Desire(), StringComparison.Ordinal);
    }

    private void Start()
    {
        _bench.Link();
        _bench.DesireAll();
    }
}
